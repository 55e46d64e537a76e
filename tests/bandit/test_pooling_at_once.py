"""Effects on several groups at once, and what is kept of a customer."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1._types import Id
from seg1.bandit import PartialPooling, PooledHistory
from seg1.errors import InvalidTypeError, WrongIdTypeError

DAY = 86_400 * 1_000_000
GROUPS: tuple[Id | None, ...] = (0, 1, 2, None)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.sampled_from([None, "new", "loyal"]),
        st.sampled_from(GROUPS[1:]),
        st.integers(0, 3),
    ),
    max_size=20,
)


def history_of(rows: list[tuple[int, float, str | None, Id | None, int]]) -> PooledHistory:
    history = PartialPooling(half_life_days=10.0).start()
    for customer, answer, segment, group, day in rows:
        history.fold(customer, answer, expected=0.2, segment=segment, group=group, at_us=day * DAY)
    return history


@given(ROWS, st.integers(0, 4), st.sampled_from([None, "new", "gone"]))
def test_several_groups_at_once_are_as_one_by_one(
    rows: list[tuple[int, float, str | None, Id | None, int]], customer: int, segment: str | None
) -> None:
    history = history_of(rows)

    told = history.effects(customer, segment, groups=GROUPS)

    assert told == [history.effect(customer, segment, group=group) for group in GROUPS]


def test_few_answers_make_small_differences_and_many_the_whole() -> None:
    rng = np.random.default_rng(3)
    few, many = PartialPooling().start(), PartialPooling().start()
    for history, n_days in ((few, 3), (many, 300)):
        for day in range(n_days):
            for customer, chance in enumerate((0.1, 0.9)):
                answer = float(rng.random() < chance)
                history.fold(customer, answer, expected=0.5, at_us=day * DAY)

    assert 0 < few.effect(1) < 0.25
    assert many.effect(1) > 0.35


def test_an_id_counts_by_its_value_whatever_holds_it() -> None:
    history = history_of([(0, 1.0, None, 1, 0), (3, 0.0, None, 1, 0)] * 9)
    history.fold(0, 1.0, expected=0.2, group=1, at_us=DAY)  # another tick: it is reckoned anew
    number: Any = np.int64(1)

    assert history.effects(0, groups=[number]) == history.effects(0, groups=[1]) != [0.0]


@pytest.mark.parametrize(
    ("customer", "segment", "group", "error"),
    [
        ("0", None, 1, WrongIdTypeError),
        (0, 7, 1, WrongIdTypeError),
        (0, "new", "1", WrongIdTypeError),
        (0, "new", True, InvalidTypeError),
        (0, "new", 1.0, InvalidTypeError),
        (True, "new", 1, InvalidTypeError),
    ],
)
def test_what_is_no_id_or_of_another_kind_is_refused(
    customer: Any, segment: Any, group: Any, error: type[Exception]  # noqa: ANN401
) -> None:  # fmt: skip
    history = history_of([(0, 1.0, "new", 1, 0)])

    with pytest.raises(error):
        history.effects(customer, segment, groups=[group])


def test_what_is_kept_of_a_customer_is_told_by_place() -> None:
    history = history_of(
        [
            (0, 1.0, "new", 1, 0),
            (0, 0.0, "new", 1, 0),
            (0, 1.0, None, None, 0),
            (1, 1.0, None, 2, 0),
        ]
    )

    told = history.held(0)

    assert [(held["group"], held["segment"], held["n_rows"]) for held in told] == [
        (1, "new", 2), (None, None, 1),
    ]  # fmt: skip
    assert told[0]["weight"] == 2.0
    assert told[0]["residual"] == pytest.approx(0.6)
    assert told[0]["square"] == pytest.approx(0.64 + 0.04)
    assert history.held(9) == []
