"""Steps 5 to 7 on a few of the households: what they show is what happened."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from seg1.bandit import Greedy
from seg1.decide import Budget
from seg1.demo import deciding, story, trial
from seg1.demo.campaigns import count_campaigns
from seg1.demo.contacts import MOST_PER_HOUSEHOLD, list_contacts
from seg1.demo.deciding import (
    PLACEMENT,
    Run,
    World,
    live,
    open_engine,
    open_world,
    selector_of,
)  # fmt: skip
from seg1.demo.evaluating import Evaluation, evaluate_less_exploring, retell, true_value
from seg1.demo.extract import Extract
from seg1.demo.leaving import leave
from seg1.demo.regret import regret_of
from seg1.demo.restarting import restart
from seg1.demo.second_half import Decisions, decide_offers
from seg1.demo.telling_decisions import difference_of_policies, tell_evaluation
from seg1.demo.trial import Parcel, Trial, try_policies, try_seeds
from seg1.journal import Decided, DecisionLog, Exposed, MemoryJournal, Outcome
from seg1.measure import Value
from seg1.recommend.metrics import Interval

DAY = 86_400 * 1_000_000


@pytest.fixture(scope="module")
def shop(few: Extract, tmp_path_factory: pytest.TempPathFactory) -> story.Shop:
    file = tmp_path_factory.mktemp("few") / "consent.sqlite"
    return story.open_shop(few, consent_file=file, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def models(shop: story.Shop) -> story.Models:
    return story.fit_models(shop, seed=3, show_progress=False)


@pytest.fixture(scope="module")
def world(shop: story.Shop, models: story.Models) -> World:
    return open_world(shop, models)


@pytest.fixture(scope="module")
def lived(world: World) -> tuple[MemoryJournal, Run]:
    journal = MemoryJournal()
    engine = open_engine(world, selector_of(world, seed=5), journal=journal)
    return journal, live(engine, world, seed=5)


@pytest.fixture(scope="module")
def parcel(
    shop: story.Shop, models: story.Models, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Parcel:
    folder = tmp_path_factory.mktemp("model") / "model"
    models.als.save(folder)
    said = [s for household in shop.events.customers.ids for s in shop.ledger.history(household)]
    return Parcel(
        offers=world.offers,
        contacts=world.contacts,
        rates=world.rates,
        n_mailed=world.n_mailed,
        n_redeemed=world.n_redeemed,
        said=tuple(said),
        model_folder=folder,
    )


@pytest.fixture(scope="module")
def decisions(
    shop: story.Shop, models: story.Models, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Decisions, list[str], Path]:
    folder = tmp_path_factory.mktemp("decisions")
    models.als.save(folder / "model")
    lines: list[str] = []

    def say(told: Iterable[str]) -> None:
        lines.extend(told)

    found = decide_offers(
        shop,
        models,
        file=folder / "decisions.sqlite",
        model_folder=folder / "model",
        seed=0,
        n_seeds=2,
        rng=np.random.default_rng(4),
        say=say,
    )
    return found, lines, folder


def test_contacts_are_real_visits_after_the_split_in_time_order_and_few_of_each_household(
    few: Extract, world: World, shop: story.Shop
) -> None:
    times = [contact.at_us for contact in world.contacts]
    real = set(
        zip(few.receipts["household_id"].tolist(), few.receipts["time"].tolist(), strict=True)
    )

    assert all(later > earlier for earlier, later in pairwise(times))
    assert times[0] >= shop.now_us
    # A contact that shares its moment with another stands a microsecond later.
    assert all((c.household, c.at_us - c.at_us % 1_000_000) in real for c in world.contacts)
    per_household = Counter(contact.household for contact in world.contacts)
    assert max(per_household.values()) == MOST_PER_HOUSEHOLD
    assert len({contact.id for contact in world.contacts}) == len(world.contacts)


def test_two_households_at_one_moment_become_two_moments(few: Extract, shop: story.Shop) -> None:
    at_once = replace(
        few, receipts={**few.receipts, "time": np.full(len(few.receipts["time"]), shop.now_us)}
    )
    segment_of = count_campaigns(few, split_us=shop.now_us).segment_of

    contacts = list_contacts(at_once, segment_of=segment_of, from_us=shop.now_us, most=9)

    assert [contact.at_us - shop.now_us for contact in contacts] == list(range(9))


def test_a_run_is_its_seed_s_alone(world: World, lived: tuple[MemoryJournal, Run]) -> None:
    again = live(
        open_engine(world, selector_of(world, seed=5), journal=MemoryJournal()), world, seed=5
    )
    other = live(
        open_engine(world, selector_of(world, seed=6), journal=MemoryJournal()), world, seed=6
    )
    _, run = lived

    # Who does not permit the log is drawn under an id that is random.
    logged = run.is_personal
    assert again.offer[logged].tolist() == run.offer[logged].tolist()
    assert again.redeemed == run.redeemed
    assert other.offer[logged].tolist() != run.offer[logged].tolist()


def test_what_is_shown_is_seen_a_minute_later_and_redeemed_within_two_days(
    lived: tuple[MemoryJournal, Run],
) -> None:
    journal, run = lived
    rows = [row for _, row in journal.read()]
    decided = {row.decision_id: row for row in rows if isinstance(row, Decided)}
    seen = [row for row in rows if isinstance(row, Exposed)]
    answered = [row for row in rows if isinstance(row, Outcome)]

    assert len(seen) == int((run.is_personal & (run.offer >= 0)).sum())
    assert {row.at_us - decided[row.decision_id].at_us for row in seen} == {60_000_000}
    assert len(answered) == run.n_redeemed > 0
    waits = [row.at_us - decided[row.decision_id].at_us for row in answered]
    assert 60_000_000 <= min(waits) <= max(waits) <= PLACEMENT.outcome_us


def test_only_who_permits_it_is_decided_for_personally(
    world: World, lived: tuple[MemoryJournal, Run]
) -> None:
    _, run = lived
    for contact, is_personal in zip(world.contacts, run.is_personal, strict=True):
        if is_personal:
            assert world.consent.ask(contact.household, contact.at_us).allows("decide")
    assert run.modes["fallback"] > 0
    assert sum(run.modes.values()) == len(world.contacts)


def small_run(offer: list[int], eligible: list[list[bool]], *, personal: list[bool]) -> Run:
    return Run(
        offer=np.array(offer),
        eligible=np.array(eligible),
        segment=np.zeros(len(offer), dtype=np.int64),
        is_personal=np.array(personal),
        decide_us=np.ones(len(offer)),
        modes={},
        refused={},
        redeemed={},
    )


def test_regret_is_what_the_best_eligible_offer_would_have_brought_more() -> None:
    rates = np.array([[0.1], [0.4], [0.2]])
    run = small_run(
        [0, -1, 2, 1, -1],
        [[True] * 3, [True] * 3, [True, False, True], [True] * 3, [False] * 3],
        personal=[True, True, True, False, True],
    )

    regret = regret_of(run, rates=rates)

    np.testing.assert_allclose(regret.chosen, [0.3, 0.4, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(regret.uniform, [0.5 / 3, 0.5 / 3, 0.05, 0.0, 0.0])
    # The second offer is best over the three contacts that count; where it is refused: nothing.
    assert regret.best_fixed_offer == 1
    np.testing.assert_allclose(regret.best_fixed, [0.0, 0.0, 0.2, 0.0, 0.0])
    assert regret.share(regret.chosen) == pytest.approx(0.7 / (1 / 3 + 0.05))


def test_the_vectors_told_again_are_those_that_were_logged(
    world: World, lived: tuple[MemoryJournal, Run]
) -> None:
    journal, _ = lived
    log = DecisionLog.from_journal(journal, consent=world.consent, at=world.end_us)
    rows = np.flatnonzero(~log.is_control)

    told = retell(journal, selector_of(world, seed=5))

    places = np.searchsorted(told.at_us, log.states.at_us[rows])
    assert told.at_us[places].tolist() == log.states.at_us[rows].tolist()
    assert told.probabilities[places, log.arm[rows]].tolist() == log.action_prob[rows].tolist()


def test_impersonal_draws_without_any_offer_left_are_not_told_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "BUDGET", Budget(3.0))
    journal = MemoryJournal()
    run = live(open_engine(world, selector_of(world, seed=5), journal=journal), world, seed=5)

    told = retell(journal, selector_of(world, seed=5))

    assert run.refused["budget"] > 0
    assert run.modes["none"] > len(told.at_us) - run.modes["personalised"]


def test_the_true_value_is_a_mean_over_the_rows_that_were_not_held_out(
    world: World, lived: tuple[MemoryJournal, Run]
) -> None:
    journal, _ = lived
    log = DecisionLog.from_journal(journal, consent=world.consent, at=world.end_us)
    policy = retell(journal, selector_of(world, seed=5, floor=0.01))
    segment_at = {contact.at_us: contact.segment for contact in world.contacts}
    slow = [
        sum(
            float(p) * float(world.rates[offer, segment_at[at_us]])
            for offer, p in enumerate(policy.probabilities[row][: len(world.offers)])
        )
        for row, at_us in enumerate(policy.at_us.tolist())
        if at_us in set(log.states.at_us[~log.is_control].tolist())
    ]

    assert true_value(log, policy, rates=world.rates) == pytest.approx(float(np.mean(slow)))


def test_a_log_of_few_households_is_refused_and_covers_nothing(
    world: World, lived: tuple[MemoryJournal, Run]
) -> None:
    evaluation = evaluate_less_exploring(lived[0], world, seed=5)

    assert evaluation.value is None
    assert "effective sample size" in evaluation.refusal
    assert not evaluation.covers


def value_of(low: float, high: float) -> Value:
    return Value(
        estimate=(low + high) / 2, low=low, high=high, se=0.1, ess=500.0, largest_weight=1.0,
        mean_weight=1.0, mean_weight_se=0.1, n_rows=9, n_customers=9, estimator="dr", level=0.95,
    )  # fmt: skip


@pytest.mark.parametrize(("truth", "covers"), [(0.1, True), (0.2, True), (0.09, False)])
def test_an_interval_covers_what_lies_in_it(truth: float, *, covers: bool) -> None:
    evaluation = Evaluation(value=value_of(0.1, 0.2), refusal="", truth=truth)

    assert evaluation.covers is covers


def test_a_trial_counts_what_is_covered_and_what_is_refused() -> None:
    evaluations = (
        Evaluation(value=value_of(0.1, 0.2), refusal="", truth=0.15),
        Evaluation(value=value_of(0.1, 0.2), refusal="", truth=0.3),
        Evaluation(value=None, refusal="too few", truth=0.15),
    )
    told = Trial(
        shares={"thompson": np.array([0.5, 0.6, 0.7]), "greedy": np.array([0.4, 0.5, 0.6])},
        missed={},
        redemptions={},
        evaluations=evaluations,
        best_fixed_offer="campaign 18",
    )

    assert (told.n_seeds, told.n_covered, told.n_refused) == (3, 1, 1)
    difference = told.thompson_minus_greedy(rng=np.random.default_rng(1))
    assert difference.low == pytest.approx(difference.high) == pytest.approx(0.1)


def test_two_processes_give_what_one_gives(parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = trial._together(try_seeds(parcel, range(2)), parcel.offers)
    monkeypatch.setattr(trial, "_MIN_SEEDS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    shared = try_policies(parcel, seeds=range(2))

    for name, share in alone.shares.items():
        assert shared.shares[name].tolist() == share.tolist()
    assert [one.truth for one in shared.evaluations] == [one.truth for one in alone.evaluations]
    assert shared.redemptions == alone.redemptions


def test_where_no_process_can_be_started_one_does_it_all(
    parcel: Parcel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(38, "Function not implemented")

    cut = replace(parcel, contacts=parcel.contacts[:60])
    alone = try_policies(cut, seeds=range(2))
    monkeypatch.setattr(trial, "_MIN_SEEDS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(trial, "ProcessPoolExecutor", refuse)

    told = try_policies(cut, seeds=range(2))

    assert told.shares["thompson"].tolist() == alone.shares["thompson"].tolist()


def test_greedy_and_thompson_run_on_their_own(parcel: Parcel) -> None:
    (tried,) = try_seeds(parcel, [1])

    thompson, greedy = tried.regrets["thompson"], tried.regrets["greedy"]
    assert thompson.chosen.tolist() != greedy.chosen.tolist()
    assert thompson.uniform.sum() == pytest.approx(greedy.uniform.sum(), rel=0.1)


def test_another_state_has_another_fingerprint_and_a_restart_says_so(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "shop.sqlite"
    selector = selector_of(world, seed=5)
    cut = replace(world, contacts=world.contacts[:80])
    with open_engine(cut, selector, journal=file) as engine:
        live(engine, cut, seed=5)
        known = engine.fingerprint()

    with open_engine(cut, selector, journal=file) as engine:
        same = restart(engine, cut, known=known, seed=5)
        contact = world.contacts[80]
        engine.decide(
            contact.household, placement="visit", context=contact.context, at=contact.at_us, id="x"
        )
        other = restart(engine, cut, known=known, seed=5)

    assert same.is_identical
    assert same.n_learned > 0
    assert (same.replayed.n_different, same.replayed.n_not_replayable) == (0, 0)
    assert not other.is_identical


def test_a_replay_under_another_policy_does_not_pass_for_the_same(world: World) -> None:
    cut = replace(world, contacts=world.contacts[:40])
    engine = open_engine(cut, selector_of(cut, explorer=Greedy(), seed=5), journal=MemoryJournal())
    live(engine, cut, seed=5)

    told = restart(engine, cut, known=engine.fingerprint(), seed=5)

    assert told.replayed.n_same == 0
    assert told.replayed.n_not_replayable > 0


def test_who_leaves_gets_the_fallback_and_its_rows_and_lessons_are_gone(
    shop: story.Shop, models: story.Models, few: Extract, tmp_path: Path
) -> None:
    own = story.open_shop(
        few, consent_file=tmp_path / "consent.sqlite", rng=np.random.default_rng(1)
    )
    world = replace(open_world(shop, models), consent=own.consent)
    file = tmp_path / "shop.sqlite"
    with own.ledger, open_engine(world, selector_of(world, seed=5), journal=file) as engine:
        run = live(engine, world, seed=5)
        told = leave(engine, world, run, file=file)
        rows = [row for _, row in engine.journal.read()]
        history = own.ledger.history(told.household)

    assert told.decision.mode == "fallback"
    assert told.decision.reasons == ("consent: withdrawn",)
    assert not told.decision.logged
    assert told.n_redeemed == max(run.redeemed.values()) > 0
    assert told.n_own_before > 0
    assert told.n_own_after == 0
    assert told.n_erased > told.n_own_before  # its exposures and redemptions too
    assert told.n_rows_after == told.n_rows_before - told.n_erased + 1
    assert 0 < told.n_learned_before - told.n_learned_after <= told.n_own_before
    assert all(getattr(row, "customer", None) != told.household for row in rows)
    assert any("recommender" in words for words in told.residual)
    assert history[-1].kind == "withdraw"


def test_the_figures_are_those_of_the_steps(
    decisions: tuple[Decisions, list[str], Path],
) -> None:
    found, _, _ = decisions
    figures = found.figures()

    assert figures["state_identical"] is True
    assert figures["replay_differs"] == 0
    assert figures["replayed"] == found.run.modes["personalised"]
    assert figures["erased"] == found.leaving.n_erased > 0
    assert figures["regret_share"]["best_fixed"] < 1
    low, high = (figures["thompson_minus_greedy"][end] for end in ("low", "high"))
    shares = figures["regret_share"]
    assert low <= shares["thompson"] - shares["greedy"] <= high
    assert 0 < figures["decide_us"]["p50"] <= figures["decide_us"]["p99"]


def test_where_the_log_does_not_support_it_the_refusal_is_told_and_no_figure(
    decisions: tuple[Decisions, list[str], Path],
) -> None:
    found, lines, _ = decisions

    assert found.figures()["ope"]["estimate"] is None
    assert found.figures()["ope_covered_of_20"] == 0
    assert any("refused: the log does not support this policy" in line for line in lines)
    assert any("Lift against the holdout: refused:" in line for line in lines)


def test_wherever_answers_are_told_it_is_said_that_they_are_simulated(
    decisions: tuple[Decisions, list[str], Path],
) -> None:
    _, lines, _ = decisions

    assert "SIMULATION" in lines[2]
    assert all("simulat" in line for line in lines if "redemptions. A decision" in line)


def test_the_journal_can_be_read_with_plain_sql(
    decisions: tuple[Decisions, list[str], Path],
) -> None:
    found, _, folder = decisions
    with closing(sqlite3.connect(folder / "decisions.sqlite")) as connection:
        modes = dict(connection.execute("select mode, count(*) from decisions group by mode"))
        (n_accepted,) = connection.execute("select sum(accepted) from decisions").fetchone()

    assert modes["fallback"] == found.run.modes["fallback"] + 1  # the household that left
    assert n_accepted == found.run.n_redeemed - found.leaving.n_redeemed
    assert not list(folder.glob("*-wal"))
    assert not list(folder.glob("*-shm"))


@pytest.mark.parametrize(
    ("difference", "claim"),
    [
        (Interval(-0.1, -0.2, -0.01), "Thompson sampling misses less"),
        (Interval(0.1, 0.01, 0.2), "greedy misses less"),
        (Interval(0.0, -0.1, 0.1), "not told apart"),
    ],
)
def test_a_policy_is_praised_only_where_the_interval_leaves_out_0(
    difference: Interval, claim: str
) -> None:
    assert claim in difference_of_policies(difference)


def test_an_estimate_is_told_beside_the_truth(
    decisions: tuple[Decisions, list[str], Path],
) -> None:
    found, _, _ = decisions
    evaluation = Evaluation(value=value_of(0.1, 0.2), refusal="", truth=0.1234)

    told = " ".join(tell_evaluation(evaluation, found.trial, lifted=found.lifted))

    assert "0.1500 (0.1000 to 0.2000); true in the simulation 0.1234" in told
    assert "500 effective households" in told
