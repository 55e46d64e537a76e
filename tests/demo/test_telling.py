"""What the text claims follows the intervals."""

import pytest

from seg1.demo.story import Comparison
from seg1.demo.telling import difference_words
from seg1.recommend.metrics import Interval


def words(*, habit: Interval, new: Interval) -> str:
    comparison = Comparison(
        all_products={},
        new_products={},
        als_minus_popularity=new,
        buy_again_minus_als=habit,
        n_households=3,
    )
    return " ".join(difference_words(comparison))


@pytest.mark.parametrize(
    ("new", "claim"),
    [
        (Interval(0.02, 0.01, 0.03), "that is where ALS earns its place"),
        (Interval(0.01, -0.01, 0.03), "the interval includes 0"),
        (Interval(-0.02, -0.03, -0.01), "popularity is better on this draw"),
    ],
)
def test_als_is_praised_only_where_its_interval_lies_above_0(new: Interval, claim: str) -> None:
    assert claim in words(habit=Interval(0.1, 0.05, 0.2), new=new)


@pytest.mark.parametrize(
    ("habit", "claim"),
    [
        (Interval(0.1, 0.05, 0.2), "habit wins"),
        (Interval(0.1, -0.05, 0.2), "habit and ALS are not told apart"),
    ],
)
def test_habit_is_praised_only_where_its_interval_lies_above_0(habit: Interval, claim: str) -> None:
    assert claim in words(habit=habit, new=Interval(0.0, -0.1, 0.1))
