"""What was learned outlives a change of the catalogue: offers, prices and placements."""

import numpy as np
import pytest
from small_engine import DAY, T0, decide, decided_rows, engine_of, selector_of, state_of
from small_history import POOLING, effects_in, liked_by, visit

from seg1 import Goal, Offer
from seg1._types import Float64s
from seg1.decide import EarlyAnswers, Personalizer, replay
from seg1.decide.translating import Translator
from seg1.errors import DamagedError
from seg1.journal import MemoryJournal, Swapped
from seg1.journal.catalogue import body_of_arms, schema_of_body
from seg1.offers import Placement
from seg1.testing.journal import _decided

TEA, CAKE, WINE, BREAD = (Offer(name) for name in ("tea", "cake", "wine", "bread"))


def lived(engine: Personalizer, *, start: int = T0, n: int = 120) -> Personalizer:
    """Let customers come for a month, and all windows close."""
    for k in range(n):
        visit(engine, k % 12, at=start + k * DAY // 4, likes=liked_by(k % 12), key=f"{start}-{k}")
    engine.observe(99, item="milk", at=start + 45 * DAY)
    return engine


def learned(engine: Personalizer) -> dict[str, Float64s]:
    """What was learned of each arm, by its offer: how many answers, and their sum."""
    arrays = state_of(engine).posterior.to_arrays()
    arms = engine._selector.arms.arms
    return {
        str(arm.offer): np.append(arrays["n"][place], arrays["b"][place])
        for place, arm in enumerate(arms)
    }


def test_an_offer_that_stays_keeps_what_was_learned_of_it_wherever_it_stands() -> None:
    journal = MemoryJournal()
    before = learned(lived(engine_of([TEA, CAKE, WINE], journal=journal)))

    after = learned(engine_of([BREAD, WINE, TEA], journal=journal))

    for name in ("tea", "wine"):
        assert after[name].tolist() == before[name].tolist()
        assert after[name][0] > 1.0
    assert after["bread"][0] == 0.0


def test_a_changed_cost_placement_or_stock_changes_nothing_that_was_learned() -> None:
    journal = MemoryJournal()
    before = learned(lived(engine_of([TEA, CAKE], journal=journal)))
    changed = [Offer("tea", cost=0.2, stock=9), Offer("cake", items=[7])]

    after = engine_of(changed, journal=journal, placements=[Placement("app", outcome_days=3)])

    assert {name: row.tolist() for name, row in learned(after).items()} == {
        name: row.tolist() for name, row in before.items()
    }


def test_a_price_that_goes_takes_its_answers_with_it_and_no_other() -> None:
    journal, goal = MemoryJournal(), Goal.revenue()
    offer = Offer("tea", prices=[2.0, 1.5])
    engine = engine_of(journal=journal, selector=selector_of([offer], goal=goal, no_offer=False))
    lived(engine)
    shown = [row.price for row in decided_rows(engine)]

    cheaper = Offer("tea", prices=[1.8, 1.5])
    selector = selector_of([cheaper], goal=goal, no_offer=False)
    again = engine_of(journal=journal, selector=selector)

    assert {2.0, 1.5} == set(shown)
    assert again.n_learned == shown.count(1.5)
    assert state_of(again).learner.n_unread == shown.count(2.0)


def test_a_decision_that_comes_up_early_and_at_its_close_is_told_as_unread_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal, early = MemoryJournal(), EarlyAnswers(hours=1, min_answers=5)
    engine = lived(engine_of([TEA, CAKE], journal=journal, delay_model=early))
    gone = [row for row in decided_rows(engine) if row.offer == "cake"]

    again = engine_of([TEA], journal=journal, delay_model=early)

    assert state_of(again).learner.n_unread == len(gone) == engine.n_learned - again.n_learned
    assert caplog.messages[-1].startswith(f"{len(gone)} decisions that were made with other offers")


def test_any_acceptance_counts_whatever_it_is_worth_and_no_reward_does() -> None:
    journal = MemoryJournal()
    n_learned = lived(engine_of([TEA, CAKE], journal=journal)).n_learned
    worth = [Offer("tea", worth=1.0), Offer("cake", worth=2.0)]

    for goal, expected in (
        (Goal.margin(), n_learned),
        (Goal.incremental(reward_cap=9.0, window_days=7), 0),
    ):
        again = engine_of(journal=journal, selector=selector_of(worth, goal=goal))
        assert again.n_learned == expected > -1


def test_the_way_back_and_forth_folds_and_replays_the_same() -> None:
    journal, early = MemoryJournal(), EarlyAnswers(hours=1, min_answers=5)
    first, second = ([TEA, CAKE, WINE], [BREAD, WINE, TEA])
    prints = []
    for n, offers in enumerate((first, second, first)):
        engine = engine_of(
            offers, journal=journal, history=POOLING, segment="channel", delay_model=early
        )
        lived(engine, start=T0 + n * 50 * DAY)
        prints.append(engine.fingerprint())

    again = engine_of(first, journal=journal, history=POOLING, segment="channel", delay_model=early)
    told = [replay(journal, selector_of(offers), delay_model=early) for offers in (first, second)]

    assert again.fingerprint() == prints[-1]
    assert [one.n_different for one in told] == [0, 0]
    # Of the first catalogue's, those after the way back knew the answers that came between.
    assert [one.n_same for one in told] == [240, 120]
    assert [one.n_not_replayable for one in told] == [120, 240]


def test_effects_go_with_their_offer() -> None:
    journal = MemoryJournal()
    engine = engine_of([TEA, CAKE], journal=journal, history=POOLING)
    lived(engine)
    (before,) = (effects_in(row) for row in decided_rows(engine)[-1:])

    again = engine_of([CAKE, BREAD, TEA], journal=journal, history=POOLING)
    history = state_of(again).history
    assert history is not None
    context = np.frombuffer(decided_rows(engine)[-1].context)
    after = history.effects(1, context), history.effects(0, context)

    assert len(before) == 3
    assert after[0][2] > 0.05 > after[0][0]  # whom tea is for
    assert after[1][0] > 0.05 > after[1][2]  # whom cake is for
    assert after[0][1] == after[1][1] == 0.0  # nothing is known of bread


def test_a_decision_of_a_catalogue_that_was_never_declared_is_not_learned() -> None:
    journal = MemoryJournal()
    engine = lived(engine_of([TEA, CAKE], journal=journal), n=20)
    rows = [row for _, row in journal.read() if type(row).__name__ != "Swapped"]
    bare = MemoryJournal()
    for row in rows:
        bare.append(row)

    again = engine_of([TEA, CAKE, WINE], journal=bare)

    assert engine.n_learned > again.n_learned == 0


def test_a_catalogue_without_its_form_is_damage() -> None:
    assert schema_of_body("{}") == ""
    with pytest.raises(DamagedError, match="does not have its form"):
        schema_of_body("[]")


def test_an_answer_after_the_change_finds_its_decision() -> None:
    journal = MemoryJournal()
    selector = selector_of([TEA, CAKE], no_offer=False)
    engine = engine_of(journal=journal, selector=selector)
    open_one = decide(engine, 1, key="visit")
    engine.exposed(open_one.id, at=T0)
    other = selector_of([BREAD, CAKE, TEA], no_offer=False)

    again = engine_of(journal=journal, selector=other)
    again.outcome(open_one.id, accepted=True, at=T0 + 1)
    again.observe(99, item="milk", at=T0 + 8 * DAY)
    again.outcome(open_one.id, accepted=False, at=T0 + 2, correct=True)

    assert again.n_learned == 1
    assert learned(again)[str(open_one.offer)][:2].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("offer", ["tea", "cake", None])
def test_numbers_of_the_offer_are_read_where_it_stands_now(offer: str | None) -> None:
    before, after = selector_of([TEA, CAKE]), selector_of([BREAD, CAKE, TEA])
    translator = Translator(after, catalogue="new", n_features=before.schema.n_features + 1)
    body = body_of_arms(before.arms, goal=before.goal, schema=before.schema.version)
    translator.note(Swapped(what="catalogue", at_us=T0, version="old", body=body))
    arm = [one.offer for one in before.arms.arms].index(offer)
    row = _decided("visit-1", customer=7)._replace(
        arm=arm, offer=offer, price=None, slot=None, catalogue="old",
        context=before.schema.encode({}).tobytes(), affinity=np.array([0.5, 0.6]).tobytes(),
        effects=np.array([0.1, 0.2, 0.3]).tobytes(),
    )  # fmt: skip

    read = translator.read(row)

    assert read is not None
    assert after.arms.arms[read.arm].offer == offer
    place = int(after.arms.offer_index[read.arm])
    assert effects_in(read)[place] == {"tea": 0.1, "cake": 0.2, None: 0.3}[offer]
    if offer is not None:
        assert np.frombuffer(read.affinity)[place] == {"tea": 0.5, "cake": 0.6}[offer]
    assert (len(effects_in(read)), len(np.frombuffer(read.affinity))) == (4, 3)
