"""An engine that learns before its windows close: when, what, of whom, and what becomes of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from small_engine import (
    DAY,
    PURPOSES,
    T0,
    consent_of,
    decide,
    engine_of,
    ledger_of,
    rows_of,
    selector_of,
    state_of,
    told_state,
)  # fmt: skip

from seg1 import ConsentLedger, Goal, Offer, OfferSelector
from seg1.bandit import PerOfferLinear
from seg1.decide import Decision, EarlyAnswers, Holdout, Personalizer, replay
from seg1.decide.early import EarlyRows, expected_answer
from seg1.errors import InvalidTypeError
from seg1.journal import MemoryJournal, Withheld
from seg1.offers import Placement

HOUR = DAY // 24
T1 = T0 + 10 * DAY
RIPE, END = T1 + DAY + 1, T1 + 7 * DAY + 1
EARLY = EarlyAnswers(hours=24, min_answers=2)
INCREMENTAL = Goal.incremental(reward_cap=50.0, window_days=7)


def only_tea(goal: Goal | None = None, *, link: str = "identity") -> OfferSelector:
    return OfferSelector(
        [Offer("tea")],
        context=selector_of().schema,
        goal=goal or Goal.response(),
        posterior=PerOfferLinear(link=link),  # type: ignore[arg-type]  # of a list
        no_offer=False,
    )


def known(engine: Personalizer, *, rewards: Sequence[float] = ()) -> Personalizer:
    """Let four decisions close: of two answers one had come after a day."""
    for customer in range(50, 54):
        shown(engine, customer, at=T0)
    for customer, at in ((50, T0 + HOUR), (51, T0 + 2 * DAY)):
        if rewards:
            engine.outcome(f"visit-{customer}", reward=rewards[customer - 50], at=at)
        else:
            engine.outcome(f"visit-{customer}", accepted=True, at=at)
    let_time_pass(engine, at=T1 - 1)
    return engine


def shown(engine: Personalizer, customer: int = 1, *, at: int = T1) -> Decision:
    decision = decide(engine, customer, at=at, key=f"visit-{customer}")
    assert engine.exposed(decision.id, at=at)
    return decision


def let_time_pass(engine: Personalizer, at: int) -> None:
    engine.observe(99, item="milk", at=at)


def tea_engine(ledger: ConsentLedger | None = None, **named: object) -> Personalizer:
    consent = {} if ledger is None else {"consent": consent_of(ledger)}
    given = {"selector": only_tea(), "delay_model": EARLY, **consent, **named}
    return engine_of(**given)  # type: ignore[arg-type]  # passed on


def sums(engine: Personalizer) -> dict[str, list[float]]:
    arrays = state_of(engine).posterior.to_arrays()
    return {name: arrays[name].ravel().tolist() for name in ("S", "b", "q", "n")}


def believed(engine: Personalizer, row_of: str) -> float:
    """What an engine believes of the first arm, in the context of a decision."""
    decided = state_of(engine).outcomes.decision(row_of)
    assert decided is not None
    context = np.frombuffer(decided.context, dtype="<f8")
    return float(state_of(engine).posterior.belief(context).mean[0])


def early_of(engine: Personalizer) -> EarlyRows:
    early = state_of(engine).learner.early
    assert early is not None
    return early


def learned(engine: Personalizer, *, since: float) -> float:
    """The answer of the one row that was learned since: its square was added."""
    return float(np.sqrt(sums(engine)["q"][0] - since))


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_decision_is_learned_at_the_age_as_what_is_to_be_expected(*, is_answered: bool) -> None:
    engine = known(tea_engine(selector=only_tea(link="identity")))
    decision = shown(engine)
    if is_answered:
        engine.outcome(decision.id, accepted=True, at=T1 + HOUR)
    let_time_pass(engine, at=RIPE - 1)
    before, n_before = sums(engine)["q"][0], engine.n_learned
    expected = believed(engine, decision.id)

    let_time_pass(engine, at=RIPE)

    answer = expected_answer(float(is_answered), expected=expected, share=0.5, is_reward=False)
    weight = 2.0 ** -(10 / 90)  # of the rows before, by now
    assert (n_before, engine.n_learned) == (4, 5)
    assert learned(engine, since=before * weight) == pytest.approx(answer, rel=1e-6)


def test_nothing_is_learned_early_until_enough_was_answered() -> None:
    engine = known(tea_engine(delay_model=EarlyAnswers(min_answers=3)))
    shown(engine)

    let_time_pass(engine, at=RIPE)

    assert engine.n_learned == 4


def test_nothing_is_learned_early_of_a_placement_that_nothing_is_known_of() -> None:
    engine = known(tea_engine(placements=[Placement("till", confirm=False)]))
    engine.decide(1, placement="till", at=T1)

    let_time_pass(engine, at=RIPE)

    assert engine.n_learned == 4


def test_without_a_delay_model_windows_are_waited_for() -> None:
    engine = known(tea_engine(delay_model=None))
    shown(engine)

    let_time_pass(engine, at=END - 1)

    assert engine.n_learned == 4


def test_another_word_for_a_delay_model_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="delay_model must be an EarlyAnswers, got float"):
        tea_engine(delay_model=24.0)


def lived(
    engine: Personalizer, answers: Sequence[tuple[int, bool]], *, until: int
) -> dict[str, list[float]]:
    decision = shown(engine)
    for at, accepted in answers:
        engine.outcome(decision.id, accepted=accepted, at=at, correct=True)
        let_time_pass(engine, at=at)
    let_time_pass(engine, at=until)
    return sums(engine)


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [(T1 + HOUR, True)],
        [(T1 + 3 * DAY, True)],
        [(T1 + HOUR, True), (T1 + 3 * DAY, False)],
        [(T1 + 3 * DAY, True), (T1 + 4 * DAY, False)],
    ],
    ids=["silent", "early", "late", "taken back", "late and taken back"],
)
def test_at_the_close_the_state_is_what_waiting_gives(answers: list[tuple[int, bool]]) -> None:
    early, waiting = known(tea_engine()), known(tea_engine(delay_model=None))

    mine, theirs = (lived(engine, answers, until=END) for engine in (early, waiting))

    assert early.n_learned == waiting.n_learned == 5
    for name, value in theirs.items():
        np.testing.assert_allclose(mine[name], value, atol=1e-9)


def test_a_correction_after_the_close_changes_what_was_learned_as_ever() -> None:
    engines = [known(tea_engine()), known(tea_engine(delay_model=None))]
    for engine in engines:
        lived(engine, [(T1 + HOUR, True)], until=END)

    told = [e.outcome("visit-1", accepted=False, at=T1 + DAY, correct=True) for e in engines]

    assert told == ["recorded"] * 2
    for name, value in sums(engines[1]).items():
        np.testing.assert_allclose(sums(engines[0])[name], value, atol=1e-9)


def test_a_correction_after_the_close_counts_in_the_share() -> None:
    engine = known(tea_engine())
    shown(engine)
    row = state_of(engine).outcomes.decision("visit-1")
    assert row is not None

    engine.outcome("visit-52", accepted=True, at=T0 + 3 * DAY)

    assert early_of(engine).shares.of(row) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("reward", "counts_as"), [(3.0, 3.0), (80.0, 50.0), (-2.0, -2.0)])
def test_a_reward_is_what_has_come_up_to_the_cap_and_what_is_still_expected(
    reward: float, counts_as: float
) -> None:
    engine = known(tea_engine(selector=only_tea(INCREMENTAL)), rewards=(20.0, 90.0))
    decision = shown(engine)
    engine.outcome(decision.id, reward=reward, at=T1 + HOUR)
    let_time_pass(engine, at=RIPE - 1)
    before, expected = sums(engine)["q"][0], believed(engine, decision.id)

    let_time_pass(engine, at=RIPE)

    share = 20.0 / (20.0 + 50.0)
    answer = counts_as + (1.0 - share) * expected
    weight = 2.0 ** -(10 / 90)
    assert expected > 1.0
    assert learned(engine, since=before * weight) == pytest.approx(abs(answer), rel=1e-6)


@pytest.mark.parametrize("link", ["identity", "logit"])
@pytest.mark.parametrize("is_answered", [True, False])
def test_what_a_withdrawal_before_the_age_leaves_is_not_learned(
    link: str, *, is_answered: bool
) -> None:
    ledger = ledger_of(1, *range(50, 54), 99)
    engine = known(tea_engine(ledger, selector=only_tea(link=link)))
    decision = shown(engine)
    if is_answered:
        engine.outcome(decision.id, accepted=True, at=T1 + 1)
    ledger.withdraw(1, at=T1 + HOUR)  # in the ledger itself: the engine has to ask

    let_time_pass(engine, at=RIPE)

    assert engine.n_learned == 4
    assert any(isinstance(row, Withheld) for row in rows_of(engine))


def withdrawn_after_the_age(
    link: str, *, is_answered: bool = True
) -> tuple[Personalizer, Personalizer]:
    """One engine that learned early of who then withdrew; one that waited with learning."""
    engines = []
    for model in (EARLY, None):
        ledger = ledger_of(1, 2, *range(50, 54), 99)
        selector = only_tea(link=link)
        engine = known(tea_engine(ledger, selector=selector, delay_model=model))
        decision = shown(engine)
        if is_answered:
            engine.outcome(decision.id, accepted=True, at=T1 + HOUR)
        let_time_pass(engine, at=RIPE)
        assert engine.n_learned == (5 if model else 4)
        engine.withdraw(1, at=RIPE)
        assert engine.outcome(decision.id, reward=1.0, at=RIPE + 1) == "withheld"
        engines.append(engine)
    return engines[0], engines[1]


def test_what_was_learned_early_is_unlearned_when_its_customer_withdraws() -> None:
    early, waiting = withdrawn_after_the_age("identity")
    for engine in (early, waiting):
        shown(engine, 2)

    for engine in (early, waiting):
        let_time_pass(engine, at=END)

    assert early.n_learned == waiting.n_learned == 5
    for name, value in sums(waiting).items():
        np.testing.assert_allclose(sums(early)[name], value, atol=1e-9)


@pytest.mark.parametrize("is_answered", [True, False])
def test_under_a_logit_link_the_answer_alone_is_unlearned(*, is_answered: bool) -> None:
    reference = known(tea_engine(selector=only_tea(link="logit")))
    shown(reference)
    let_time_pass(reference, at=RIPE - 1)
    decided = state_of(reference).outcomes.decision("visit-1")
    assert decided is not None

    engine, _ = withdrawn_after_the_age("logit", is_answered=is_answered)

    # What is left is a row that says what was believed anyway, whatever the answer was.
    context, expected = np.frombuffer(decided.context, dtype="<f8"), believed(reference, "visit-1")
    state_of(reference).posterior.fold(0, context, expected, at_us=T1)
    assert engine.n_learned == 4
    for name in ("S", "b", "n"):  # the squares are not read under a logit link
        np.testing.assert_allclose(sums(engine)[name], sums(reference)[name], atol=1e-9)


def test_under_a_logit_link_the_close_leaves_what_the_final_answer_had_given_at_the_age() -> None:
    engine = known(tea_engine(selector=only_tea(link="logit")))
    decision = shown(engine)
    let_time_pass(engine, at=RIPE - 1)
    reference = state_of(engine).posterior.copy()
    let_time_pass(engine, at=RIPE)
    engine.outcome(decision.id, accepted=True, at=T1 + 3 * DAY)
    decided = state_of(engine).outcomes.decision(decision.id)
    assert decided is not None

    let_time_pass(engine, at=END)

    reference.fold(0, np.frombuffer(decided.context, dtype="<f8"), 1.0, at_us=T1)
    for name in ("S", "b", "n", "inverse"):
        mine, theirs = (s.to_arrays()[name] for s in (state_of(engine).posterior, reference))
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def a_month(engine: Personalizer, ledger: ConsentLedger) -> None:
    """Decide, show and answer after hours or days, while every ninth customer withdraws."""
    for number in range(160):
        at, who = T0 + number * DAY // 5, number % 30
        d = engine.decide(who, placement="app", context={"hour": number % 24.0}, at=at,
                          id=f"visit-{number}")  # fmt: skip
        if d.logged:
            engine.exposed(d.id, at=at)
        late = number - 12
        if late >= 0 and late % 3 == 0:
            engine.outcome(f"visit-{late}", accepted=True, at=at)
        if d.logged and number % 4 == 0:
            engine.outcome(d.id, accepted=True, at=at + 1)
        if number % 9 == 0:
            engine.withdraw((number - 6) % 30, at=at + 2)
            ledger.grant((number - 6) % 30, PURPOSES, at=at + 3, until=at + 999 * DAY)


def test_a_restart_and_a_replay_come_to_the_same_to_the_bit(tmp_path: Path) -> None:
    path, ledger, selector = tmp_path / "shop.sqlite", ledger_of(*range(30)), selector_of()
    holdout = Holdout(0.1, key=b"sixteen bytes at least")
    opened = {"selector": selector, "journal": path, "delay_model": EARLY, "holdout": holdout}
    with engine_of(consent=consent_of(ledger), **opened) as engine:  # type: ignore[arg-type]  # by name
        a_month(engine, ledger)
        before, told = engine.fingerprint(), told_state(state_of(engine))
        assert early_of(engine)._taught

    with engine_of(consent=consent_of(ledger_of()), **opened) as again:  # type: ignore[arg-type]  # by name
        assert again.fingerprint() == before
        assert told_state(state_of(again)) == told
        replayed = replay(again.journal, selector, delay_model=EARLY)
        otherwise = replay(again.journal, selector)

    assert (replayed.n_different, replayed.n_not_replayable) == (0, 0)
    assert replayed.n_same == otherwise.n_not_replayable > 100


def test_an_erased_customer_leaves_the_state_of_a_journal_without_them() -> None:
    ledger = ledger_of(*range(30))
    engine = engine_of(consent=consent_of(ledger), selector=selector_of(), delay_model=EARLY)
    a_month(engine, ledger)
    gone = {f"visit-{n}" for n in range(160) if n % 30 == 5}
    kept = [row for row in rows_of(engine) if getattr(row, "decision_id", None) not in gone
            and getattr(row, "customer", None) != 5]  # fmt: skip

    engine.erase(5, at=T0)

    never = MemoryJournal()
    for row in kept:
        never.append(row)
    fresh = engine_of(selector=selector_of(), journal=never, delay_model=EARLY)
    mine, theirs = (told_state(state_of(e), is_counting_rows=False) for e in (engine, fresh))
    assert mine == theirs
    assert list(early_of(engine).told()) == list(early_of(fresh).told())


@pytest.mark.parametrize("part", ["share", "early answer"])
def test_a_fingerprint_covers_what_early_answers_rest_on(part: str) -> None:
    engine = known(tea_engine())
    shown(engine)
    let_time_pass(engine, at=RIPE)
    before, early = engine.fingerprint(), early_of(engine)

    if part == "share":
        (like,) = early.shares._sums
        early.shares._sums[like] = early.shares._sums[like]._replace(early=2.0)
    else:
        early._taught["visit-1"] = early._taught["visit-1"]._replace(answer=0.5)

    assert engine.fingerprint() != before
