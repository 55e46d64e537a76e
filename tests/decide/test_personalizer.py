"""The engine: exact probabilities, ids that repeat, and what it refuses at its door."""

import gc
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from small_engine import (
    ANYONE,
    CONTEXT,
    DAY,
    OFFERS,
    T0,
    HookedJournal,
    decide,
    decided_rows,
    engine_of,
    rows_of,
    selector_of,
    state_of,
)  # fmt: skip

from seg1 import Offer
from seg1._types import Bools, Float64s
from seg1.bandit import OfferSelector
from seg1.bandit.context import own_features
from seg1.decide import Budget, Decision, FrequencyCap, Personalizer
from seg1.decide.state import State
from seg1.errors import (
    DamagedError,
    InvalidArgumentError,
    InvalidTypeError,
    JournalError,
    UnknownIdError,
)
from seg1.journal import Decided, MemoryJournal, SqliteJournal


def eligible_of(row: Decided, n_arms: int) -> Bools:
    bits = np.frombuffer(row.eligible, np.uint8)
    return np.unpackbits(bits, count=n_arms).astype(np.bool_)


def vector_of(row: Decided, state: State, selector: OfferSelector) -> Float64s:
    """Rebuild the probabilities of a decision from its row and the state before it."""
    context, affinity = np.frombuffer(row.context), np.frombuffer(row.affinity)
    own = own_features(affinity, selector.arms)
    eligible = eligible_of(row, len(selector.arms))
    return selector.probabilities(state.posterior, context, own=own, eligible=eligible).p


