"""What a customer has answered: learned as windows close, kept in the row, and predicted with."""

from pathlib import Path

import numpy as np
import pytest
from small_engine import (
    DAY,
    OFFERS,
    T0,
    decided_rows,
    engine_of,
    rows_of,
    selector_of,
    state_of,
    told_state,
)  # fmt: skip
from small_history import (
    LATER,
    POOLING,
    WINDOW,
    answers_of,
    effects_in,
    history_in,
    let_close,
    liked_by,
    lively,
    n_held,
    reopened,
    visit,
)

from seg1 import ContextSchema, Goal, Offer, OfferSelector
from seg1.bandit import PartialPooling, PerOfferLinear
from seg1.bandit.context import own_features
from seg1.decide import Personalizer, replay
from seg1.decide.history import ResponseHistory
from seg1.journal import Decided, DecisionLog, Journal, MemoryJournal
from seg1.journal.records import Row
from seg1.measure import Gate, value


@pytest.fixture(scope="module")
def known() -> list[Row]:
    """The journal of a lively engine; each test writes on in one of its own."""
    return rows_of(lively())


@pytest.fixture
def journal(known: list[Row]) -> MemoryJournal:
    written = MemoryJournal()
    for row in known:
        written.append(row)
    return written


def test_what_a_customer_answered_moves_what_is_predicted_for_that_customer(
    journal: MemoryJournal,
) -> None:
    engine = reopened(journal)

    for customer in (1, 2, 77):
        visit(engine, customer, at=LATER)

    likes_tea, likes_cake, stranger = map(effects_in, decided_rows(engine)[-3:])
    assert likes_tea[0] > 0.1 > -0.1 > likes_tea[1]
    assert likes_cake[1] > 0.1 > -0.1 > likes_cake[0]
    assert abs(stranger).max() < 0.1
    assert likes_tea[-1] == 0.0  # no offer is no arm here


def test_customers_get_what_they_like_more_often_than_without() -> None:
    def n_liked(engine: Personalizer) -> int:
        answers = [row for row in rows_of(engine) if row.kind == "outcome"]
        return len(answers)

    assert n_liked(lively()) > 1.15 * n_liked(lively(history=None, segment=None))


def test_nothing_is_learned_before_the_window_has_closed() -> None:
    engine = engine_of(history=POOLING, selector=selector_of(no_offer=False))
    visit(engine, 1, at=T0, likes="tea")

    let_close(engine, at=T0 + WINDOW)
    before = n_held(engine, 1)
    let_close(engine, at=T0 + WINDOW + 1)

    assert (before, n_held(engine, 1)) == (0, 1)


def test_the_answer_counts_beyond_what_was_expected_when_the_window_closed() -> None:
    selector = selector_of([Offer("tea")], no_offer=False)
    engine = engine_of(history=PartialPooling(half_life_days=None), selector=selector)
    visit(engine, 1, at=T0, likes="tea", key="first")
    visit(engine, 2, at=T0 + DAY, key="second")

    let_close(engine, at=T0 + WINDOW + 1)  # the first is learned: 1 where 0 was expected
    x = np.frombuffer(decided_rows(engine)[1].context)
    expected = float(state_of(engine).posterior.belief(x).mean[0])
    let_close(engine)

    residuals = [held["residual"] for customer in (1, 2) for held in answers_of(engine, customer)]
    assert expected > 0.1
    assert residuals == pytest.approx([1.0, -expected])


def test_what_all_share_learns_answers_less_the_effect_they_were_decided_with() -> None:
    selector = selector_of([Offer("tea")], no_offer=False)
    twin = selector.start()
    engine = engine_of(history=POOLING, selector=selector)

    for n in range(60):
        visit(engine, n % 4, at=T0 + n * DAY, likes="tea" if n % 4 == 0 else None)
    let_close(engine, at=T0 + 90 * DAY)

    rows = decided_rows(engine)
    for row in rows:
        answer = 1.0 if row.customer == 0 else 0.0
        x = np.frombuffer(row.context)
        twin.fold(0, x, answer - effects_in(row)[0], at_us=row.at_us)
    learned = state_of(engine).posterior.to_arrays()
    assert max(abs(effects_in(row)[0]) for row in rows) > 0.2
    assert all((learned[name] == array).all() for name, array in twin.to_arrays().items())


