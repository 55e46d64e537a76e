"""`PartialPooling`: how much more one customer answers than others alike, as far as that is known.

What is known of a few answers is mostly chance. So a customer's own mean is drawn towards that of
the segment, and the segment's towards that of all, each as far as the history of everybody says
that means of so many answers are to be trusted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg1._checks import check_at_least, to_us
from seg1._types import Id
from seg1.bandit.customers.cells import Cells
from seg1.bandit.customers.components import Components, Learned
from seg1.bandit.posteriors.learning import Learning
from seg1.bandit.posteriors.posterior import Arrays
from seg1.errors import DamagedError, InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import as_id

__all__ = ["PartialPooling", "PooledHistory"]

_LEARNING: Final = ("half_life_days", "noise_sd", "tick_hours")
_LARGEST: Final = 1e100  # so that squares of sums are finite


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialPooling:
    """How customers' own answers are remembered, and drawn towards those of others.

    Parameters
    ----------
    half_life_days
        Days of event time after which a row counts half, > 0; None to forget nothing.
    noise_sd
        Standard deviation of an answer before any is known, > 0; it counts as one row. 0.5 is the
        largest that an answer of 0 or 1 can have; give that of your answers where they are amounts.
    tick_hours
        Rows of one tick count alike, > 0, and at its first row it is reckoned anew how much
        customers and segments differ: some 60 ms for a million customers.

    prior_rows
        Before any answer nobody differs, and that counts as so many rows, >= 0.

    Examples
    --------
    >>> history = PartialPooling(prior_rows=0).start()
    >>> for day in range(8):
    ...     for customer, answer in [(1, 1), (2, 0), (3, 0), (4, 0)]:
    ...         history.fold(customer, answer, expected=0.25, at_us=day * 86_400_000_000)
    >>> [round(history.effect(customer), 2) for customer in (1, 2, 5)]  # nothing is known of 5
    [0.75, -0.25, 0.0]
    """

    half_life_days: float | None = 90.0
    noise_sd: float = 0.5
    tick_hours: float = 24.0
    prior_rows: float = 100.0
    _learning: Learning = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        learning = Learning(
            half_life_days=self.half_life_days, noise_sd=self.noise_sd, tick_hours=self.tick_hours
        )
        prior_rows = check_at_least(self.prior_rows, name="prior_rows", low=0)
        checked = {"prior_rows": prior_rows, "_learning": learning}
        for name, value in ({n: getattr(learning, n) for n in _LEARNING} | checked).items():
            object.__setattr__(self, name, value)

    @property
    def tick_us(self) -> int:
        """Microseconds of a tick."""
        return self._learning.tick_us

    def weight(self, n_ticks: int) -> float:
        """Give what a row counts after some ticks, in [0, 1]."""
        return self._learning.weight(n_ticks)

    def start(self) -> "PooledHistory":
        """Give a history of nothing."""
        return PooledHistory(self, Cells(), tick=0)

    def from_arrays(self, arrays: Arrays) -> "PooledHistory":
        """Make a history again from what `PooledHistory.to_arrays` gave, bit for bit.

        Raises
        ------
        DamagedError
            Where arrays are missing, of the wrong shape or dtype, or do not fit together.
        """
        tick = arrays.get("tick")
        if tick is None or tick.dtype != np.int64 or tick.shape != (1,):
            raise DamagedError("the state of a pooled history lacks its tick")
        cells = Cells.from_arrays(arrays)
        learned = Learned.from_arrays(arrays, shape=cells.shape)
        return PooledHistory(self, cells, tick=int(tick[0]), learned=learned)


class PooledHistory:
    """What customers have answered, beyond what was expected. Made by `PartialPooling`.

    It changes in place, and the owner holds a lock. The sums are plain: rows may come in any order,
    be added to those of another process, and be taken out again. Variances and segments' effects
    follow from the sums where a tick begins, and are also reckoned anew by `remove`, `erase` and
    `merge`. In between a customer's effect moves with that customer's own answers only.
    """

    __slots__ = ("_cells", "_learned", "_tick", "configuration")

    def __init__(
        self,
        configuration: PartialPooling,
        cells: Cells,
        *,
        tick: int,
        learned: Learned | None = None,
    ) -> None:
        self.configuration = configuration
        self._cells = cells
        self._tick = tick
        self._learned = self._reckoned() if learned is None else learned

    def __repr__(self) -> str:
        return f"PooledHistory({self.n_customers} customers, {self.n_rows} rows)"

    @property
    def n_rows(self) -> int:
        """How many rows were folded, whatever they weigh by now."""
        return self._cells.n_rows

    @property
    def n_customers(self) -> int:
        """How many customers there are any rows of."""
        return self._cells.n_customers

    @property
    def components(self) -> Components:
        """Variances of the noise, of customers in a segment, of segments: as of the last reckoning.

        Examples
        --------
        >>> PartialPooling(noise_sd=0.5).start().components
        Components(noise=0.25, customers=0.0, segments=0.0)
        """
        return self._learned.components

    def fold(
        self,
        customer: Id,
        answer: float,
        *,
        expected: float,
        segment: Id | None = None,
        group: Id | None = None,
        at_us: int,
    ) -> None:
        """Learn one answer, in place; the owner holds its lock.

        Parameters
        ----------
        customer
            Whose answer it is.
        answer
            The answer: accepted or not, or an amount; finite.
        expected
            What was expected of a customer about whom no effect is known, in that context and of
            that offer; finite. It must *not* know this customer's effect: what is expected
            already would be counted as no effect.
        segment
            What the customer is alike others in, at that time; None where nothing is told.
        group
            Which group of offers it answers. Each group has effects of its own, and all have their
            variances in common. None is a group too.
        at_us
            When it was *decided*, microseconds UTC. A row of an earlier tick than the latest comes
            in at its decayed weight; one of a later tick decays all others.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError, WrongIdTypeError
            For ids, numbers or a time that cannot be used; nothing is folded then.
        """
        residual = _residual(answer, expected)
        customer, tick = as_id(customer), self._tick_of(at_us)
        row = self._cells.found_or_made(customer, self._cells.place(segment=segment, group=group))
        self._cells.add(row, residual, weight=self._weight_at(tick), n=1)

    def correct(
        self,
        customer: Id,
        *,
        before: float,
        after: float,
        expected: float,
        segment: Id | None = None,
        group: Id | None = None,
        at_us: int,
    ) -> None:
        """Replace the answer of a row that was folded, in place; the owner holds its lock.

        Parameters
        ----------
        before, after
            The answer that was folded, and the one that should have been.
        customer, expected, segment, group, at_us
            As they were folded.
        """
        was, is_now = _residual(before, expected), _residual(after, expected)
        row, weight = self._folded(customer, segment=segment, group=group, at_us=at_us)
        self._cells.add(row, was, weight=weight, n=-1)
        self._cells.add(row, is_now, weight=weight, n=1)

    def remove(
        self,
        customer: Id,
        answer: float,
        *,
        expected: float,
        segment: Id | None = None,
        group: Id | None = None,
        at_us: int,
    ) -> None:
        """Forget a row that was folded, in place: the rest is as if it had never been, to 1e-9.

        Parameters
        ----------
        customer, answer, expected, segment, group, at_us
            As they were folded.

        Raises
        ------
        InvalidArgumentError
            Where no row of that customer, segment and group is left.
        """
        residual = _residual(answer, expected)
        row, weight = self._folded(customer, segment=segment, group=group, at_us=at_us)
        self._cells.add(row, residual, weight=weight, n=-1)
        if not self._cells.n_folded[row]:
            self._cells.drop(row)
            self._cells.drop_empty()
        self._learned = self._reckoned()

    def erase(self, customer: Id) -> int:
        """Forget all rows of a customer, in place; the owner holds its lock.

        Nothing is left of them: neither the id, nor a part in any variance, mean or effect.

        Parameters
        ----------
        customer
            Whom to forget; one of whom nothing is known is no error.

        Returns
        -------
        int
            How many rows were forgotten.

        Examples
        --------
        >>> history = PartialPooling().start()
        >>> history.fold("anna", 1, expected=0.2, at_us=0)
        >>> history.erase("anna"), history
        (1, PooledHistory(0 customers, 0 rows))
        """
        n_rows = self._cells.drop_customer(as_id(customer))
        if n_rows:
            self._learned = self._reckoned()
        return n_rows

    def effect(self, customer: Id, segment: Id | None = None, *, group: Id | None = None) -> float:
        """Say how much more this customer answers than expected of others alike.

        The best linear unbiased predictor: the effect of the segment, and what the customer's own
        answers add to it. Of a customer who has not answered it is the segment's, and 0 in a
        segment that has not. It is 0 for all, exactly, where differences are no larger than chance.

        Parameters
        ----------
        customer, segment, group
            As for `fold`.

        Returns
        -------
        float
            In the unit of the answers, as of the latest tick.
        """
        return self.effects(customer, segment, groups=(group,))[0]

    def effects(
        self, customer: Id, segment: Id | None = None, *, groups: Iterable[Id | None]
    ) -> list[float]:
        """Say the `effect` on each of some groups, in their order: quicker than one by one."""
        (noise, customers, _), of_strata, means = self._learned
        cells, told, who = self._cells, [], as_id(customer)
        for stratum, of_group, row in cells.found(who, segment=segment, groups=groups):
            shared = of_strata[stratum] if 0 <= stratum < len(of_strata) else 0.0
            if row >= 0:
                mean = means[of_group] if of_group < len(means) else 0.0
                weight = cells.weight[row]
                # The customer adds customers / (customers + noise / n) of the mean beyond others'.
                beyond = cells.residual[row] - weight * (mean + shared)
                shared += customers * beyond / (noise + customers * weight)
            told.append(shared)
        return told

    def reliability(
        self, customer: Id, segment: Id | None = None, *, group: Id | None = None
    ) -> float:
        """Say how far a customer's own answers count against those of the segment, in [0, 1).

        Below one half most of a difference to the segment is taken for chance.

        Parameters
        ----------
        customer, segment, group
            As for `fold`.
        """
        cells = self._cells
        stratum, _ = cells.stratum(cells.place(segment=segment, group=group))
        row = cells.find(as_id(customer), stratum)
        if row < 0:
            return 0.0
        own = self.components.customers * cells.weight[row]
        return own / (self.components.noise + own)

    def held(self, customer: Id) -> list[dict[str, Any]]:  # Any: ids, sums and a count
        """Tell what is kept of a customer by group and segment."""
        return list(self._cells.held(as_id(customer)))

    def copy(self) -> "PooledHistory":
        """Give a history that goes its own way."""
        return self.configuration.from_arrays(self.to_arrays())

    def merge(self, other: "PooledHistory") -> "PooledHistory":
        """Give the history that has folded the rows of both; neither changes.

        Raises
        ------
        InvalidArgumentError
            Where they differ in configuration.
        """
        if self.configuration != other.configuration:
            raise InvalidArgumentError("histories can be merged where configurations are the same")
        parts = [state.to_arrays() for state in (self, other) if state.n_rows]
        ticks = [int(part["tick"][0]) for part in parts]
        tick, merged = max(ticks, default=0), Cells()
        for part, at in zip(parts, ticks, strict=True):
            factor = self.configuration.weight(tick - at)
            merged.absorb(Cells.from_arrays(part), factor=factor)
        return PooledHistory(self.configuration, merged, tick=tick)

    def to_arrays(self) -> dict[str, NDArray[Any]]:  # Any: as in `Arrays`
        """Give copies of all that `PartialPooling.from_arrays` needs, as plain arrays.

        Ids are among them: int64, or UTF-8 bytes and offsets.
        """
        told = self._cells.to_arrays() | self._learned.to_arrays()
        return told | {"tick": np.array([self._tick], np.int64)}

    def _tick_of(self, at_us: int) -> int:
        return to_us(at_us, name="at_us") // self.configuration.tick_us

    def _weight_at(self, tick: int) -> float:
        """Give what a row of a tick weighs; a later tick than any decays all the others."""
        if tick > self._tick or not self.n_rows:
            if self.n_rows:
                self._cells.decay(self.configuration.weight(tick - self._tick))
                self._learned = self._reckoned()
            self._tick = tick
        return self.configuration.weight(self._tick - tick)

    def _folded(
        self, customer: Id, *, segment: Id | None, group: Id | None, at_us: int
    ) -> tuple[int, float]:
        """Find the cell of a row that was folded, and its weight."""
        tick = self._tick_of(at_us)
        stratum, _ = self._cells.stratum(self._cells.place(segment=segment, group=group))
        row = self._cells.find(as_id(customer), stratum)
        if row < 0 or tick > self._tick:
            raise InvalidArgumentError("no such row of this customer was folded")
        return row, self.configuration.weight(self._tick - tick)

    def _reckoned(self) -> Learned:
        """Reckon anew how much customers and segments differ."""
        noise_sd, prior_rows = self.configuration.noise_sd, self.configuration.prior_rows
        return Learned.of(self._cells.sums(), noise_sd=noise_sd, prior_rows=prior_rows)


def _residual(answer: float, expected: float) -> float:
    for number in (answer, expected):
        if not isinstance(number, int | float | np.integer | np.floating | np.bool_):
            raise InvalidTypeError(f"answers must be numbers, got {type(number).__name__}")
    residual = float(answer) - float(expected)
    if not abs(residual) <= _LARGEST:  # negated, so that NaN fails too
        raise InvalidArgumentError(f"answer and expected must be finite, and at most {_LARGEST:g}")
    return residual