def test_the_probability_is_the_entry_of_the_vector_that_was_drawn_from() -> None:
    selector = selector_of()
    engine = engine_of(selector=selector)
    for n in range(300):
        decision = decide(engine, n % 7, at=T0 + n * DAY // 10)
        if decision.offer is not None:
            engine.exposed(decision.id, at=decision.at_us)
            engine.outcome(decision.id, accepted=n % 3 == 0, at=decision.at_us)
    n_learned = engine.n_learned

    state = State(selector, catalogue=engine._deciding.version, n_features=7)
    for row in rows_of(engine):
        if isinstance(row, Decided):
            p = vector_of(row, state, selector)
            assert (float(p[row.arm]), state.n_rows) == (row.action_prob, row.state_seq)
            assert selector.draw(p, draw_id=row.decision_id) == row.arm
        state.fold(row)

    assert n_learned > 50


def assert_is_1(weights: Float64s) -> None:
    se = weights.std() / np.sqrt(len(weights))
    assert abs(weights.mean() - 1.0) < 3 * se
    assert se < 0.1


def test_the_mean_weight_of_any_fixed_policy_is_1() -> None:
    engine = engine_of()

    decisions = [decide(engine, n, key=f"visit-{n}") for n in range(2_500)]

    for target in ("tea", "cake", "wine", None):
        assert_is_1(np.array([(d.offer == target) / d.action_prob for d in decisions]))


def weights_of_first_left(decisions: list[Decision]) -> Float64s:
    """Weigh by a policy that takes the first offer of the catalogue that is not refused."""
    weights = []
    for d in decisions:
        refused = {i for ids in d.refused.values() for i in ids}
        target = next((offer.id for offer in OFFERS if offer.id not in refused), None)
        weights.append((d.offer == target) / d.action_prob)
    return np.array(weights)


def test_the_mean_weight_is_1_while_stock_runs_out_under_8_threads() -> None:
    stocks = {"tea": 250, "cake": 400, "wine": 150}
    offers = [Offer(offer_id, stock=stock) for offer_id, stock in stocks.items()]
    engine = engine_of(offers)

    def visit(n: int) -> Decision:
        return decide(engine, n, at=T0 + n, key=f"visit-{n}")

    with ThreadPoolExecutor(8) as pool:
        decisions = list(pool.map(visit, range(2_500)))

    shown = Counter(d.offer for d in decisions)
    assert shown["tea"] == 250
    assert shown["wine"] == 150
    assert_is_1(weights_of_first_left(decisions))


def test_the_mean_weight_is_1_under_a_budget_and_a_cap() -> None:
    engine = engine_of(filters=[Budget(300.0), FrequencyCap(3, days=7)])

    decisions = [
        decide(engine, n % 400, at=T0 + n * DAY // 200, key=f"visit-{n}") for n in range(2_500)
    ]

    told = {name for d in decisions for name in d.refused}
    assert told == {"budget", "at most 3 in 7 days"}
    choosing = [d for d in decisions if d.mode == "personalised"]
    assert_is_1(weights_of_first_left(choosing))


def test_the_same_id_gives_the_same_stored_decision() -> None:
    engine = engine_of()
    first = decide(engine, 1, key="visit-1")
    n_rows = len(rows_of(engine))

    again = engine.decide(1, placement="till", context={"hour": 23}, at=T0 + DAY, id="visit-1")

    for name in ("id", "mode", "offer", "price", "slot", "action_prob", "placement", "at_us"):
        assert getattr(again, name) == getattr(first, name)
    assert again.reasons == ("decided before under this id",)
    assert again.released_seq > first.released_seq
    assert len(rows_of(engine)) == n_rows


def test_an_id_stands_for_one_customer() -> None:
    engine = engine_of()
    decide(engine, 1, key="visit-1")

    for customer in (2, "1"):
        with pytest.raises(InvalidArgumentError, match="decision of another customer") as caught:
            decide(engine, customer, key="visit-1")
        assert "visit" not in str(caught.value)
    assert len(decided_rows(engine)) == 1


@pytest.mark.parametrize("trial", range(5))
def test_many_threads_with_one_id_decide_once(trial: int) -> None:
    engine = engine_of([Offer("tea", stock=5)])
    meet = Barrier(8)

    def visit(_: int) -> Decision:
        meet.wait()
        return decide(engine, 1, key=f"visit-{trial}")

    with ThreadPoolExecutor(8) as pool:
        decisions = list(pool.map(visit, range(8)))

    (row,) = decided_rows(engine)
    assert {(d.offer, d.action_prob) for d in decisions} == {(row.offer, row.action_prob)}
    assert sum(state_of(engine).counters.held) == (row.offer is not None)


def test_one_id_that_two_customers_use_at_once_is_decided_for_one() -> None:
    """The second call comes when the first has looked the id up and not yet written."""
    engine = engine_of()
    inner = engine._deciding._core.journal
    assert isinstance(inner, MemoryJournal)
    waiting = [2]

    class Late(HookedJournal):
        def find(self, decision_id: str) -> Decided | None:
            found = super().find(decision_id)
            if waiting:
                decide(engine, waiting.pop(), key=decision_id)
            return found

    engine._core.journal = Late(inner, lambda _: None)

    with pytest.raises(InvalidArgumentError, match="decision of another customer"):
        decide(engine, 1, key="visit-1")

    assert [row.customer for row in decided_rows(engine)] == [2]


def test_an_id_that_is_not_given_is_one_that_no_other_decision_has() -> None:
    engine = engine_of()

    ids = [decide(engine).id for _ in range(50)]

    assert len(set(ids)) == 50
    assert all(i.startswith(f"{engine.journal.journal_id}-") for i in ids)


def test_a_decision_says_what_it_was_made_with() -> None:
    engine = engine_of()

    decision = engine.decide(7, placement="app", at=datetime(2023, 11, 14, tzinfo=UTC))

    assert decision.at_us == 1_699_920_000 * 1_000_000
    assert (decision.customer, decision.placement, decision.state_seq) == (7, "app", 1)
    assert decision.versions.policy == selector_of().version
    assert (decision.versions.model, len(decision.versions.catalogue)) == ("", 16)
    assert decision.reasons == ("drawn from the probabilities of the eligible arms",)
    assert "7" not in repr(decision).split("offer")[0]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"placement": ""}, InvalidArgumentError),
        ({"placement": 3}, InvalidTypeError),
        ({"placement": "\ud800"}, InvalidArgumentError),
        ({"id": 7}, InvalidTypeError),
        ({"id": ""}, InvalidArgumentError),
        ({"id": "x" * 300}, InvalidArgumentError),
        ({"context": [1]}, InvalidTypeError),
        ({"context": {"mood": 1}}, InvalidArgumentError),
        ({"context": {"hour": "nine"}}, InvalidTypeError),
        ({"at": datetime(2023, 1, 1)}, InvalidArgumentError),  # noqa: DTZ001  # that is what is tested
        ({"at": 1.0}, InvalidTypeError),
        ({"customer": 1.5}, InvalidTypeError),
        ({"customer": ""}, InvalidArgumentError),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_written(
    arguments: dict[str, object], error: type[Exception]
) -> None:
    engine = engine_of()
    given = {"customer": 1, "placement": "app", "context": CONTEXT, "at": T0, **arguments}

    with pytest.raises(error):
        engine.decide(given.pop("customer"), **given)  # type: ignore[arg-type]  # wrong on purpose

    assert decided_rows(engine) == []
    assert decide(engine).logged


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({}, "exactly one"),
        ({"accepted": True, "reward": 1.0}, "exactly one"),
        ({"accepted": 1}, "accepted must be a bool, got int"),
        ({"reward": "1"}, "reward must be a finite number"),
        ({"reward": ""}, "reward must be a finite number"),
        ({"reward": False}, "reward must be a finite number"),
        ({"reward": float("nan")}, "reward must be a finite number"),
        ({"reward": -1e200}, "reward must be a finite number"),
        ({"reward": 1e200}, r"reward must be at most 1e\+30"),
    ],
)
def test_an_answer_that_is_none_is_refused_and_nothing_is_written(
    answer: dict[str, object], message: str
) -> None:
    engine = engine_of()
    decision = decide(engine)
    n_rows = len(rows_of(engine))

    with pytest.raises((InvalidArgumentError, InvalidTypeError), match=message):
        engine.outcome(decision.id, at=T0, **answer)  # type: ignore[arg-type]  # wrong on purpose

    assert len(rows_of(engine)) == n_rows


