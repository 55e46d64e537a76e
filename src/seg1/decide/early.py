"""Learning before a window closes: what an answer comes to, from what has come of it so far.

A yes learned at once and a no later overstate whatever is young; a silence taken for a no
understates it. So all decisions are learned at one age, answered or not, and a silence counts as
the chance that an answer still comes: by what is believed of it, and by the share of all answers
that had come at that age where windows have closed. What is learned so is replaced at the close.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from seg1._checks import DAY_US, check_int, check_number
from seg1._types import Float64s
from seg1.bandit import OfferSelector, PosteriorState
from seg1.bandit.posteriors.posterior import means_of
from seg1.errors import InvalidArgumentError
from seg1.journal import Decided

__all__ = ["EarlyAnswers", "EarlyRows", "Shares", "expected_answer", "policy_version"]

_HOUR_US: Final = 3_600 * 1_000_000
_MOST_HOURS: Final = 36_525 * 24
# Below, a row would be sure of itself and tell next to nothing; above, sums nearly cancel.
_LEAST_SHARE: Final = 0.1
_LARGEST_SHARE: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyAnswers:
    """Learn from decisions of one age, before their windows close: the engine's `delay_model=`.

    What is learned is the final answer as it is to be expected from the answer so far: an
    acceptance is one; a silence is the chance that one still comes, given what is believed of the
    arm in that context; a reward is what has come, and the share that is still to come of what is
    believed. It is without bias where the belief is, and moves it towards the truth where it is
    not, provided that how long answers take depends on placement and window, and on whether
    something was offered, and on nothing else. At the close the final answer takes its place.

    Nothing is learned early of a placement until enough of its decisions have been answered and
    closed, nor while less than a tenth of what comes has come at that age.

    Parameters
    ----------
    hours
        The age, > 0, at most 876,600. Windows that are not longer are waited for.
    min_answers
        How many answered decisions must have closed, by their weight, >= 1.
    half_life_days
        Days after which a closed decision counts half, > 0: how long answers take may change. None
        to forget nothing.

    Examples
    --------
    >>> EarlyAnswers(hours=6).early_us
    21600000000
    """

    hours: float = 24.0
    min_answers: int = 50
    half_life_days: float | None = 90.0

    def __post_init__(self) -> None:
        hours = check_number(self.hours, name="hours", above=0)
        if hours > _MOST_HOURS:  # such as no window has
            raise InvalidArgumentError(f"hours must be at most {_MOST_HOURS}, got {hours:g}")
        object.__setattr__(self, "hours", hours)
        if self.early_us < 1:
            raise InvalidArgumentError("hours must come to a microsecond at least")
        n = check_int(self.min_answers, name="min_answers", low=1)
        object.__setattr__(self, "min_answers", n)
        if self.half_life_days is not None:
            days = check_number(self.half_life_days, name="half_life_days", above=0)
            object.__setattr__(self, "half_life_days", days)

    @property
    def early_us(self) -> int:
        """The age in microseconds."""
        return round(self.hours * _HOUR_US)


class Shares:
    """Which share of what comes has come at the early age, of decisions whose windows closed.

    Told apart by placement, window, and whether there was an offer. A fold; changes in place.
    """

    def __init__(self, model: EarlyAnswers) -> None:
        self._model = model
        self._sums: dict[tuple[str, int, bool], _Sums] = {}

    def count(self, row: Decided, *, early: float, final: float) -> None:
        """Take in a decision whose window has closed."""
        self._add(row, _Sums(row.at_us, early, final, float(final != 0.0)))

    def recount(self, row: Decided, *, before: float, after: float) -> None:
        """Replace the final answer of one that was counted."""
        n = float(after != 0.0) - float(before != 0.0)
        self._add(row, _Sums(row.at_us, 0.0, after - before, n))

    def of(self, row: Decided) -> float | None:
        """Give the share for decisions like this one; None where too little is known of them."""
        known = self._sums.get(_like(row))
        if known is None or known.n_answered < self._model.min_answers or known.final <= 0.0:
            return None
        share = known.early / known.final
        return share if _LEAST_SHARE <= share <= _LARGEST_SHARE else None

    def told(self) -> Iterator[object]:
        """Tell all that is known, as values that compare to the last bit."""
        yield sorted((like, tuple(sums)) for like, sums in self._sums.items())

    def _add(self, row: Decided, new: "_Sums") -> None:
        like = _like(row)
        old = self._sums.get(like, _Sums(row.at_us, 0.0, 0.0, 0.0))
        as_of_us = max(old.as_of_us, new.as_of_us)
        parts = [(sums, self._weight(as_of_us - sums.as_of_us)) for sums in (old, new)]
        self._sums[like] = _Sums(
            as_of_us,
            sum(weight * sums.early for sums, weight in parts),
            sum(weight * sums.final for sums, weight in parts),
            sum(weight * sums.n_answered for sums, weight in parts),
        )

    def _weight(self, age_us: int) -> float:
        days = self._model.half_life_days
        return 1.0 if days is None else float(2.0 ** -(age_us / (days * DAY_US)))


class _Sums(NamedTuple):
    """Of what had come early, of what came, and how often; each weighed as of a moment."""

    as_of_us: int
    early: float
    final: float
    n_answered: float


def _like(row: Decided) -> tuple[str, int, bool]:
    return row.placement, row.outcome_us, row.offer is None


class _Taught(NamedTuple):
    """What was learned early of a decision, and what was believed of it before."""

    answer: float
    expected: float


class EarlyRows:
    """The decisions that were learned early and have not closed; and what that rests on.

    A fold; changes in place, and the posterior with it.

    Attributes
    ----------
    shares
        Which share of what comes has come at the early age.
    """

    def __init__(self, model: EarlyAnswers) -> None:
        self.shares = Shares(model)
        self._taught: dict[str, _Taught] = {}

    def fold(
        self,
        row: Decided,
        x: Float64s,
        *,
        so_far: float,
        effect: float,
        is_reward: bool,
        into: PosteriorState,
    ) -> bool:
        """Learn a decision early; say whether it could be.

        Parameters
        ----------
        row, x
            The decision, and the vector of its arm.
        so_far
            The answer so far.
        effect
            What the customer answers beyond others: the posterior learns answers less it.
        is_reward
            As for `expected_answer`.
        into
            What learns.
        """
        share = self.shares.of(row)
        if share is None:
            return False
        expected = means_of(into, x).item(row.arm)
        answer = expected_answer(
            so_far, expected=expected + effect, share=share, is_reward=is_reward
        )
        answer -= effect
        into.fold(row.arm, x, answer, at_us=row.at_us)
        self._taught[row.decision_id] = _Taught(answer, expected)
        return True

    def has(self, decision_id: str) -> bool:
        """Whether a decision was learned early and has not closed."""
        return decision_id in self._taught

    def expected(self, decision_id: str) -> float | None:
        """Give what was believed of a decision before it was learned early; None where not."""
        taught = self._taught.get(decision_id)
        return None if taught is None else taught.expected

    def replace(self, row: Decided, x: Float64s, *, answer: float, into: PosteriorState) -> None:
        """Put the final answer in the early one's place."""
        early = self._taught.pop(row.decision_id).answer
        into.correct(row.arm, x, before=early, after=answer, at_us=row.at_us)

    def take_back(
        self, row: Decided, x: Float64s, *, can_remove: bool, into: PosteriorState
    ) -> None:
        """Unlearn a decision that was learned early: the row, or else the answer in it."""
        answer, expected = self._taught.pop(row.decision_id)
        if can_remove:
            into.remove(row.arm, x, answer, at_us=row.at_us)
        else:
            into.correct(row.arm, x, before=answer, after=expected, at_us=row.at_us)

    def told(self) -> Iterator[object]:
        """Tell all that is known, as values that compare to the last bit."""
        yield from self.shares.told()
        yield sorted((name, tuple(taught)) for name, taught in self._taught.items())


