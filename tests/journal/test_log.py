"""The log: decisions whose window has closed, of customers who permit measuring."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import seg1
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.journal import DecisionLog, Exposed, MemoryJournal, Withheld

DAY_US = 86_400 * 1_000_000
NOW_US = 1_770_000_000 * 1_000_000
LATER_US = NOW_US + 30 * DAY_US
OFFERS = [seg1.Offer("tea", cost=0.2, prices=[1.0, 0.8]), seg1.Offer("milk", worth=0.5)]


def ledger() -> seg1.ConsentLedger:
    kept = seg1.ConsentLedger()
    for customer in range(30):
        kept.grant(customer, ["a", "b", "c"], at=0, until=LATER_US + DAY_US)
    return kept


def consent_over(kept: seg1.ConsentLedger) -> seg1.Consent:
    return seg1.Consent.for_purposes(kept, train="a", decide="b", measure="c")


def engine_on(
    journal: MemoryJournal, kept: seg1.ConsentLedger, *, goal: seg1.Goal | None = None
) -> seg1.Personalizer:
    selector = seg1.OfferSelector(
        OFFERS,
        context=seg1.ContextSchema(categorical={"channel": ["app", "till"]}),
        goal=goal or seg1.Goal.margin(contact_cost=0.02),
        seed=3,
    )
    return seg1.Personalizer(
        selector,
        consent=consent_over(kept),
        journal=journal,
        holdout=seg1.Holdout(0.3, key=b"sixteen bytes at least"),
    )


def contact_all(engine: seg1.Personalizer) -> dict[str, Any]:
    decided = {}
    for customer in range(30):
        channel = "app" if customer % 2 else "web"
        d = engine.decide(customer, placement="home", context={"channel": channel}, at=NOW_US)
        decided[d.id] = d
        if d.offer is not None and customer % 3 == 0:
            engine.exposed(d.id, at=NOW_US)
            engine.outcome(d.id, accepted=True, at=NOW_US + 1)
    return decided


def test_rewards_are_what_the_goal_says() -> None:
    journal, kept = MemoryJournal(), ledger()
    engine = engine_on(journal, kept)
    decided = list(contact_all(engine).values())

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert len(log) == 30
    for reward, d in zip(log.reward, decided, strict=True):
        worth = {"tea": (d.price or 0) - 0.2, "milk": 0.5, None: 0.0}[d.offer]
        accepted = d.offer is not None and d.customer % 3 == 0
        assert reward == pytest.approx(accepted * worth - 0.02 * (d.offer is not None))


def test_a_withheld_row_of_no_decision_changes_nothing() -> None:
    journal, kept = MemoryJournal(), ledger()
    contact_all(engine_on(journal, kept))
    journal.append(Withheld(decision_id="nobody's", at_us=NOW_US))

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert (len(log), log.excluded) == (30, {})


def test_columns_are_what_was_decided() -> None:
    journal, kept = MemoryJournal(), ledger()
    decided = list(contact_all(engine_on(journal, kept)).values())

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert [log.states.arms.arms[arm].offer for arm in log.arm] == [d.offer for d in decided]
    assert log.action_prob.tolist() == [d.action_prob for d in decided]
    assert log.is_control.tolist() == [d.mode == "control" for d in decided]
    assert set(log.holdout_prob.tolist()) == {0.3}
    assert log.labels["channel"] == tuple("app" if n % 2 else "other" for n in range(30))
    assert log.labels["placement"] == ("home",) * 30
    assert log.customers.decode(log.customer_index) == list(range(30))


def test_open_windows_are_left_out_and_counted() -> None:
    journal, kept = MemoryJournal(), ledger()
    contact_all(engine_on(journal, kept))

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=NOW_US + 7 * DAY_US)

    assert (len(log), dict(log.excluded)) == (0, {"window open": 30})


def test_who_withdraws_measuring_is_left_out_from_then_on() -> None:
    journal, kept = MemoryJournal(), ledger()
    contact_all(engine_on(journal, kept))

    kept.withdraw(5, ["c"], at=NOW_US + DAY_US)
    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert 5 not in log.customers
    assert dict(log.excluded) == {"consent: measure": 1}


def test_the_fallback_is_in_no_log() -> None:
    journal, kept = MemoryJournal(), ledger()
    engine = engine_on(journal, kept)
    engine.decide(999, placement="home", at=NOW_US)

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert (len(log), dict(log.excluded)) == (0, {})


def test_decisions_under_another_kind_of_goal_are_left_out() -> None:
    journal, kept = MemoryJournal(), ledger()
    contact_all(engine_on(journal, kept))
    engine_on(journal, kept, goal=seg1.Goal.incremental(reward_cap=5.0, window_days=7))

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert (len(log), dict(log.excluded)) == (0, {"another catalogue": 30})


def test_decisions_of_the_same_arms_stay_and_count_what_they_are_worth_now() -> None:
    journal, kept = MemoryJournal(), ledger()
    decided = list(contact_all(engine_on(journal, kept)).values())
    engine_on(journal, kept, goal=seg1.Goal.response(contact_cost=0.5))

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert (len(log), dict(log.excluded)) == (30, {})
    assert log.action_prob.tolist() == [d.action_prob for d in decided]
    for reward, d in zip(log.reward, decided, strict=True):
        is_offer = d.offer is not None
        assert reward == (is_offer and d.customer % 3 == 0) - 0.5 * is_offer


def test_a_log_can_begin_at_a_moment() -> None:
    journal, kept = MemoryJournal(), ledger()
    engine, since = engine_on(journal, kept), NOW_US + DAY_US
    contact_all(engine)
    for customer in range(5):
        engine.decide(customer, placement="home", at=since + customer)

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US, since=since)

    assert log.states.at_us.tolist() == [since + n for n in range(5)]
    assert dict(log.excluded) == {"before since": 30}


def test_a_reward_goal_logs_the_capped_reward() -> None:
    journal, kept = MemoryJournal(), ledger()
    engine = engine_on(journal, kept, goal=seg1.Goal.incremental(reward_cap=5.0, window_days=7))
    d = engine.decide(1, placement="home", at=NOW_US)
    engine.outcome(d.id, reward=80.0, at=NOW_US)

    log = DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)

    assert log.reward.tolist() == [5.0]


def test_a_journal_without_an_engine_says_so() -> None:
    journal = MemoryJournal()
    journal.append(Exposed(decision_id="x", at_us=0))

    with pytest.raises(InvalidArgumentError, match="no engine has written to it"):
        DecisionLog.from_journal(journal, consent=consent_over(ledger()), at=LATER_US)


def test_the_door_asks_for_consent() -> None:
    with pytest.raises(InvalidTypeError, match="consent must be a Consent"):
        DecisionLog.from_journal(MemoryJournal(), consent=None, at=0)  # type: ignore[arg-type]  # the point


@pytest.fixture(scope="module")
def good() -> DecisionLog:
    journal, kept = MemoryJournal(), ledger()
    contact_all(engine_on(journal, kept))
    return DecisionLog.from_journal(journal, consent=consent_over(kept), at=LATER_US)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arm": np.full(30, 99, np.int32)}, "arm must lie in"),
        ({"arm": np.zeros(30, np.int64)}, r"arm must be .* int32 and shape \(30,\), got int64"),
        ({"arm": [0] * 30}, r"arm must be an array of int32 and shape \(30,\), got list \(30,\)"),
        ({"action_prob": np.zeros(30)}, r"action_prob must lie in \(0, 1\]"),
        ({"reward": np.full(30, np.nan)}, "must be finite"),
        ({"reward": np.zeros(30, np.float32)}, "reward must be"),
        ({"customer_index": np.full(30, 30, np.int32)}, "customer_index must lie in"),
        ({"holdout_prob": np.ones(30)}, r"holdout_prob must lie in \[0, 1\)"),
        ({"labels": {"x": ("a",)}}, "every label must have 30 entries"),
    ],
)
def test_columns_that_do_not_fit_together_are_refused(
    good: DecisionLog, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        replace(good, **change)


def test_states_that_do_not_fit_are_refused(good: DecisionLog) -> None:
    blocked = replace(good.states, eligible=np.zeros_like(good.states.eligible))
    flat = replace(good.states, context=np.zeros(30))
    narrow = replace(good.states, eligible=np.ones((30, 1), dtype=np.bool_))
    short = replace(good.states, effects=np.ones((30, 2)))
    counted = replace(good.states, eligible=good.states.eligible.astype(float))

    for states, message in (
        (blocked, "not eligible"),
        (flat, "context"),
        (narrow, "eligible must be bool, of shape"),
        (counted, "eligible must be bool, of shape"),
        (short, r"effects must have shape \(30, n_offers \+ 1\)"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            replace(good, states=states)


def test_its_repr_tells_counts_and_no_ids(good: DecisionLog) -> None:
    assert repr(good) == "DecisionLog(30 decisions, 30 customers)"


def test_held_out_customers_are_in_the_log_where_no_offer_is_no_arm_too() -> None:
    journal = MemoryJournal()
    selector = seg1.OfferSelector(OFFERS, goal=seg1.Goal.revenue(), seed=3, no_offer=False)
    engine = seg1.Personalizer(
        selector, consent=consent_over(ledger()), journal=journal,
        holdout=seg1.Holdout(0.3, key=b"sixteen bytes at least"),
    )  # fmt: skip
    modes = [engine.decide(c, placement="app", at=NOW_US).mode for c in range(30)]

    log = DecisionLog.from_journal(journal, consent=consent_over(ledger()), at=LATER_US)

    assert log.is_control.tolist() == [mode == "control" for mode in modes]
    assert log.is_control.any()
    assert not log.reward[log.is_control].any()