def test_an_unknown_id_is_counted_and_refused_without_showing_it() -> None:
    engine = engine_of()

    for call in (
        lambda: engine.exposed("canary", at=T0),
        lambda: engine.outcome("canary", accepted=True, at=T0),
    ):
        with pytest.raises(UnknownIdError, match="no logged decision has this id") as caught:
            call()
        assert "canary" not in str(caught.value)

    assert engine.n_refused == 2
    assert len(rows_of(engine)) == 1


def test_what_is_no_part_of_an_engine_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"

    for wrong, message in (
        ({"selector": "x"}, "selector must be an OfferSelector, got str"),
        ({"consent": None}, "consent must be a Consent"),
        ({"recommender": 3}, "recommender must be an ALSModel, got int"),
        ({"filters": [3]}, "filters must be FrequencyCap"),
    ):
        parts: dict[str, object] = {"selector": selector_of(), "consent": ANYONE, **wrong}
        with pytest.raises(InvalidTypeError, match=message):
            Personalizer(parts.pop("selector"), journal=path, **parts)  # type: ignore[arg-type]  # wrong on purpose

    assert not path.exists()


def test_a_file_that_cannot_be_folded_is_closed_again(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "shop.sqlite")
    journal._connection.execute("insert into journal (kind, at_us) values ('dreamt', 0)")
    journal.close()

    with pytest.raises(DamagedError, match="kind that is not known"):
        engine_of(journal=tmp_path / "shop.sqlite")
    gc.collect()  # a connection left open would warn here, and warnings are errors


def test_what_the_selector_learned_alone_is_not_taken_over_and_a_warning_says_so() -> None:
    selector = selector_of()
    choice = selector.choose(CONTEXT, id="visit-1", at=T0)
    while choice.offer is None:
        choice = selector.choose(CONTEXT, id=f"{choice.id}+", at=T0)
    selector.learn(choice, accepted=True, at=T0)

    with pytest.warns(UserWarning, match="has learned 1 answers on its own") as caught:
        engine = engine_of(selector=selector)

    assert engine.n_learned == 0
    assert len(caught) == 1


def test_a_journal_that_fails_leaves_the_state_as_it_was() -> None:
    class Full(MemoryJournal):
        is_full = False

        def append(self, row: object) -> int:
            if self.is_full:
                raise JournalError("cannot write the journal: disk full")
            return super().append(row)  # type: ignore[arg-type]  # as it was given

    journal = Full()
    engine = engine_of(journal=journal)
    journal.is_full = True

    with pytest.raises(JournalError, match="disk full"):
        decide(engine)

    journal.is_full = False
    assert sum(state_of(engine).counters.held) == 0
    assert decide(engine).state_seq == 1


def test_a_closed_engine_refuses(tmp_path: Path) -> None:
    with engine_of(journal=tmp_path / "shop.sqlite") as engine:
        decide(engine)
        assert repr(engine) == "Personalizer(4 arms, 2 rows)"

    with pytest.raises(JournalError):
        decide(engine)