def test_a_later_correction_changes_the_answer_and_not_what_was_expected() -> None:
    engine = lively()
    let_close(engine, at=T0 + 32 * DAY)
    row = next(row for row in decided_rows(engine)[::-1] if row.at_us < T0 + 24 * DAY)
    customer = row.customer
    assert isinstance(customer, int)
    was_accepted = row.offer == liked_by(customer)
    before, sums = residual_of(engine, row), state_of(engine).posterior.to_arrays()

    engine.outcome(row.decision_id, accepted=not was_accepted, at=row.at_us + 2, correct=True)

    change, effect = residual_of(engine, row) - before, effects_in(row)[row.arm]
    corrected = state_of(engine).posterior.to_arrays()
    b, q = (corrected[name][row.arm] - sums[name][row.arm] for name in ("b", "q"))
    assert abs(effect) > 0.01
    assert q / b[0] == pytest.approx(1.0 - 2.0 * effect)  # of an answer less the effect, squared
    weight = POOLING.weight(0)
    assert abs(change) == pytest.approx(weight, abs=0.1)  # decayed by a week at most
    assert (change > 0) != was_accepted
    assert told_state(state_of(reopened(engine.journal))) == told_state(state_of(engine))


def residual_of(engine: Personalizer, row: Decided) -> float:
    assert row.customer is not None
    told = answers_of(engine, row.customer)
    (residual,) = [held["residual"] for held in told if held["group"] == row.offer]
    return float(residual)


def test_what_was_expected_is_forgotten_when_nothing_can_be_corrected_any_more() -> None:
    engine = lively()
    assert history_in(engine)._expected

    let_close(engine, at=T0 + 60 * DAY)

    assert not history_in(engine)._expected
    assert not history_in(engine)._forgetting


def test_every_decision_holds_the_effects_it_was_made_with(journal: MemoryJournal) -> None:
    rows = [row for _, row in journal.read() if isinstance(row, Decided)]

    assert {len(effects_in(row)) for row in rows} == {len(OFFERS) + 1}

    row, selector = rows[-1], selector_of(no_offer=False)
    before = MemoryJournal()
    for _, earlier in list(journal.read())[: row.state_seq]:
        before.append(earlier)
    engine = reopened(before)
    told = history_in(engine).effects(row.customer or 0, np.frombuffer(row.context))
    assert told.tobytes() == row.effects
    scored = selector.probabilities(
        state_of(engine).posterior,
        np.frombuffer(row.context),
        own=own_features(np.zeros(0), selector.arms),
        eligible=np.ones(3, bool),
        effects=told[:3],
    )
    assert scored.p[row.arm] == row.action_prob


def test_replay_rebuilds_every_probability_to_the_bit(journal: MemoryJournal) -> None:
    replayed = replay(journal, selector_of(no_offer=False))

    assert (replayed.n_same, replayed.n_different, replayed.n_not_replayable) == (400, 0, 0)


@pytest.mark.parametrize("forged", [b"", np.zeros(4).tobytes()])
def test_a_row_that_lost_its_effects_is_noticed(journal: MemoryJournal, forged: bytes) -> None:
    rows = [row for _, row in journal.read()]
    last = max(i for i, row in enumerate(rows) if isinstance(row, Decided))
    other = MemoryJournal()
    for i, row in enumerate(rows):
        is_forged = i == last and isinstance(row, Decided)
        other.append(row._replace(effects=forged) if is_forged else row)  # type: ignore[union-attr]  # asked before

    assert replay(other, selector_of(no_offer=False)).n_different == 1


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    engine = lively(path)  # type: ignore[arg-type]  # a path is a journal
    before = told_state(state_of(engine)), engine.fingerprint()
    engine.close()

    with reopened(path) as again:  # type: ignore[arg-type]  # the same
        assert (told_state(state_of(again)), again.fingerprint()) == before


def test_the_fingerprint_covers_it(journal: MemoryJournal) -> None:
    engine = reopened(journal)
    before = engine.fingerprint()

    history_in(engine)._pooled.fold(0, 1.0, expected=0.0, group=0, at_us=T0)
    with_another_sum = engine.fingerprint()
    history_in(engine)._code_of[77] = 20
    with_another_customer = engine.fingerprint()
    history_in(engine)._expected["visit-399"] = (T0, 0.5)
    with_another_expectation = engine.fingerprint()

    told = {before, with_another_sum, with_another_customer, with_another_expectation}
    assert len(told) == 4


def test_the_segment_is_what_the_model_saw_of_the_context() -> None:
    schema = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app", "till"]})
    selector = OfferSelector(OFFERS, context=schema, goal=Goal.response(), seed=3)
    history = ResponseHistory(POOLING, selector=selector, segment="channel")
    contexts: list[dict[str, object]] = [
        {"channel": "app"}, {"channel": "till"}, {"channel": "web"}, {},
    ]  # fmt: skip

    segments = [history._segment(schema.encode(context)) for context in contexts]

    names = [schema.names[segment or 0] for segment in segments]
    assert names == ["channel=app", "channel=till", "channel:other", "channel:missing"]
    nowhere = ResponseHistory(POOLING, selector=selector, segment=None)
    assert nowhere._segment(schema.encode({"channel": "app"})) is None


