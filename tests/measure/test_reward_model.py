"""The reward model: against plain Python, and folds that stay."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_measure import slow_model
from small_log import a_log

from seg1.measure.reward_model import block_sums, folds_of, leave_one_out, predict, solve


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_model_is_what_the_formula_says(seed: int) -> None:
    log = a_log(seed)
    rows = np.arange(0, len(log), 2)
    S, b = block_sums(
        log.states.context,
        arm=log.arm,
        reward=log.reward,
        rows=rows,
        block=np.zeros(len(rows), np.int32),
        n_blocks=1,
        n_arms=4,
    )

    coefficients = solve(S[0], b[0])

    assert np.allclose(coefficients.T, slow_model(log, rows.tolist()), atol=1e-10)


def test_a_block_is_predicted_by_the_model_of_the_others() -> None:
    log = a_log(1)
    fold = (log.customer_index % 3).astype(np.int32)
    S, b = block_sums(
        log.states.context,
        arm=log.arm,
        reward=log.reward,
        rows=np.arange(len(log)),
        block=fold,
        n_blocks=3,
        n_arms=4,
    )
    models = np.array(
        [solve(*pair) for pair in zip(leave_one_out(S), leave_one_out(b), strict=True)]
    )

    expected = predict(log.states.context, models, block=fold)

    for row in range(0, len(log), 7):
        others = [i for i in range(len(log)) if fold[i] != fold[row]]
        constant, slope = np.array(slow_model(log, others)).T
        assert np.allclose(expected[row], constant + slope * log.states.context[row, 0])


def test_without_rows_nothing_is_expected() -> None:
    assert solve(np.zeros((3, 2, 2)), np.zeros((3, 2))).tolist() == [[0.0] * 3] * 2


def test_an_arm_never_chosen_has_the_shared_model() -> None:
    coefficients = solve(np.array([[[50.0]], [[0.0]]]), np.array([[5.0], [0.0]]))

    assert np.allclose(coefficients, 0.1)


def test_a_feature_that_is_always_0_has_no_coefficient() -> None:
    S = np.array([[[10.0, 0.0], [0.0, 0.0]]])

    assert np.allclose(solve(S, np.array([[5.0, 0.0]])), [[0.5], [0.0]])


def test_many_arms_are_sorted_right() -> None:
    arm = np.arange(40_000, dtype=np.int32)[::-1]

    S, b = block_sums(
        np.zeros((40_000, 0)),
        arm=arm,
        reward=arm.astype(np.float64),
        rows=np.arange(40_000),
        block=np.zeros(40_000, np.int32),
        n_blocks=1,
        n_arms=40_000,
    )

    assert (S == 1).all()
    assert b[0, :, 0].tolist() == list(range(40_000))


@pytest.mark.parametrize("ids", [range(20_000), [f"customer-{i}" for i in range(20_000)]])
def test_folds_are_even_and_have_no_pattern(ids: list[str] | range) -> None:
    fold = folds_of(list(ids), n_folds=5)

    counts = np.bincount(fold, minlength=5)
    follows = np.bincount(fold[:-1] * 5 + fold[1:], minlength=25)
    assert ((counts - 4_000) ** 2 / 4_000).sum() < 18.5  # chi2(4), 1 in 1,000
    assert ((follows - 800) ** 2 / 800).sum() < 51.2  # chi2(24), 1 in 1,000


def test_a_customers_fold_is_its_own_and_the_same_in_every_process() -> None:
    code = (
        "from seg1.measure.reward_model import folds_of;"
        "print(folds_of(['ann', 'zoe', 'eve'], n_folds=7).tolist())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    here = [int(folds_of([name], n_folds=7)[0]) for name in ("ann", "zoe", "eve")]

    assert told.strip() == str(here)
