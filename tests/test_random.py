"""Keyed draws: decided by seed, purpose, id and attempt, and by nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from seg1._random import keyed_uniform

ids = st.text(max_size=20) | st.integers(-(2**40), 2**40)


@given(st.integers(0, 2**32), st.text(max_size=10), ids, st.integers(0, 5))
def test_a_draw_can_be_made_again(
    seed: int, purpose: str, draw_id: str | int, attempt: int
) -> None:
    draws = {
        keyed_uniform(seed, purpose=purpose, draw_id=draw_id, attempt=attempt) for _ in range(2)
    }

    assert len(draws) == 1
    assert all(0 <= u < 1 and u * 2**53 == int(u * 2**53) for u in draws)


@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.text(max_size=4), ids, st.integers(0, 9)),
        min_size=2,
        max_size=20,
        unique_by=lambda key: (key[0], key[1], type(key[2]), key[2], key[3]),
    )
)
def test_no_two_keys_share_a_draw(keys: list[tuple[int, str, str | int, int]]) -> None:
    draws = [keyed_uniform(s, purpose=p, draw_id=i, attempt=a) for s, p, i, a in keys]

    assert len(set(draws)) == len(draws)


def test_draws_are_even() -> None:
    draws = np.array([keyed_uniform(7, purpose="arm", draw_id=n) for n in range(20_000)])

    assert kstest(draws, "uniform").pvalue > 1e-3


def test_two_purposes_of_one_id_are_not_related() -> None:
    pairs = np.array(
        [
            [keyed_uniform(7, purpose=p, draw_id=n) for p in ("arm", "fallback")]
            for n in range(5_000)
        ]
    )

    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.05
