"""`tune`: which configuration foresees best, found by successive halving on an earlier split."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from tqdm import tqdm

from seg1._checks import DAY_US, check_int, check_number, to_us
from seg1._types import At, Float64s
from seg1.consent import ConsentDoor, ConsentNotNeeded
from seg1.errors import InvalidArgumentError, InvalidTypeError, NoInteractionsError
from seg1.events import Events
from seg1.events.coding import codes_in
from seg1.interactions import InteractionMatrixBuilder, Interactions, split_time
from seg1.recommend.fitting.als import ALS
from seg1.recommend.fitting.model import ALSModel
from seg1.recommend.fitting.validation import Validation
from seg1.recommend.metrics import Metric, evaluate, relevant_items

__all__ = ["DEFAULT_SPACE", "Trial", "Tuned", "tune"]

DEFAULT_SPACE: Final[Mapping[str, Sequence[Any]]] = {
    "factors": (64, 128),
    "confidence": ("linear", "raw"),
    "alpha": (0.3, 1.0, 3.0, 10.0, 30.0),
    "regularization": (0.001, 0.002, 0.005, 0.01, 0.02),
    "half_life_days": (None, 90.0, 365.0),
}
_OF_ALS = ("factors", "confidence", "alpha", "regularization", "nu", "seed")
_OF_BUILDER = (
    "half_life_days", "transform", "combine", "compress",
    "min_customers_per_item", "min_items_per_customer",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One configuration, fitted and measured.

    Attributes
    ----------
    builder, als
        The configuration.
    figure
        Mean of the metric over the customers of the validation, in [0, 1].
    sweeps
        Sweeps of the fit it was measured after.
    n_customers
        Over how many customers.
    """

    builder: InteractionMatrixBuilder
    als: ALS
    figure: float
    sweeps: int
    n_customers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a search has found.

    Attributes
    ----------
    trials
        All that was measured: most sweeps first, and of equal sweeps the best first.
    metric, n
        What was measured, at n.
    names
        The options that were varied.
    """

    trials: tuple[Trial, ...]
    metric: Metric
    n: int
    names: tuple[str, ...]

    @property
    def best(self) -> Trial:
        """The best of those that were fitted to the end."""
        return self.trials[0]

    @property
    def builder(self) -> InteractionMatrixBuilder:
        """How the best one weighs events."""
        return self.best.builder

    @property
    def als(self) -> ALS:
        """How the best one is fitted, with all its sweeps."""
        return self.best.als

    def rows(self) -> list[dict[str, object]]:
        """List the trials as records: the options varied, sweeps, the figure."""
        return [
            {name: _option(trial, name) for name in self.names}
            | {"sweeps": trial.sweeps, self.metric: trial.figure}
            for trial in self.trials
        ]

    def __str__(self) -> str:
        """Lay the trials out as a table of text."""
        rows = self.rows()
        heads = [*self.names, "sweeps", f"{self.metric}@{self.n}"]
        cells = [[_cell(value) for value in row.values()] for row in rows]
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in [heads, *cells]
        ]
        return "\n".join(lines)


def tune(
    events: Events,
    *,
    consent: ConsentDoor,
    at: At,
    validation: Validation | None = None,
    last_days: float | None = None,
    exclude_seen: bool | None = None,
    n: int | None = None,
    metric: Metric = "ndcg",
    space: Mapping[str, Sequence[Any]] = DEFAULT_SPACE,
    builder: InteractionMatrixBuilder | None = None,
    als: ALS | None = None,
    n_candidates: int = 36,
    eta: int = 3,
    seed: int = 0,
    show_progress: bool = False,
) -> Tuned:
    """Search for the configuration whose rankings foresee best what customers had later.

    Successive halving (Jamieson, Talwalkar 2016, algorithm 1) with sweeps as the resource: all
    candidates are fitted by few sweeps, the best 1/eta of them again, from the start, by eta times
    as many, and so on up to the sweeps of `als`. So each figure of the last round is what
    that configuration gives when it is fitted as it stands.

    Parameters
    ----------
    events
        The events. With `validation` all are learned from.
    consent
        Asked as of `at` for the stages ingest and train (nobody else is learned from or measured
        on; events older than their purpose allows are not used), and for candidates (whoever denies
        that is not measured on).
    at
        The moment of the search. With `last_days`, weights decay against the moment of the split.
    validation
        What customers had later, where you split yourself.
    last_days
        Else: hold out the events of the last days before `at`, > 0, as the validation.
    exclude_seen, n
        With `last_days` only: whether what is new to a customer counts alone (required), and the
        length of the rankings (10).
    metric
        The mean of what is to be greatest.
    space
        Options to vary, of `ALS` and of the builder, and the values to try:
        `{"factors": [64, 128], "alpha": [1.0, 10.0], "half_life_days": [None, 90]}`.
    builder, als
        All other options; the sweeps of `als` are those of the last round. The builder's default
        counts events and takes the logarithm.
    n_candidates
        How many combinations to try at most, >= 1; drawn by `seed` where there are more.
    eta
        Which share goes on to the next round, and how much longer it is fitted there, >= 2.
    seed
        Which combinations are drawn.
    show_progress
        Whether to show a bar.

    Returns
    -------
    Tuned
        `tuned.builder` and `tuned.als` are the best configuration; `print(tuned)` shows the table.

    Raises
    ------
    InvalidArgumentError
        For an option that neither has, or without exactly one of `validation` and `last_days`.
    NoInteractionsError
        Where nobody permits it.

    Examples
    --------
    >>> import seg1
    >>> rng = np.random.default_rng(1)
    >>> day = 86_400 * 1_000_000
    >>> table = {"customer": rng.integers(0, 30, 900), "item": rng.integers(0, 20, 900),
    ...          "time": rng.integers(0, 100 * day, 900)}
    >>> tuned = seg1.recommend.tune(
    ...     seg1.Events.from_table(table), consent=seg1.ConsentNotNeeded("an example"),
    ...     at=100 * day, last_days=20, exclude_seen=False, als=seg1.ALS(factors=4),
    ...     space={"alpha": [1.0, 10.0], "half_life_days": [None, 30.0]})
    >>> len(tuned.trials), tuned.best.sweeps
    (5, 15)
    """
    als, builder = als or ALS(), builder or _COUNTS
    check_int(n_candidates, name="n_candidates", low=1)
    check_int(eta, name="eta", low=2)
    candidates = _candidates(space, builder, als, n_candidates=n_candidates, seed=seed)
    if not isinstance(events, Events):
        raise InvalidTypeError(f"events must be seg1.Events, got {type(events).__name__}")
    if (validation is None) == (last_days is None):
        raise InvalidArgumentError("pass either validation= or last_days=")
    at_us = to_us(at)
    permitted = _permitted(events, consent, at_us=at_us)
    if last_days is not None:
        split = _split(permitted, last_days, at_us=at_us, exclude_seen=exclude_seen, n=n)
    elif n is not None or exclude_seen is not None:
        raise InvalidArgumentError("n and exclude_seen stand in the validation; leave them out")
    else:
        split = _Split(permitted, at_us, validation)  # type: ignore[arg-type]  # given, as seen above
    bench = _Bench(split, consent, at_us, metric)
    trials: list[Trial] = []
    rounds = list(_rounds(len(candidates), als.iterations, eta))
    with tqdm(
        total=sum(n for n, _ in rounds), desc="tune", disable=not show_progress, leave=False
    ) as bar:
        for n_kept, sweeps in rounds:
            measured = []
            for trial_builder, trial_als in candidates[:n_kept]:
                measured.append(bench.measure(trial_builder, trial_als, sweeps=sweeps))
                bar.update()
            measured.sort(key=lambda trial: -trial.figure)  # stable: ties in the order drawn
            candidates = [(trial.builder, trial.als) for trial in measured]
            trials = measured + trials
    return Tuned(trials=tuple(trials), metric=metric, n=split.validation.n, names=tuple(space))


_ASKED: Final = ConsentNotNeeded("consent was asked as of the moment of the search")
_COUNTS: Final = InteractionMatrixBuilder(transform="count", compress="log1p")


def _candidates(
    space: Mapping[str, Sequence[Any]],
    builder: InteractionMatrixBuilder,
    als: ALS,
    *,
    n_candidates: int,
    seed: int,
) -> list[tuple[InteractionMatrixBuilder, ALS]]:
    """Draw combinations; those of a small space all, in their order."""
    for name, values in space.items():
        if name not in _OF_ALS + _OF_BUILDER or isinstance(values, str) or not len(values):
            raise InvalidArgumentError(
                f"space has {name!r}; it maps options to several values each: "
                + ", ".join(_OF_ALS + _OF_BUILDER)
            )
    combinations = list(itertools.product(*space.values()))
    if len(combinations) > n_candidates:
        rng = np.random.default_rng(seed)
        drawn = rng.choice(len(combinations), n_candidates, replace=False)
        combinations = [combinations[position] for position in sorted(drawn.tolist())]
    candidates = []
    for combination in combinations:
        chosen = dict(zip(space, combination, strict=True))
        of_als = {name: chosen[name] for name in chosen if name in _OF_ALS}
        of_builder = {name: chosen[name] for name in chosen if name in _OF_BUILDER}
        candidates.append((replace(builder, **of_builder), replace(als, **of_als)))
    return candidates


def _rounds(n_candidates: int, sweeps: int, eta: int) -> Iterator[tuple[int, int]]:
    """Plan the rounds: how many candidates, each fitted by how many sweeps."""
    n_rounds = 1
    while min(n_candidates, sweeps) >= eta**n_rounds:
        n_rounds += 1
    for position in range(n_rounds):
        yield (
            max(1, n_candidates // eta**position),
            -(-sweeps // eta ** (n_rounds - 1 - position)),
        )


class _Split(NamedTuple):
    """Events of those who permit it as of the search, and what they had later."""

    learned_from: Events
    as_of_us: int
    validation: Validation


def _permitted(events: Events, consent: ConsentDoor, *, at_us: int) -> Events:
    """Keep the events that may be trained on as of the search, whenever they were."""
    counted = InteractionMatrixBuilder(transform="count").build(events, consent=consent, at=at_us)
    codes = codes_in(counted.customers, events.customers)
    is_in = (codes[events.customer_index] >= 0) & (events.time_us <= at_us) & (events.value > 0)
    retention_us = consent.retention_us("ingest", "train")
    if retention_us is not None:
        is_in &= events.time_us >= at_us - retention_us
    return events.where(is_in)


def _split(
    permitted: Events, last_days: float, *, at_us: int, exclude_seen: bool | None, n: int | None
) -> _Split:
    if not isinstance(exclude_seen, bool):
        raise InvalidArgumentError(
            "with last_days= pass exclude_seen=True (only new items count) or False"
        )
    cut_us = at_us - int(check_number(last_days, name="last_days", above=0) * DAY_US)
    before, after = split_time(permitted, at=cut_us)
    relevant = relevant_items(after, new_to=before if exclude_seen else None)
    validation = Validation(relevant=relevant, exclude_seen=exclude_seen, n=10 if n is None else n)
    return _Split(before, cut_us, validation)


class _Bench:
    """Measures configurations on one split; a matrix is built once for each builder."""

    def __init__(self, split: _Split, consent: ConsentDoor, at_us: int, metric: Metric) -> None:
        self._split = split
        self._consent = consent
        self._at_us = at_us
        self._metric = metric
        self._matrices: dict[str, Interactions | None] = {}
        # The same customers for every configuration: all with a past, also where a builder of many
        # minimum counts leaves somebody out.
        events, relevant = split.learned_from, split.validation.relevant
        events.items.encode(itertools.chain.from_iterable(relevant.values()), unknown="ignore")
        codes = events.customers.encode(relevant, unknown="ignore")
        has_past = np.isin(codes, events.customer_index) & (codes >= 0)
        self._asked = [who for who, has in zip(relevant, has_past.tolist(), strict=True) if has]

    def measure(self, builder: InteractionMatrixBuilder, als: ALS, *, sweeps: int) -> Trial:
        interactions = self._matrix(builder)
        values = np.zeros(0)
        if interactions is not None:
            values = self._values(replace(als, iterations=sweeps).fit(interactions))
        return Trial(
            builder=builder,
            als=als,
            figure=float(values.mean()) if len(values) else 0.0,
            sweeps=sweeps,
            n_customers=len(values),
        )

    def _matrix(self, builder: InteractionMatrixBuilder) -> Interactions | None:
        """Build a matrix, or none where the builder leaves nothing."""
        key = repr(builder)
        if key not in self._matrices:
            try:
                built = builder.build(
                    self._split.learned_from, consent=_ASKED, at=self._split.as_of_us
                )
            except NoInteractionsError:
                built = None
            self._matrices[key] = built
        return self._matrices[key]

    def _values(self, model: ALSModel) -> Float64s:
        validation = self._split.validation
        rankings = model.recommend_many(
            self._asked,
            n=validation.n,
            exclude_seen=validation.exclude_seen,
            consent=self._consent,
            at=self._at_us,
        )
        relevant = {
            who: validation.relevant[who]
            for who, reason in zip(rankings.customers, rankings.reasons, strict=True)
            if not reason.startswith("consent: ")
        }
        return evaluate(rankings, relevant).values(self._metric)


def _option(trial: Trial, name: str) -> object:
    return getattr(trial.als if name in _OF_ALS else trial.builder, name)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
