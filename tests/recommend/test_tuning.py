"""`tune`: each figure is what its configuration gives; the rounds halve; nobody denied is used."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import small_shop
from small_shop import ANYONE

from seg1 import ALS, Consent, ConsentLedger, ConsentNotNeeded, Events, InteractionMatrixBuilder
from seg1.errors import InvalidArgumentError, InvalidTypeError, WrongIdTypeError
from seg1.interactions import split_time
from seg1.recommend import Trial, Validation, tune
from seg1.recommend.fitting import tuning
from seg1.recommend.metrics import evaluate, relevant_items

DAY = 86_400 * 1_000_000
NOW, CUT = 100 * DAY, 80 * DAY
COUNTS = InteractionMatrixBuilder(transform="count", compress="log1p")
SPACE: dict[str, list[Any]] = {
    "alpha": [1.0, 10.0, 40.0],
    "half_life_days": [None, 20.0],
    "factors": [2, 4],
}


def events_of(seed: int, *, n: int = 900) -> Events:
    """Two groups of customers with items of their own, over 100 days."""
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, 40, n)
    item = (rng.random(n) ** 2 * 15).astype(int) + 10 * (customer % 2)
    return Events.from_table({"customer": customer, "item": item, "time": rng.integers(0, NOW, n)})


EVENTS = events_of(1)


def figure_of(trial: Trial, *, exclude_seen: bool, events: Events = EVENTS) -> float:
    before, after = split_time(events, at=CUT)
    relevant = relevant_items(after, new_to=before if exclude_seen else None)
    interactions = trial.builder.build(before, consent=ANYONE, at=CUT)
    config = ALS(
        factors=trial.als.factors, alpha=trial.als.alpha, iterations=trial.sweeps,
        seed=trial.als.seed,
    )  # fmt: skip
    rankings = config.fit(interactions).recommend_many(
        list(relevant), n=5, exclude_seen=exclude_seen, consent=ANYONE, at=NOW
    )
    return float(evaluate(rankings, relevant).recall.mean())


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_each_figure_is_what_the_configuration_gives_on_the_split(*, exclude_seen: bool) -> None:
    tuned = tune(
        EVENTS, consent=ANYONE, at=NOW, last_days=20, exclude_seen=exclude_seen, n=5,
        metric="recall", space=SPACE, als=ALS(iterations=4, seed=5),
    )  # fmt: skip

    for trial in tuned.trials:
        assert trial.figure == pytest.approx(figure_of(trial, exclude_seen=exclude_seen))
    last = [trial for trial in tuned.trials if trial.sweeps == 4]
    assert tuned.best.figure == max(trial.figure for trial in last)
    assert (tuned.als, tuned.builder) == (tuned.best.als, tuned.best.builder)
    assert tuned.als.iterations == 4


def test_a_third_goes_on_to_the_next_round_fitted_three_times_as_long() -> None:
    tuned = tune(
        EVENTS, consent=ANYONE, at=NOW, last_days=20, exclude_seen=False, space=SPACE,
        als=ALS(iterations=9),
    )  # fmt: skip

    by_round = {sweeps: [t for t in tuned.trials if t.sweeps == sweeps] for sweeps in (1, 3, 9)}
    assert [len(trials) for trials in by_round.values()] == [12, 4, 1]
    for earlier, later in pairwise(by_round.values()):
        best = sorted(earlier, key=lambda t: -t.figure)[: len(later)]
        assert {(t.als, repr(t.builder)) for t in best} == {(t.als, repr(t.builder)) for t in later}


@pytest.mark.parametrize(
    ("n", "sweeps", "eta", "plan"),
    [
        (36, 15, 3, [(36, 2), (12, 5), (4, 15)]),
        (1, 15, 3, [(1, 15)]),
        (8, 1, 2, [(8, 1)]),
        (8, 8, 2, [(8, 1), (4, 2), (2, 4), (1, 8)]),
        (9, 9, 3, [(9, 1), (3, 3), (1, 9)]),
        (27, 243, 3, [(27, 9), (9, 27), (3, 81), (1, 243)]),
        (243, 243, 3, [(243, 1), (81, 3), (27, 9), (9, 27), (3, 81), (1, 243)]),
        (125, 125, 5, [(125, 1), (25, 5), (5, 25), (1, 125)]),
    ],
)
def test_the_rounds_are_those_of_successive_halving(
    n: int, sweeps: int, eta: int, plan: list[tuple[int, int]]
) -> None:
    assert list(tuning._rounds(n, sweeps, eta)) == plan


def test_a_large_space_is_drawn_from_by_the_seed() -> None:
    options: dict[str, Any] = {
        "consent": ANYONE, "at": NOW, "last_days": 20, "exclude_seen": False,
        "als": ALS(factors=2, iterations=1), "n_candidates": 3,
        "space": {"alpha": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]},
    }  # fmt: skip

    drawn = [{t.als.alpha for t in tune(EVENTS, seed=seed, **options).trials} for seed in (1, 1, 2)]

    assert [len(alphas) for alphas in drawn] == [3, 3, 3]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_given_validation_is_measured_on_and_all_events_are_learned_from() -> None:
    before, after = split_time(EVENTS, at=CUT)
    validation = Validation(relevant=relevant_items(after), exclude_seen=False, n=5)
    options: dict[str, Any] = {
        "consent": ANYONE, "space": {"alpha": [1.0, 10.0]}, "als": ALS(factors=2, iterations=2)
    }  # fmt: skip

    given = tune(before, at=CUT, validation=validation, **options)
    temporal = tune(EVENTS, at=NOW, last_days=20, exclude_seen=False, n=5, **options)

    assert [t.figure for t in given.trials] == [t.figure for t in temporal.trials]
    assert given.n == 5


class Permitted:
    """A filter by parity: even customers permit it."""

    name = "even"

    def check(self, customers: Any, ask: Any) -> Any:  # noqa: ANN401, ARG002  # the contract's
        return np.array([1 if who % 2 == 0 else -1 for who in customers.ids()], dtype=np.int8)


def test_whoever_denies_training_moves_no_figure() -> None:
    consent = Consent({("p", stage): Permitted() for stage in ("ingest", "train", "candidates")})
    even = EVENTS.where(np.array([EVENTS.customers.ids[c] % 2 == 0 for c in EVENTS.customer_index]))
    options: dict[str, Any] = {
        "at": NOW, "last_days": 20, "exclude_seen": True, "space": SPACE,
        "als": ALS(iterations=3),
    }  # fmt: skip

    masked = tune(EVENTS, consent=consent, **options)
    without = tune(even, consent=ANYONE, **options)

    assert [t.figure for t in masked.trials] == [t.figure for t in without.trials]
    assert masked.best.n_customers == without.best.n_customers <= 20


def test_whoever_denies_candidates_is_learned_from_but_not_measured_on() -> None:
    anyone = ConsentNotNeeded("made up")
    consent = Consent(
        {
            ("p", "ingest"): all_allow(),
            ("p", "train"): all_allow(),
            ("q", "candidates"): Permitted(),
        }
    )
    options: dict[str, Any] = {
        "at": NOW, "last_days": 20, "exclude_seen": False, "space": {"alpha": [1.0]},
        "als": ALS(factors=2, iterations=2),
    }  # fmt: skip

    some, everybody = (tune(EVENTS, consent=c, **options).best for c in (consent, anyone))

    assert some.n_customers < everybody.n_customers


def all_allow() -> Any:  # noqa: ANN401  # a filter
    class Everybody:
        name = "everybody"

        def check(self, customers: Any, ask: Any) -> Any:  # noqa: ANN401, ARG002  # the contract's
            return np.ones(len(customers.codes), dtype=np.int8)

    return Everybody()


def test_the_table_shows_what_was_varied_and_what_came_of_it() -> None:
    tuned = tune(
        EVENTS, consent=ANYONE, at=NOW, last_days=20, exclude_seen=False, n=5,
        space={"alpha": [1.0, 10.0], "half_life_days": [None]}, als=ALS(factors=2, iterations=1),
    )  # fmt: skip

    head, *lines = str(tuned).splitlines()

    assert head.split() == ["alpha", "half_life_days", "sweeps", "ndcg@5"]
    assert len(lines) == len(tuned.rows()) == 2
    assert tuned.rows()[0] == {
        "alpha": tuned.als.alpha, "half_life_days": None, "sweeps": 1, "ndcg": tuned.best.figure,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "either validation= or last_days="),
        ({"last_days": 5, "validation": Validation(relevant={}, exclude_seen=True)}, "either"),
        ({"last_days": 5}, "pass exclude_seen="),
        ({"last_days": 0, "exclude_seen": True}, "last_days must be a finite number > 0"),
        ({"last_days": 5, "exclude_seen": True, "space": {"alfa": [1.0]}}, "space has 'alfa'"),
        ({"last_days": 5, "exclude_seen": True, "space": {"alpha": []}}, "space has 'alpha'"),
        ({"last_days": 5, "exclude_seen": True, "space": {"transform": "count"}}, "several values"),
        ({"last_days": 5, "exclude_seen": True, "eta": 1}, "eta must be an int >= 2"),
        ({"last_days": 5, "exclude_seen": True, "n_candidates": 0}, "n_candidates must be"),
        ({"last_days": 5, "exclude_seen": True, "metric": "auc"}, "metric must be one of ndcg"),
        ({"last_days": 5, "exclude_seen": True, "space": {"alpha": [-1.0]}}, "alpha must be"),
    ],
)
def test_a_search_says_what_it_lacks(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        tune(EVENTS, consent=ANYONE, at=NOW, **options)


def test_a_search_takes_events() -> None:
    with pytest.raises(InvalidTypeError, match="events must be"):
        tune(small_shop.random_interactions(1), consent=ANYONE, at=0)  # type: ignore[arg-type]  # that is the test


def granting(since: dict[int, int], **options: Any) -> Consent:  # noqa: ANN401  # of for_purposes
    """Consent by a ledger: customer to the day of the grant."""
    ledger = ConsentLedger()
    for who, day in since.items():
        ledger.grant(who, ["p"], at=day * DAY, until=900 * DAY)
    return Consent.for_purposes(ledger, train="p", decide="p", measure="p", **options)


def test_consent_is_asked_as_of_the_search_and_not_as_of_the_split() -> None:
    late = granting(dict.fromkeys(range(40), 90))

    tuned = tune(
        EVENTS, consent=late, at=NOW, last_days=20, exclude_seen=False, space={"alpha": [1.0]},
        als=ALS(factors=2, iterations=1),
    )  # fmt: skip

    everybody = tune(
        EVENTS, consent=ANYONE, at=NOW, last_days=20, exclude_seen=False, space={"alpha": [1.0]},
        als=ALS(factors=2, iterations=1),
    )  # fmt: skip
    assert tuned.best == everybody.best


def test_events_older_than_their_purpose_allows_as_of_the_search_are_not_used() -> None:
    short = granting(dict.fromkeys(range(40), 0), retention_days={"p": 30})
    young = EVENTS.where(EVENTS.time_us >= NOW - 30 * DAY)
    options: dict[str, Any] = {
        "at": NOW, "last_days": 20, "exclude_seen": False, "space": {"alpha": [1.0, 9.0]},
        "als": ALS(factors=2, iterations=2),
    }  # fmt: skip

    kept = tune(EVENTS, consent=short, **options)
    cut = tune(young, consent=ANYONE, **options)

    assert [t.figure for t in kept.trials] == [t.figure for t in cut.trials]


def test_every_configuration_is_measured_on_the_same_customers() -> None:
    tuned = tune(
        EVENTS, consent=ANYONE, at=NOW, last_days=20, exclude_seen=False,
        space={"min_items_per_customer": [1, 9, 10**6]}, als=ALS(factors=2, iterations=1),
    )  # fmt: skip

    by_least = {t.builder.min_items_per_customer: t for t in tuned.trials}
    assert by_least[1].n_customers == by_least[9].n_customers > 30
    assert by_least[9].figure < by_least[1].figure
    assert by_least[10**6].figure == 0.0  # it leaves nothing to rank by


def test_a_validation_brings_its_own_length_and_kind_of_ids() -> None:
    options: dict[str, Any] = {"consent": ANYONE, "at": NOW, "als": ALS(factors=2, iterations=1)}
    known = Validation(relevant={1: {3}}, exclude_seen=False)

    for extra in ({"n": 5}, {"exclude_seen": False}):
        with pytest.raises(InvalidArgumentError, match="stand in the validation"):
            tune(EVENTS, validation=known, **extra, **options)
    wrong_kinds: list[dict[Any, set[Any]]] = [{"1": {3}}, {1: {"3"}}]
    for wrong in wrong_kinds:
        with pytest.raises(WrongIdTypeError):
            tune(EVENTS, validation=Validation(relevant=wrong, exclude_seen=False), **options)