def test_who_is_new_has_what_others_of_the_segment_answer() -> None:
    engine = engine_of(history=POOLING, segment="channel", selector=selector_of(no_offer=False))
    for n in range(600):
        channel = "app" if n % 2 else "till"
        likes = "tea" if channel == "app" else "cake"
        visit(engine, n % 60, at=T0 + n * DAY // 13, likes=likes, channel=channel)
    at = T0 + 60 * DAY
    let_close(engine, at=at)

    for channel in ("app", "till"):
        visit(engine, 77, at=at + 1, channel=channel)

    in_app, at_till = (effects_in(row)[:2] for row in decided_rows(engine)[-2:])
    assert in_app[0] - in_app[1] > at_till[0] - at_till[1]


def test_a_frozen_policy_goes_by_the_effects_of_the_log(journal: MemoryJournal) -> None:
    engine = reopened(journal)
    visit(engine, 1, at=LATER, key="then")
    policy = engine.frozen()
    log = DecisionLog.from_journal(
        engine.journal, consent=engine_of()._core.consent, at=T0 + 99 * DAY
    )
    assert log.states.effects.shape == (401, 4)

    again = policy(log.states)
    gate = Gate(min_ess=1, max_weight_share=1.0, max_mean_weight_z=1e9)
    one_step = value(log, policy=policy, estimator="ips", gate=gate)
    weights = again[np.arange(401), log.arm] / log.action_prob
    assert one_step.estimate == pytest.approx((weights * log.reward).mean())
    last = decided_rows(engine)[-1]
    assert again[-1, last.arm] == last.action_prob

    unknown = DecisionLog.from_journal(
        without_effects(engine.journal), consent=engine_of()._core.consent, at=T0 + 99 * DAY
    )
    assert unknown.states.effects.shape == (401, 0)
    alike = policy(unknown.states)
    assert np.ptp(alike, axis=0).max() < 1e-9  # one context, and so one distribution
    assert np.ptp(again, axis=0).max() > 0.1


def without_effects(journal: Journal) -> MemoryJournal:
    """A journal as an engine without a history would have written it."""
    other = MemoryJournal()
    for _, row in journal.read():
        other.append(row._replace(effects=b"") if isinstance(row, Decided) else row)
    return other


def test_an_engine_that_gets_a_history_later_knows_the_answers_of_before() -> None:
    plain = lively(history=None, segment=None)
    assert {row.effects for row in decided_rows(plain)} == {b""}

    engine = reopened(plain.journal)
    visit(engine, 1, at=LATER)

    assert n_held(engine, 1) > 5
    assert effects_in(decided_rows(engine)[-1])[0] > 0.1


def test_an_engine_that_drops_its_history_learns_the_same_of_all(journal: MemoryJournal) -> None:
    with_it, without = reopened(journal), reopened(journal, history=None, segment=None)

    mine, theirs = (state_of(e).posterior.to_arrays() for e in (with_it, without))
    assert all((mine[name] == theirs[name]).all() for name in mine)
    visit(without, 1, at=LATER)
    assert decided_rows(without)[-1].effects == b""


def test_where_nothing_is_known_every_probability_is_as_without() -> None:
    engines = [engine_of(history=history) for history in (None, POOLING)]
    for engine in engines:
        for n in range(20):
            visit(engine, n, at=T0 + n, key=f"visit-{n}")

    plain, kept = (decided_rows(engine) for engine in engines)

    assert [row.action_prob for row in plain] == [row.action_prob for row in kept]
    assert {row.effects for row in plain} == {b""}
    assert {row.effects for row in kept} == {np.zeros(4).tobytes()}


def test_acceptances_under_a_logit_link_are_learned_too() -> None:
    posterior = PerOfferLinear(link="logit")
    selector = OfferSelector(
        OFFERS, context=selector_of().schema, goal=Goal.response(), posterior=posterior,
        no_offer=False, seed=3,
    )  # fmt: skip
    engine = engine_of(history=POOLING, selector=selector)
    for n in range(400):
        visit(engine, n % 20, at=T0 + n * DAY // 13, likes=liked_by(n % 20))

    visit(engine, 1, at=LATER)

    assert effects_in(decided_rows(engine)[-1])[0] > 0.1
