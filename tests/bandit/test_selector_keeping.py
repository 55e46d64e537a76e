"""What a selector keeps: saved and taken up again, warm starts, corrections, and its reasons."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seg1._checks import DAY_US
from seg1._types import Bools, Float64s
from seg1.bandit import (
    ContextSchema,
    HybridLinear,
    LadderLinear,
    OfferSelector,
    PerOfferLinear,
    SharedLinear,
)
from seg1.errors import DamagedError, InvalidArgumentError
from seg1.events import Vocabulary
from seg1.journal import DecisionLog
from seg1.journal.log import States
from seg1.offers import Goal, Offer

OFFERS = [
    Offer("tea", worth=2.0, features={"hot": 1.0}),
    Offer("cola", prices=[2.0, 1.5], features={"hot": 0.0}),
    Offer("soup", worth=1.0, features={"hot": 1.0}),
]
CONTEXT = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app", "till"]})
MARGIN = Goal.margin(contact_cost=0.02)
REWARD = Goal.incremental(reward_cap=5.0, window_days=7)
POSTERIORS = pytest.mark.parametrize(
    "posterior",
    [PerOfferLinear(), SharedLinear(), HybridLinear(), LadderLinear(), HybridLinear(link="logit")],
    ids=repr,
)


def selector(**options: Any) -> OfferSelector:  # noqa: ANN401
    return OfferSelector(OFFERS, **{"goal": MARGIN, "context": CONTEXT, "seed": 7, **options})


def visited(chosen_by: OfferSelector, *, first: int, last: int) -> list[tuple[int, float]]:
    """Choose and learn for some visits; give what was chosen and how likely it was."""
    told = []
    for i in range(first, last):
        choice = chosen_by.choose({"hour": i % 24, "channel": "app"}, id=i, at=i * DAY_US // 9)
        accepted = choice.offer is not None and (i * 7919) % 5 < 2
        chosen_by.learn(choice, accepted=accepted, at=choice.at_us)
        told.append((choice.arm, choice.action_prob))
    return told


@POSTERIORS
def test_a_selector_taken_up_again_goes_on_bit_for_bit(posterior: Any, tmp_path: Path) -> None:  # noqa: ANN401
    through = selector(posterior=posterior)
    visited(through, first=0, last=60)
    through.save(tmp_path / "selector")

    again = selector(posterior=posterior)
    again.resume(tmp_path / "selector")

    assert again.n_learned == through.n_learned
    assert visited(again, first=60, last=120) == visited(through, first=60, last=120)


def test_what_was_saved_under_other_offers_is_not_taken_up(tmp_path: Path) -> None:
    selector().save(tmp_path / "selector")
    warmer = [Offer("tea", worth=2.0, features={"hot": 9.0}), *OFFERS[1:]]

    for other in (
        OfferSelector(OFFERS[:2], goal=MARGIN, context=CONTEXT),
        OfferSelector(warmer, goal=MARGIN, context=CONTEXT),
        selector(context=ContextSchema()),
        selector(floor=0.5),
        selector(posterior=PerOfferLinear()),
    ):
        with pytest.raises(InvalidArgumentError, match="give the same offers, context, goal"):
            other.resume(tmp_path / "selector")
        assert other.n_learned == 0


def test_a_damaged_folder_is_not_taken_up(tmp_path: Path) -> None:
    chosen_by = selector()
    visited(chosen_by, first=0, last=20)
    chosen_by.save(tmp_path / "selector")
    file = next((tmp_path / "selector").glob("inverse*"))
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))

    again = selector()
    with pytest.raises(DamagedError):
        again.resume(tmp_path / "selector")

    assert again.n_learned == 0


def test_a_golden_run_stays_what_it_was() -> None:
    # Figures of the first version that could be saved: learning and drawing have not moved.
    runs = {
        "per offer": visited(selector(posterior=PerOfferLinear()), first=0, last=40),
        "hybrid": visited(selector(posterior=HybridLinear()), first=0, last=40),
        "ladder": visited(selector(), first=0, last=40),
    }

    told = {
        name: ([arm for arm, _ in run][-8:], round(sum(p for _, p in run), 3))
        for name, run in runs.items()
    }

    for name, (arms, total) in GOLDEN.items():
        assert told[name][0] == arms, name
        assert told[name][1] == pytest.approx(total, abs=0.01), name


GOLDEN: dict[str, tuple[list[int], float]] = {
    "per offer": ([1, 1, 3, 1, 1, 0, 2, 1], 23.542),
    "hybrid": ([0, 0, 0, 0, 0, 0, 0, 1], 34.743),
    "ladder": ([1, 1, 1, 1, 1, 0, 1, 1], 31.678),
}


def log_of(chosen_by: OfferSelector, *, n_rows: int) -> tuple[DecisionLog, list[Any]]:
    """A log as a journal would give it, and the choices it is of."""
    rng = np.random.default_rng(0)
    choices = [chosen_by.choose({"hour": i % 24}, id=i, at=i * DAY_US // 9) for i in range(n_rows)]
    arm = np.array([choice.arm for choice in choices], np.int32)
    accepted = (rng.random(n_rows) < 0.4) & (chosen_by.arms.offer_index[arm] >= 0)
    reward = chosen_by.arms.worth[arm] * accepted - chosen_by.arms.contact_cost[arm]
    log = DecisionLog(
        states=States(
            arms=chosen_by.arms,
            context=np.array([choice.x for choice in choices]),
            eligible=np.ones((n_rows, len(chosen_by.arms)), np.bool_),
            at_us=np.array([choice.at_us for choice in choices]),
        ),
        arm=arm,
        action_prob=np.array([choice.action_prob for choice in choices]),
        reward=reward,
        customers=Vocabulary(["ana"]),
        customer_index=np.zeros(n_rows, np.int32),
        is_control=np.arange(n_rows) % 10 == 0,
        holdout_prob=np.full(n_rows, 0.1),
    )
    return log, list(zip(choices, accepted, strict=True))


def test_a_warm_start_is_as_if_each_answer_had_been_learned() -> None:
    options: dict[str, Any] = {"posterior": HybridLinear()}
    log, answers = log_of(selector(**options), n_rows=80)
    warm, one_by_one = selector(**options), selector(**options)

    n_rows = warm.warm_start(log)

    for i, (choice, accepted) in enumerate(answers):
        if i % 10:
            one_by_one.learn(choice, accepted=bool(accepted), at=choice.at_us)
    assert n_rows == warm.n_learned == one_by_one.n_learned > 0
    assert visited(warm, first=80, last=90) == visited(one_by_one, first=80, last=90)


def test_a_warm_start_learns_answers_less_the_effects_of_the_customers() -> None:
    log, answers = log_of(selector(posterior=PerOfferLinear()), n_rows=80)
    effects = np.random.default_rng(1).normal(0.0, 0.1, size=(80, len(OFFERS) + 1))
    warm = selector(posterior=PerOfferLinear())
    state, arms = warm.start(), warm.arms

    warm.warm_start(replace(log, states=replace(log.states, effects=effects)))

    for i, (choice, accepted) in enumerate(answers):
        offer = arms.offer_index[choice.arm]
        if i % 10 and offer >= 0:
            state.fold(choice.arm, choice.x, accepted - effects[i, offer], at_us=choice.at_us)
    learned = warm._state.to_arrays()
    assert all((learned[name] == array).all() for name, array in state.to_arrays().items())


def test_a_log_that_does_not_fit_teaches_nothing() -> None:
    log, _ = log_of(selector(), n_rows=20)
    fewer = OfferSelector(OFFERS[:2], goal=MARGIN, context=CONTEXT)
    bare = selector(context=ContextSchema())
    dearer = selector(goal=Goal.margin(contact_cost=0.5))

    for other, message in [
        (fewer, "other arms"),
        (bare, "must have 1 features and no affinity, got 7 and 0"),
        (dearer, "neither an acceptance nor a refusal"),
    ]:
        with pytest.raises(InvalidArgumentError, match=message):
            other.warm_start(log)
        assert other.n_learned == 0


@pytest.mark.parametrize("column", ["context", "effects"])
def test_a_log_with_a_row_that_cannot_be_learned_teaches_nothing(column: str) -> None:
    chosen_by = selector()
    log, _ = log_of(chosen_by, n_rows=20)
    numbers: dict[str, Any] = {
        "context": log.states.context.copy(),
        "effects": np.zeros((20, len(OFFERS) + 1)),
    }
    numbers[column][10:] = np.nan

    with pytest.raises(InvalidArgumentError, match="must be finite"):
        chosen_by.warm_start(replace(log, states=replace(log.states, **numbers)))

    assert chosen_by.n_learned == 0


def test_rewards_above_the_cap_are_counted() -> None:
    chosen_by = selector(goal=REWARD)
    for i, reward in enumerate([4.0, 5.0, 5.5, 100.0, -1.0]):
        choice = chosen_by.choose({"hour": 3}, id=i, at=0)
        chosen_by.learn(choice, reward=reward, at=0)

    assert (chosen_by.n_capped, chosen_by.n_learned) == (2, 5)


def test_a_reward_warms_up_to_the_cap() -> None:
    log, answers = log_of(selector(goal=REWARD), n_rows=30)
    warm, one_by_one = selector(goal=REWARD), selector(goal=REWARD)

    warm.warm_start(log)

    for i, (choice, _) in enumerate(answers):
        if i % 10:
            one_by_one.learn(choice, reward=float(log.reward[i]), at=choice.at_us)
    x = CONTEXT.encode({"hour": 3})
    assert warm._state.belief(x).mean.tolist() == one_by_one._state.belief(x).mean.tolist()


@pytest.mark.parametrize("goal", [MARGIN, REWARD], ids=["accepted", "reward"])
def test_a_corrected_answer_is_as_if_it_had_been_told_so(goal: Goal) -> None:
    wrong, right = (selector(goal=goal, posterior=PerOfferLinear()) for _ in range(2))
    choice = wrong.choose({"hour": 3}, id=1, at=0, allow=["tea"])
    told: Any = {"accepted": True} if goal is MARGIN else {"reward": 4.0}
    other: Any = {"accepted": False} if goal is MARGIN else {"reward": 9.0}

    wrong.learn(choice, at=0, **other)
    wrong.correct(choice, before=0.0 if goal is MARGIN else 9.0, **told)
    right.learn(choice, at=0, **told)

    x = CONTEXT.encode({"hour": 3})
    assert wrong._state.belief(x).mean == pytest.approx(right._state.belief(x).mean, abs=1e-12)


@POSTERIORS
def test_reasons_add_up_to_the_difference_in_value(posterior: Any) -> None:  # noqa: ANN401
    chosen_by = selector(posterior=posterior)
    visited(chosen_by, first=0, last=80)
    choice = chosen_by.choose({"hour": 9, "channel": "till"}, id="x", at=9 * DAY_US, deny=["cola"])

    reasons = chosen_by.reasons(choice)

    assert {told.feature for told in reasons.contributions} <= {
        "intercept", "hour", "channel=till",
    }  # fmt: skip
    sizes = [abs(told.amount) for told in reasons.contributions]
    assert sizes == sorted(sizes, reverse=True)
    if posterior.link == "identity":
        eligible = choice.probabilities > 0
        value = chosen_by.probabilities(
            chosen_by._state, choice.x, eligible=eligible
        ).value  # fmt: skip
        others = np.where(eligible, value, -np.inf)
        others[choice.arm] = -np.inf
        assert reasons.runner_up == chosen_by.arms.arms[int(others.argmax())]
        assert reasons.difference == pytest.approx(value[choice.arm] - others.max(), abs=1e-9)


def test_where_nothing_else_could_be_drawn_there_is_no_runner_up() -> None:
    chosen_by = selector(no_offer=False, posterior=PerOfferLinear())
    choice = chosen_by.choose({"hour": 9}, id=1, at=0, allow=["tea"])
    chosen_by.learn(choice, accepted=True, at=0)

    reasons = chosen_by.reasons(choice)

    assert reasons.arm.offer == "tea"
    assert reasons.runner_up is None
    assert reasons.difference > 0


class Even:
    """An explorer without a repr of its own."""

    needs_floor = False

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def probabilities(self, mean: Float64s, sd: Float64s, *, eligible: Bools) -> Float64s:  # noqa: ARG002
        even: Float64s = eligible / eligible.sum()
        return even


def test_what_was_saved_with_a_part_of_ones_own_is_taken_up_again(tmp_path: Path) -> None:
    saving, other = selector(explorer=Even()), selector(explorer=Even())
    visited(saving, first=0, last=9)

    saving.save(tmp_path / "kept")
    other.resume(tmp_path / "kept")

    assert other.n_learned == saving.n_learned > 0


def test_a_part_of_ones_own_with_other_settings_is_another(tmp_path: Path) -> None:
    selector(explorer=Even()).save(tmp_path / "kept")

    with pytest.raises(InvalidArgumentError, match="needs a repr that is alike in every process"):
        selector(explorer=Even(weight=2.0)).resume(tmp_path / "kept")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"nowhere.*give the folder that was saved to"):
        selector().resume(tmp_path / "nowhere")