def expected_answer(so_far: float, *, expected: float, share: float, is_reward: bool) -> float:
    """Give the final answer that is to be expected from the answer so far.

    For acceptances that is Bayes' rule: silent is ``1 - share p`` of all, and of these
    ``(1 - share) p`` still accept. Where p is their true chance, its mean over answered and silent
    is p.

    Parameters
    ----------
    so_far
        The answer so far; of an acceptance in [0, 1].
    expected
        What is believed of the final one, before it is known whether something has come.
    share
        Which share of what comes has come at that age, > 0; above 1 where some is taken back.
    is_reward
        Whether it is a reward, which comes bit by bit, and no acceptance.

    Examples
    --------
    >>> expected_answer(1.0, expected=0.2, share=0.5, is_reward=False)
    1.0
    >>> round(expected_answer(0.0, expected=0.2, share=0.5, is_reward=False), 4)
    0.1111
    >>> expected_answer(3.0, expected=10.0, share=0.5, is_reward=True)
    8.0
    """
    if is_reward:
        return so_far + (1.0 - share) * expected
    p = min(max(expected, 0.0), 1.0)
    still = (1.0 - share) * p / (1.0 - share * p) if share < 1.0 else 0.0
    return so_far / max(share, 1.0) + (1.0 - so_far) * still


def policy_version(selector: OfferSelector, delay_model: EarlyAnswers | None) -> str:
    """Name what probabilities follow from, but for the rows: 16 hexadecimal digits."""
    if delay_model is None:
        return selector.version
    return hashlib.sha256(f"{selector.version}{delay_model!r}".encode()).hexdigest()[:16]
