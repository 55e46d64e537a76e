"""`PerOfferLinear`: sums, their decay, and inverses whose bits follow from the rows alone."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._checks import DAY_US
from seg1._types import Float64s
from seg1.bandit import PerOfferLinear, PerOfferState
from seg1.bandit.posteriors.posterior import Layout
from seg1.errors import DamagedError, InvalidArgumentError

N_ARMS, N_FEATURES = 3, 4
CONFIG = PerOfferLinear(half_life_days=10.0, prior_sd=0.7, intercept_sd=0.7)


class Row(NamedTuple):
    arm: int
    x: Float64s
    reward: float
    at_us: int


def some_rows(seed: int, *, n_rows: int = 60, n_days: int = 30) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        Row(
            int(rng.integers(N_ARMS)),
            rng.standard_normal(N_FEATURES),
            float(rng.standard_normal()),
            int(rng.integers(n_days * DAY_US)),
        )
        for _ in range(n_rows)
    ]


def folded(rows: list[Row], config: PerOfferLinear = CONFIG) -> PerOfferState:
    state = config.start(Layout.plain(N_ARMS), n_features=N_FEATURES)
    for row in rows:
        state.fold(row.arm, row.x, row.reward, at_us=row.at_us)
    return state


def twin(
    rows: list[Row], x: Float64s, config: PerOfferLinear = CONFIG
) -> tuple[list[float], list[float]]:
    """Belief by explicitly decayed rows and one solve for each arm."""
    latest = max(row.at_us // DAY_US for row in rows)
    half_life = config.half_life_days or math.inf
    fits = []
    for arm in range(N_ARMS):
        own = [row for row in rows if row.arm == arm]
        w = np.array([0.5 ** ((latest - row.at_us // DAY_US) / half_life) for row in own])
        X = np.array([row.x for row in own]).reshape(-1, len(x))
        r = np.array([row.reward for row in own])
        ridge = config.prior(len(x)) ** -2
        A = np.diag(ridge) + X.T @ (w[:, None] * X)
        theta = np.linalg.solve(A, X.T @ (w * r))
        missed = float(w @ (r - X @ theta) ** 2 + theta @ (ridge * theta))
        fits.append((theta @ x, x @ np.linalg.solve(A, x), missed, w.sum()))
    pooled = (config.noise_sd**2 + sum(f[2] for f in fits)) / (1 + sum(f[3] for f in fits))
    noise = [(len(x) * pooled + missed) / (len(x) + n) for _, _, missed, n in fits]
    spread = [math.sqrt(f[1] * s2) for f, s2 in zip(fits, noise, strict=True)]
    return [float(f[0]) for f in fits], spread


def bits(state: PerOfferState) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state.to_arrays().items()}


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n_rows=st.integers(1, 80))
def test_a_belief_is_that_of_the_decayed_rows_in_whatever_order_they_come(
    seed: int, n_rows: int
) -> None:
    rows = some_rows(seed, n_rows=n_rows)
    x = np.random.default_rng(seed).standard_normal(N_FEATURES)

    mean, sd, _ = folded(rows).belief(x)

    expected_mean, expected_sd = twin(rows, x)
    assert mean == pytest.approx(expected_mean, rel=1e-9, abs=1e-9)
    assert sd == pytest.approx(expected_sd, rel=1e-9, abs=1e-9)


def test_without_a_half_life_nothing_is_forgotten() -> None:
    config = PerOfferLinear(half_life_days=None)
    rows = some_rows(1, n_days=3_000)
    x = np.ones(N_FEATURES)

    mean, sd, _ = folded(rows, config).belief(x)

    expected_mean, expected_sd = twin(rows, x, config)
    assert mean == pytest.approx(expected_mean, rel=1e-9)
    assert sd == pytest.approx(expected_sd, rel=1e-9)


def test_a_row_counts_half_after_a_half_life() -> None:
    config = PerOfferLinear(half_life_days=10.0, intercept_sd=1e6)
    state = config.start(Layout.plain(1), n_features=1)
    state.fold(0, np.ones(1), 1.0, at_us=0)
    state.fold(0, np.ones(1), 0.0, at_us=10 * DAY_US)

    mean, _, _ = state.belief(np.ones(1))

    assert mean.tolist() == pytest.approx([1 / 3])


def test_what_is_long_past_gives_way_to_the_prior() -> None:
    state = folded([Row(0, np.ones(N_FEATURES), 1.0, 0)])
    state.fold(1, np.ones(N_FEATURES), 1.0, at_us=20_000 * DAY_US)

    mean, sd, _ = state.belief(np.ones(N_FEATURES))

    assert mean[0] == pytest.approx(0.0, abs=1e-12)
    assert sd[0] == sd[2]


def test_the_learned_noise_of_a_yes_or_no_answer_is_p_times_1_minus_p() -> None:
    rng = np.random.default_rng(0)
    state = PerOfferLinear(half_life_days=None).start(Layout.plain(2), n_features=1)
    for p, arm in ((0.5, 0), (0.04, 1)):
        for _ in range(4_000):
            state.fold(arm, np.ones(1), float(rng.random() < p), at_us=0)

    _, sd, _ = state.belief(np.ones(1))

    assert (sd**2 * 4_000).tolist() == pytest.approx([0.25, 0.04 * 0.96], rel=0.1)


def test_the_bits_do_not_depend_on_when_a_belief_was_asked_for() -> None:
    rows = some_rows(2)
    quiet = folded(rows)
    asked = CONFIG.start(Layout.plain(N_ARMS), n_features=N_FEATURES)

    for row in rows:
        asked.belief(row.x)
        asked.fold(row.arm, row.x, row.reward, at_us=row.at_us)

    assert bits(asked) == bits(quiet)


@pytest.mark.parametrize("cut", [0, 1, 31, 60])
def test_a_state_made_again_goes_on_bit_for_bit(cut: int) -> None:
    rows = some_rows(3)
    x = np.ones(N_FEATURES)
    through = folded(rows)

    again = CONFIG.from_arrays(folded(rows[:cut]).to_arrays(), Layout.plain(N_ARMS))
    for row in rows[cut:]:
        again.fold(row.arm, row.x, row.reward, at_us=row.at_us)

    assert bits(again) == bits(through)
    assert [a.tobytes() for a in again.belief(x)[:2]] == [
        a.tobytes() for a in through.belief(x)[:2]
    ]
    assert again.n_rows == 60


def test_a_copy_goes_its_own_way() -> None:
    state = folded(some_rows(4))
    before = bits(state)

    state.copy().fold(0, np.ones(N_FEATURES), 1.0, at_us=0)

    assert bits(state) == before


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 60))
def test_merged_states_are_one_pass_over_all_rows(seed: int, cut: int) -> None:
    rows = some_rows(seed)
    x = np.ones(N_FEATURES)
    one_pass = folded(rows)

    merged = folded(rows[:cut]).merge(folded(rows[cut:]))
    turned = folded(rows[cut:]).merge(folded(rows[:cut]))

    for name, array in one_pass.to_arrays().items():
        assert np.allclose(merged.to_arrays()[name], array, rtol=1e-9, atol=1e-9), name
    for state in (merged, turned):
        assert np.allclose(state.belief(x)[:2], one_pass.belief(x)[:2], rtol=1e-9, atol=1e-9)
        assert state.n_rows_of_arm.tolist() == one_pass.n_rows_of_arm.tolist()


def test_nothing_merged_with_nothing_is_nothing() -> None:
    nothing = CONFIG.start(Layout.plain(N_ARMS), n_features=N_FEATURES)

    assert bits(nothing.merge(nothing)) == bits(nothing)


@pytest.mark.parametrize(
    "other",
    [
        PerOfferLinear().start(Layout.plain(N_ARMS), n_features=N_FEATURES),
        CONFIG.start(Layout.plain(2), n_features=N_FEATURES),
        CONFIG.start(Layout.plain(N_ARMS), n_features=2),
    ],
)
def test_states_that_differ_in_kind_cannot_be_merged(other: PerOfferState) -> None:
    with pytest.raises(InvalidArgumentError, match="configuration, arms and features"):
        folded([]).merge(other)


def test_a_correction_gives_what_the_right_answer_would_have_given() -> None:
    rows = some_rows(5)
    wrong = [row._replace(reward=9.0) if i == 7 else row for i, row in enumerate(rows)]
    x = np.ones(N_FEATURES)
    state = folded(wrong)

    row = rows[7]
    state.correct(row.arm, row.x, before=9.0, after=row.reward, at_us=row.at_us)

    assert np.allclose(state.belief(x)[:2], folded(rows).belief(x)[:2], rtol=1e-9, atol=1e-9)
    assert state.n_rows == len(rows)


@pytest.mark.parametrize("n_days", [1, 400])
def test_many_updates_with_directions_never_seen_stay_exact(n_days: int) -> None:
    # A full matrix that is not symmetric to the last bit diverges here.
    rng = np.random.default_rng(6)
    n_rows, n_features = 20_000, 16
    config = PerOfferLinear(half_life_days=30.0, prior_sd=2.0, intercept_sd=2.0)
    state = config.start(Layout.plain(1), n_features=n_features)
    X = rng.standard_normal((n_rows, n_features)) * 10.0 ** -np.arange(n_features)
    X[:, 10:] = 0.0
    r = rng.standard_normal(n_rows)
    day = np.arange(n_rows) * n_days // n_rows
    for i in range(n_rows):
        state.fold(0, X[i], float(r[i]), at_us=int(day[i]) * DAY_US)

    w = 0.5 ** ((day[-1] - day) / 30.0)
    A = np.eye(n_features) / 4.0 + X.T @ (w[:, None] * X)
    kept = state.to_arrays()["inverse"][0]
    rows, columns = np.tril_indices(n_features)
    assert np.abs(kept - np.linalg.inv(A)[rows, columns]).max() <= 1e-8
    assert (
        np.abs(state._regressions.coefficients[0] - np.linalg.solve(A, X.T @ (w * r))).max() <= 1e-8
    )
    assert kept[rows == columns].max() <= 4.0 * (1 + 1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 1e6))
def test_the_spread_of_coefficients_is_never_above_the_priors(seed: int, scale: float) -> None:
    rows = some_rows(seed, n_rows=20)
    state = folded(rows)
    x = np.random.default_rng(seed).standard_normal(N_FEATURES) * scale

    _, sd, _ = state.belief(x)

    assert (
        sd <= CONFIG.prior_sd * np.sqrt(state._regressions.noise) * np.linalg.norm(x) * (1 + 1e-12)
    ).all()


@pytest.mark.parametrize(
    ("arm", "x", "reward", "message"),
    [
        (3, np.ones(N_FEATURES), 1.0, r"arm must lie in \[0, 3\), got 3"),
        (-1, np.ones(N_FEATURES), 1.0, r"arm must lie in \[0, 3\), got -1"),
        (0, np.ones(2), 1.0, r"x must have shape \(4,\), got \(2,\)"),
        (0, np.full(N_FEATURES, np.nan), 1.0, "must be finite"),
        (0, np.ones(N_FEATURES), math.inf, "must be finite"),
        (0, np.ones(N_FEATURES), 1e200, "and their squares too"),
    ],
)
def test_a_row_that_cannot_be_learned_changes_nothing(
    arm: int, x: Float64s, reward: float, message: str
) -> None:
    state = folded(some_rows(7))
    before = bits(state)

    with pytest.raises(InvalidArgumentError, match=message):
        state.fold(arm, x, reward, at_us=10**18)
    with pytest.raises(InvalidArgumentError, match=message):
        state.correct(arm, x, before=0.0, after=reward, at_us=10**18)

    assert bits(state) == before


def test_a_belief_is_asked_for_with_a_vector_of_the_right_shape() -> None:
    with pytest.raises(InvalidArgumentError, match=r"x must have shape \(4,\), got \(3,\)"):
        folded([]).belief(np.ones(3))
    with pytest.raises(InvalidArgumentError, match=r"x must have shape \(3,\), got \(4,\)"):
        folded([]).belief(np.ones(4), own=np.ones(N_ARMS))


def test_each_arm_may_have_a_last_feature_of_its_own() -> None:
    state = folded(some_rows(8))
    rng = np.random.default_rng(8)
    shared, own = rng.standard_normal(N_FEATURES - 1), rng.standard_normal(N_ARMS)

    mean, sd, _ = state.belief(shared, own=own)

    for arm, last in enumerate(own):
        alone = state.belief(np.append(shared, last))
        assert mean[arm] == pytest.approx(alone[0][arm], rel=1e-12)
        assert sd[arm] == pytest.approx(alone[1][arm], rel=1e-12)


def test_a_state_says_its_shape() -> None:
    state = folded(some_rows(8))

    assert (state.n_arms, state.n_features, state.n_rows) == (N_ARMS, N_FEATURES, 60)
    assert state.n_rows_of_arm.sum() == 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": None}, "lacks its array b"),
        ({"b": np.zeros(3)}, "lacks its array b"),
        ({"S": None}, r"needs S: <class 'numpy.float64'> of \(3, 10\)"),
        ({"q": np.zeros(2)}, "needs q"),
        ({"tick": np.zeros(1)}, "needs tick"),
        ({"n": np.full(3, np.nan)}, "has a n that is not finite"),
    ],
)
def test_arrays_that_no_state_gave_are_refused(change: dict[str, Any], message: str) -> None:
    arrays = {**folded(some_rows(9)).to_arrays(), **change}
    arrays = {name: array for name, array in arrays.items() if array is not None}

    with pytest.raises(DamagedError, match=message):
        CONFIG.from_arrays(arrays, Layout.plain(N_ARMS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"half_life_days": 0}, "half_life_days must be a finite number > 0, got 0"),
        ({"prior_sd": -1.0}, "prior_sd must be a finite number > 0"),
        ({"noise_sd": None}, "noise_sd must be a finite number > 0, got None"),
        ({"tick_hours": math.inf}, "tick_hours must be a finite number > 0"),
        ({"tick_hours": 1e-12}, "a microsecond at least"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        PerOfferLinear(**options)


@pytest.mark.parametrize(("n_arms", "n_features"), [(0, 1), (1, 0)])
def test_a_state_has_at_least_one_arm_and_one_feature(n_arms: int, n_features: int) -> None:
    with pytest.raises(InvalidArgumentError, match="must be an int >= 1, got 0"):
        CONFIG.start(Layout.plain(n_arms), n_features=n_features)
