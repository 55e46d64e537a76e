"""Early answers by themselves: what a silence is worth, and which share of answers has come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1 import Goal, Offer, OfferSelector
from seg1.decide import EarlyAnswers
from seg1.decide.early import Shares, expected_answer, policy_version
from seg1.errors import InvalidArgumentError
from seg1.journal import Decided
from seg1.testing.journal import _decided

DAY = 86_400 * 1_000_000
CHANCES = st.floats(0.0, 1.0)


def row(
    *, at: int = 0, placement: str = "app", offer: str | None = "tea", days: int = 7
) -> Decided:
    return _decided("visit-1", customer=7)._replace(
        at_us=at, placement=placement, offer=offer, outcome_us=days * DAY
    )


def shares_of(*pairs: tuple[float, float], min_answers: int = 1) -> Shares:
    shares = Shares(EarlyAnswers(min_answers=min_answers))
    for early, final in pairs:
        shares.count(row(), early=early, final=final)
    return shares


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"hours": 0}, "hours must be a finite number > 0"),
        ({"hours": float("nan")}, "hours must be a finite number > 0"),
        ({"hours": 1e-11}, "hours must come to a microsecond at least"),
        ({"hours": 1e305}, "hours must be at most 876600"),
        ({"min_answers": 0}, "min_answers must be an int >= 1"),
        ({"half_life_days": -1.0}, "half_life_days must be a finite number > 0"),
    ],
)
def test_a_value_out_of_range_is_refused(named: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        EarlyAnswers(**named)  # type: ignore[arg-type]  # on purpose


@given(chance=CHANCES, share=st.floats(0.1, 1.0))
def test_answered_and_silent_come_to_the_chance_that_was_believed(
    chance: float, share: float
) -> None:
    answered, silent = (
        expected_answer(so_far, expected=chance, share=share, is_reward=False)
        for so_far in (1.0, 0.0)
    )

    n_answered = share * chance
    mean = n_answered * answered + (1.0 - n_answered) * silent
    assert mean == pytest.approx(chance, abs=1e-12)


@given(chance=CHANCES, believed=CHANCES, share=st.floats(0.1, 1.0))
def test_a_wrong_belief_is_moved_towards_the_truth_and_not_past_it(
    chance: float, believed: float, share: float
) -> None:
    answered, silent = (
        expected_answer(so_far, expected=believed, share=share, is_reward=False)
        for so_far in (1.0, 0.0)
    )

    mean = share * chance * answered + (1.0 - share * chance) * silent
    low, high = sorted((chance, believed))
    assert low - 1e-12 <= mean <= high + 1e-12


@given(believed=st.floats(-5.0, 5.0), share=st.floats(0.1, 2.0), so_far=st.sampled_from([0.0, 1.0]))
def test_an_early_acceptance_lies_between_0_and_1(
    believed: float, share: float, so_far: float
) -> None:
    answer = expected_answer(so_far, expected=believed, share=share, is_reward=False)

    assert 0.0 <= answer <= 1.0


@pytest.mark.parametrize(("so_far", "share", "answer"), [(1, 1, 1), (0, 1, 0), (1, 1.25, 0.8)])
def test_where_nothing_more_comes_a_silence_is_a_no(
    so_far: float, share: float, answer: float
) -> None:
    found = expected_answer(so_far, expected=0.3, share=share, is_reward=False)

    assert found == pytest.approx(answer)


@given(st.floats(-50.0, 50.0), st.floats(0.1, 2.0))
def test_a_reward_that_is_as_expected_comes_to_what_was_expected(
    expected: float, share: float
) -> None:
    found = expected_answer(share * expected, expected=expected, share=share, is_reward=True)

    assert found == pytest.approx(expected, abs=1e-9)


def test_a_share_is_what_had_come_early_of_all_that_came() -> None:
    shares = shares_of((1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (1.0, 1.0), (0.0, 1.0))

    assert shares.of(row()) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "is_known"), [(3, False), (4, True)])
def test_a_share_is_not_told_of_too_few_answers(n: int, *, is_known: bool) -> None:
    shares = shares_of(*[(1.0, 1.0)] * n, *[(0.0, 0.0)] * 50, min_answers=4)

    assert (shares.of(row()) is not None) == is_known


@pytest.mark.parametrize(
    ("pairs", "share"),
    [
        ([], None),
        ([(0.0, 1.0)] * 9, None),
        ([(0.0, 1.0)] * 10 + [(1.0, 1.0)], None),
        ([(0.0, 1.0)] * 9 + [(1.0, 1.0)], 0.1),
        ([(1.0, 0.0), (1.0, 1.0)], 2.0),
        ([(1.0, 0.0)] * 2 + [(1.0, 1.0)], None),
        ([(5.0, -5.0), (5.0, 5.0)], None),
        ([(5.0, -5.0), (5.0, 4.0)], None),
    ],
)
def test_a_share_is_told_where_it_tells_enough(
    pairs: list[tuple[float, float]], share: float | None
) -> None:
    assert shares_of(*pairs).of(row()) == (None if share is None else pytest.approx(share))


def test_shares_are_told_apart_by_placement_window_and_whether_there_was_an_offer() -> None:
    shares = shares_of((1.0, 2.0))
    others = [row(placement="till"), row(days=8), row(offer=None)]

    assert [shares.of(other) for other in (row(), *others)] == [0.5, None, None, None]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_closed_decision_counts_half_after_every_half_life(order: tuple[int, int]) -> None:
    counted = [(row(at=0), 1.0, 2.0), (row(at=90 * DAY), 1.0, 1.0)]
    shares = Shares(EarlyAnswers(min_answers=1))

    for place in order:
        decided, early, final = counted[place]
        shares.count(decided, early=early, final=final)

    assert shares.of(row()) == pytest.approx((0.5 + 1.0) / (1.0 + 1.0))


def test_without_a_half_life_nothing_is_forgotten() -> None:
    shares = Shares(EarlyAnswers(min_answers=2, half_life_days=None))
    shares.count(row(at=0), early=0.0, final=1.0)
    shares.count(row(at=9_000 * DAY), early=1.0, final=1.0)

    assert shares.of(row()) == 0.5


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([0.0, 1.0]),
                       st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1),
)  # fmt: skip
def test_a_recount_comes_to_the_same_as_having_counted_it(
    counted: list[tuple[int, float, float, float]],
) -> None:
    late, once = (Shares(EarlyAnswers(min_answers=1)) for _ in range(2))

    for day, early, before, after in counted:
        late.count(row(at=day * DAY), early=early, final=before)
        once.count(row(at=day * DAY), early=early, final=after)
    for day, _, before, after in counted:
        late.recount(row(at=day * DAY), before=before, after=after)

    for mine, theirs in zip(late._sums.values(), once._sums.values(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_a_policy_is_named_by_its_delay_model_too() -> None:
    selector = OfferSelector([Offer("tea")], goal=Goal.response())
    models = [None, EarlyAnswers(), EarlyAnswers(hours=6), EarlyAnswers(hours=6.0)]

    names = [policy_version(selector, model) for model in models]

    assert names[0] == selector.version
    assert len(set(names)) == 3
    assert names[2] == names[3]
