"""Stock, budgets and caps: reserved, confirmed, released, and never oversold."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_engine import DAY, T0, decide, engine_of, selector_of, state_of, without
from small_engine import ledger_of as ledger_of_all

from seg1 import Offer
from seg1.decide import Budget, Decision, FrequencyCap, Personalizer
from seg1.decide.counters import Counters
from seg1.errors import InvalidArgumentError
from seg1.journal import MemoryJournal
from seg1.offers import Placement

TEA = Offer("tea", stock=1, cost=2.0)
LATER = T0 + 8 * DAY


def only(offer: Offer = TEA, *, filters: tuple[Budget | FrequencyCap, ...] = ()) -> Personalizer:
    """An engine that shows this offer wherever it may."""
    return engine_of(selector=selector_of([offer], no_offer=False), filters=filters)


def let_time_pass(engine: Personalizer, at: int = LATER) -> None:
    engine.observe(99, item="milk", at=at)


def held(engine: Personalizer) -> tuple[int, ...]:
    return state_of(engine).counters.held


def test_a_decision_reserves_what_its_acceptance_would_use_up() -> None:
    engine = only()

    first, second = decide(engine, 1), decide(engine, 2)

    assert (first.offer, second.offer) == ("tea", None)
    assert second.refused == {"stock": ("tea",)}
    assert (held(engine), state_of(engine).counters.spent) == ((1,), 2.0)


def test_a_window_that_closes_without_an_answer_releases() -> None:
    engine = only()
    decide(engine, 1)

    let_time_pass(engine)

    assert held(engine) == (0,)
    assert decide(engine, 2, at=LATER).offer == "tea"


def test_an_acceptance_is_used_up_for_good() -> None:
    engine = only()
    decision = decide(engine, 1)
    engine.exposed(decision.id, at=T0)
    engine.outcome(decision.id, accepted=True, at=T0 + 1)

    let_time_pass(engine)

    assert (held(engine), state_of(engine).counters.spent) == ((1,), 2.0)
    assert decide(engine, 2, at=LATER).offer is None


def test_a_refusal_keeps_its_unit_until_the_window_closes() -> None:
    engine = only()
    decision = decide(engine, 1)

    engine.outcome(decision.id, accepted=False, at=T0 + 1)
    during = held(engine)
    let_time_pass(engine)

    assert (during, held(engine)) == ((1,), (0,))


@pytest.mark.parametrize(("first", "n_held"), [(True, 0), (False, 1)])
def test_a_corrected_acceptance_moves_the_stock(*, first: bool, n_held: int) -> None:
    engine = only()
    decision = decide(engine, 1)
    engine.outcome(decision.id, accepted=first, at=T0 + 1)
    let_time_pass(engine)

    engine.outcome(decision.id, accepted=not first, at=T0 + 2, correct=True)

    assert held(engine) == (n_held,)


def test_an_acceptance_that_is_reported_late_uses_up_its_unit() -> None:
    engine = only()
    decision = decide(engine, 1)
    let_time_pass(engine)

    engine.outcome(decision.id, accepted=True, at=T0 + 1)

    assert held(engine) == (1,)
    assert decide(engine, 2, at=LATER).offer is None


def test_no_offer_and_control_reserve_nothing() -> None:
    engine = engine_of()

    decisions = [decide(engine, n) for n in range(60)]

    n_shown = sum(d.offer is not None for d in decisions)
    assert 0 < n_shown < 60
    assert sum(held(engine)) == n_shown


def test_what_cannot_be_answered_stays_used_up() -> None:
    consent = without("log", ledger_of_all(1))
    engine = engine_of(consent=consent, selector=selector_of([TEA], no_offer=False))

    decision = decide(engine, 1)
    decide(engine, 1, at=LATER)

    assert (decision.offer, decision.logged) == ("tea", False)
    assert held(engine) == (1,)


@pytest.mark.parametrize("n_threads", [16])
def test_stock_is_never_oversold_by_many_threads(n_threads: int) -> None:
    offers = [Offer("tea", stock=40), Offer("cake", stock=25)]
    engine = engine_of(selector=selector_of(offers, no_offer=False))

    def visit(n: int) -> Decision:
        return decide(engine, n, at=T0 + n)

    with ThreadPoolExecutor(n_threads) as pool:
        decisions = list(pool.map(visit, range(400)))

    assert Counter(d.offer for d in decisions) == {"tea": 40, "cake": 25, None: 335}
    assert held(engine) == (40, 25)


def test_a_budget_is_never_overspent_by_many_threads() -> None:
    offers = [Offer("tea", cost=0.1), Offer("cake", cost=0.7)]
    engine = engine_of(selector=selector_of(offers, no_offer=False), filters=[Budget(9.0)])

    def visit(n: int) -> Decision:
        return decide(engine, n, at=T0 + n)

    with ThreadPoolExecutor(16) as pool:
        decisions = list(pool.map(visit, range(300)))

    shown = Counter(d.offer for d in decisions)
    cost = 0.1 * shown["tea"] + 0.7 * shown["cake"]
    assert cost == pytest.approx(9.0, abs=0.1)
    assert cost <= 9.0 + 1e-9


def test_a_budget_that_costs_fill_exactly_is_spent_to_the_end() -> None:
    engine = only(Offer("tea", cost=0.1), filters=(Budget(0.3),))

    shown = [decide(engine, n).offer for n in range(4)]

    assert shown == ["tea", "tea", "tea", None]


def test_what_costs_nothing_needs_no_budget() -> None:
    offers = [Offer("free"), Offer("dear", cost=5.0)]
    counters = Counters(tuple(offers))
    counters._held[1] = 2  # a late acceptance may overspend

    within = counters.within(Budget(6.0))
    assert within is not None
    assert within.tolist() == [True, False]


def test_calls_out_of_order_do_not_slip_through_a_cap() -> None:
    engine = only(Offer("tea"), filters=(FrequencyCap(1, days=7),))
    decide(engine, 1, at=T0 + 10)

    earlier = decide(engine, 1, at=T0)

    assert (earlier.offer, earlier.mode) == (None, "none")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 3), st.integers(1, 10))
def test_no_span_of_days_holds_more_contacts_than_its_cap(
    days: list[int], n_contacts: int, n_days: int
) -> None:
    engine = only(Offer("tea"), filters=(FrequencyCap(n_contacts, days=n_days),))

    decisions = [decide(engine, 1, at=T0 + day * DAY) for day in days]

    shown = [d.at_us for d in decisions if d.offer is not None]
    assert shown
    for end in shown:
        assert sum(end - n_days * DAY < at <= end for at in shown) <= n_contacts


def test_contacts_are_remembered_as_far_as_caps_need_them() -> None:
    engine = only(Offer("tea"), filters=(FrequencyCap(2, days=0.001),))
    for n in range(100):
        decide(engine, 1, at=T0 + n * DAY)

    contacts = state_of(engine).counters._contacts[1]

    assert len(contacts) == 2 + 16
    assert contacts[-1] == T0 + 99 * DAY
    assert state_of(only(Offer("tea"))).counters._contacts == {}


def test_a_placement_without_confirmation_settles_alike() -> None:
    engine = engine_of(
        selector=selector_of([TEA], no_offer=False),
        placements=[Placement("app", confirm=False, exposure_hours=1, outcome_days=1)],
    )
    decide(engine, 1)

    let_time_pass(engine, at=T0 + DAY + 1)

    assert (held(engine), engine.n_learned) == ((0,), 1)


def test_an_offer_of_an_earlier_catalogue_counts_nowhere() -> None:
    journal = MemoryJournal()
    engine = engine_of(selector=selector_of([TEA], no_offer=False), journal=journal)
    decide(engine, 1)

    later = engine_of(selector=selector_of([Offer("cake", stock=5)]), journal=journal)

    assert held(later) == (0,)
    assert later.n_learned == 0


@pytest.mark.parametrize("contacts", [0, -1, 1.5, True])
def test_a_cap_of_no_contacts_is_refused(contacts: int) -> None:
    with pytest.raises(InvalidArgumentError, match="contacts must be an int >= 1"):
        FrequencyCap(contacts, days=7)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_days_and_amounts_are_finite_and_above_0(value: float) -> None:
    with pytest.raises(InvalidArgumentError, match="days must be a finite number > 0"):
        FrequencyCap(1, days=value)
    with pytest.raises(InvalidArgumentError, match="days must be at most"):
        FrequencyCap(1, days=1e300)
    with pytest.raises(InvalidArgumentError, match="amount must be a finite number > 0"):
        Budget(value)
