"""What all posteriors promise; and that what arms share is learned exactly."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seg1._checks import DAY_US
from seg1._types import Float64s
from seg1.bandit import HybridLinear, LadderLinear, PerOfferLinear, SharedLinear
from seg1.bandit.posteriors.posterior import Layout, Posterior, PosteriorState
from seg1.errors import DamagedError, InvalidArgumentError

N_ARMS, D, M = 4, 3, 2
FEATURES = np.array([[1.0, 0.5], [1.0, -0.7], [1.0, 0.0], [1.0, 1.1]])
# The first two arms are one offer at two prices.
LAYOUT = Layout(FEATURES, np.array([0, 0, 1, 2]), np.array([0, 1, 0, 0]), np.array([0, 0.3, 0, 0]))
ALL: list[Posterior] = [
    PerOfferLinear(half_life_days=10.0, prior_sd=0.7, intercept_sd=0.3),
    SharedLinear(half_life_days=10.0, prior_sd=0.7, intercept_sd=0.3),
    HybridLinear(half_life_days=10.0, prior_sd=0.7, own_share=0.5, intercept_sd=0.3),
    LadderLinear(half_life_days=10.0, prior_sd=0.7, intercept_sd=0.3, link="identity"),
]
LOGIT: list[Posterior] = [
    PerOfferLinear(link="logit"), SharedLinear(link="logit"), HybridLinear(link="logit"),
    LadderLinear(link="logit"),
]  # fmt: skip
POSTERIORS = pytest.mark.parametrize("posterior", ALL, ids=lambda p: type(p).__name__)
EITHER = pytest.mark.parametrize(
    "posterior", ALL + LOGIT, ids=lambda p: f"{type(p).__name__}-{p.link}"
)


class Row(NamedTuple):
    arm: int
    x: Float64s
    reward: float
    at_us: int


def some_rows(seed: int, *, n_rows: int = 40, n_days: int = 30) -> list[Row]:
    """Rows of acceptances, of all arms but the last, in no order of time."""
    rng = np.random.default_rng(seed)
    return [
        Row(
            int(rng.integers(N_ARMS - 1)),
            np.append(1.0, rng.standard_normal(D - 1)),
            float(rng.random() < 0.4),
            int(rng.integers(n_days * DAY_US)),
        )
        for _ in range(n_rows)
    ]


def folded(posterior: Posterior, rows: list[Row]) -> PosteriorState:
    state = posterior.start(LAYOUT, n_features=D)
    for row in rows:
        state.fold(row.arm, row.x, row.reward, at_us=row.at_us)
    return state


def bits(state: PosteriorState) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state.to_arrays().items()}


def believed(state: PosteriorState) -> list[NDArray[np.floating[Any]]]:
    """What a state believes in some contexts, draws too."""
    rng = np.random.default_rng(1)
    told: list[NDArray[np.floating[Any]]] = []
    for _ in range(3):
        belief = state.belief(rng.standard_normal(D))
        told += [belief.mean, belief.sd]
        told += [] if belief.draws is None else [belief.draws(np.arange(N_ARMS))]
    return told


def assert_alike(one: PosteriorState, other: PosteriorState) -> None:
    for told, said in zip(believed(one), believed(other), strict=True):
        within = 1e-9 if told.dtype == np.float64 else 1e-4  # draws are float32
        assert np.allclose(told, said, rtol=within, atol=within)


@POSTERIORS
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 40))
def test_merged_states_are_one_pass_in_any_order(posterior: Posterior, seed: int, cut: int) -> None:
    # The latest day is everybody's, so that the noise of a part does not see another day.
    rows = [*some_rows(seed), Row(0, np.ones(D), 1.0, 31 * DAY_US)]
    order = np.random.default_rng(seed).permutation(len(rows))

    merged = folded(posterior, rows[:cut]).merge(folded(posterior, rows[cut:]))
    turned = folded(posterior, [rows[i] for i in order]).merge(
        posterior.start(LAYOUT, n_features=D)
    )

    one_pass = folded(posterior, rows).merge(posterior.start(LAYOUT, n_features=D))
    assert_alike(merged, one_pass)
    assert_alike(turned, one_pass)


@POSTERIORS
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), n_gone=st.integers(1, 40))
def test_removed_rows_were_never_there(posterior: Posterior, seed: int, n_gone: int) -> None:
    rows = some_rows(seed)
    kept = [*rows[n_gone:], Row(1, np.ones(D), 1.0, 31 * DAY_US)]
    state = folded(posterior, rows[:n_gone] + kept)

    for row in rows[:n_gone]:
        state.remove(row.arm, row.x, row.reward, at_us=row.at_us)

    assert state.n_rows == len(kept)
    never = folded(posterior, kept)
    nothing = posterior.start(LAYOUT, n_features=D)
    assert_alike(state.merge(nothing), never.merge(nothing))
    # And at once, but for what rank-one updates round.
    for told, said in zip(believed(state), believed(never.merge(nothing)), strict=True):
        assert np.allclose(told, said, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("posterior", [PerOfferLinear(), HybridLinear()])
def test_an_arm_whose_rows_are_all_removed_is_as_new(posterior: Posterior) -> None:
    state: Any = folded(posterior, [Row(0, np.ones(D), 0.3, 0), Row(0, 0.1 * np.ones(D), 0.7, 0)])
    state.fold(1, np.ones(D), 1.0, at_us=0)

    state.remove(0, np.ones(D), 0.3, at_us=0)
    after_one = state.n_rows_of_arm.tolist()
    state.remove(0, 0.1 * np.ones(D), 0.7, at_us=0)

    assert (after_one, state.n_rows_of_arm.tolist()) == ([1, 1, 0, 0], [0, 1, 0, 0])
    arrays = state.to_arrays()
    assert not any(arrays[name][0].any() for name in ("S", "b", "q", "n"))


@pytest.mark.parametrize("posterior", [PerOfferLinear(), HybridLinear()])
def test_the_first_row_counts_whole_before_1970_too(posterior: Posterior) -> None:
    state = folded(posterior, [Row(0, np.ones(D), 1.0, -40 * DAY_US)])

    assert state.to_arrays()["n"].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_the_noise_of_all_counts_as_many_rows_as_there_are_features() -> None:
    state: Any = folded(HybridLinear(noise_sd=0.7), some_rows(3))

    n, residual = state._own.n, state._residual
    pooled = (0.7**2 + residual.sum()) / (1.0 + n.sum())
    assert state._noise == pytest.approx((residual + D * pooled) / (n + D))


def test_hybrid_states_of_other_features_cannot_be_merged() -> None:
    other = LAYOUT._replace(features=LAYOUT.features + 1.0)

    with pytest.raises(InvalidArgumentError, match="arms and their features are the same"):
        HybridLinear().start(LAYOUT, n_features=D).merge(HybridLinear().start(other, n_features=D))


@POSTERIORS
def test_what_no_row_was_folded_for_cannot_be_removed(posterior: Posterior) -> None:
    state = posterior.start(LAYOUT, n_features=D)

    with pytest.raises(InvalidArgumentError, match="no row of this arm to remove"):
        state.remove(0, np.ones(D), 1.0, at_us=0)


@POSTERIORS
def test_a_corrected_row_is_as_if_it_had_come_so(posterior: Posterior) -> None:
    rows = some_rows(5)
    wrong = [row._replace(reward=9.0) if i == 7 else row for i, row in enumerate(rows)]
    state = folded(posterior, wrong)

    state.correct(rows[7].arm, rows[7].x, before=9.0, after=rows[7].reward, at_us=rows[7].at_us)

    nothing = posterior.start(LAYOUT, n_features=D)
    assert_alike(state.merge(nothing), folded(posterior, rows).merge(nothing))


@EITHER
@pytest.mark.parametrize("cut", [0, 1, 17, 40])
def test_a_state_made_again_goes_on_bit_for_bit(posterior: Posterior, cut: int) -> None:
    rows = some_rows(3)
    through = folded(posterior, rows)

    again = posterior.from_arrays(folded(posterior, rows[:cut]).to_arrays(), LAYOUT)
    for row in rows[cut:]:
        again.fold(row.arm, row.x, row.reward, at_us=row.at_us)

    assert bits(again) == bits(through)
    for told, said in zip(believed(again), believed(through), strict=True):
        assert told.tobytes() == said.tobytes()


@EITHER
def test_asking_changes_nothing(posterior: Posterior) -> None:
    rows = some_rows(2)
    asked = posterior.start(LAYOUT, n_features=D)

    for row in rows:
        believed(asked)
        asked.fold(row.arm, row.x, row.reward, at_us=row.at_us)

    assert bits(asked) == bits(folded(posterior, rows))


@EITHER
def test_a_copy_goes_its_own_way(posterior: Posterior) -> None:
    state = folded(posterior, some_rows(4))
    before = bits(state)

    copy = state.copy()
    assert bits(copy) == before
    copy.fold(0, np.ones(D), 1.0, at_us=0)

    assert bits(state) == before != bits(copy)


@EITHER
def test_a_feature_of_each_arms_own_is_the_last_one(posterior: Posterior) -> None:
    state = folded(posterior, some_rows(8))
    rng = np.random.default_rng(8)
    shared, own = rng.standard_normal(D - 1), rng.standard_normal(N_ARMS)
    own[1] = own[0]  # of one offer

    belief = state.belief(shared, own=own)

    for arm, last in enumerate(own):
        alone = state.belief(np.append(shared, last))
        assert belief.mean[arm] == pytest.approx(alone.mean[arm], rel=1e-9)
        assert belief.sd[arm] == pytest.approx(alone.sd[arm], rel=1e-6)


@pytest.mark.parametrize(
    "posterior", ALL[1:] + LOGIT[1:], ids=lambda p: f"{type(p).__name__}-{p.link}"
)
def test_joint_draws_are_of_the_believed_mean_and_spread(
    posterior: Any,  # noqa: ANN401  # those of this library have a link
) -> None:
    state = folded(posterior, some_rows(9))
    own = np.linspace(-1.0, 1.0, N_ARMS)
    for belief in (state.belief(np.ones(D)), state.belief(np.ones(D - 1), own=own)):
        assert belief.draws is not None

        draws = belief.draws(np.array([3, 0]))

        assert draws.shape == (256, 2)
        # Log odds are drawn exactly, and the deviation of an acceptance is told by a line.
        is_told = posterior.link == "logit" and not isinstance(posterior, LadderLinear)
        within = 0.15 if is_told else 1e-5
        assert np.allclose(draws.mean(axis=0), belief.mean[[3, 0]], atol=within)
        assert np.allclose(draws.std(axis=0), belief.sd[[3, 0]], rtol=within)


def direct(rows: list[Row], config: HybridLinear) -> tuple[Float64s, Float64s]:
    """Coefficients, and their covariance in units of the noise, by one solve of the whole model."""
    n = M * D + N_ARMS * D
    prior = np.array([config.intercept_sd] + [config.prior_sd] * (D - 1))
    deviations = np.append(np.tile(prior, M), config.own_share * np.tile(prior, N_ARMS))
    precision = np.diag(deviations**-2)
    sums = np.zeros(n)
    latest = max(row.at_us // DAY_US for row in rows)
    for row in rows:
        weight = 0.5 ** ((latest - row.at_us // DAY_US) / 10.0)
        z = whole_row(row.arm, row.x)
        precision += weight * np.outer(z, z)
        sums += weight * row.reward * z
    covariance = np.linalg.inv(precision)
    return covariance @ sums, covariance


def whole_row(arm: int, x: Float64s) -> Float64s:
    z = np.zeros(M * D + N_ARMS * D)
    z[: M * D] = np.outer(FEATURES[arm], x).ravel()
    z[M * D + arm * D : M * D + (arm + 1) * D] = x
    return z


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_hybrid_model_is_one_regression_on_everything(seed: int) -> None:
    config = HybridLinear(half_life_days=10.0, prior_sd=0.7, own_share=0.5, intercept_sd=0.3)
    rows = some_rows(seed)
    x = np.random.default_rng(seed).standard_normal(D)

    state = folded(config, rows)

    coefficients, covariance = direct(rows, config)
    Z = np.array([whole_row(arm, x) for arm in range(N_ARMS)])
    belief = state.belief(x)
    assert np.allclose(belief.mean, Z @ coefficients, rtol=1e-9, atol=1e-9)
    variance = belief.sd**2 / state._noise  # type: ignore[attr-defined]  # of the hybrid
    exact = np.einsum("ij,jk,ik->i", Z, covariance, Z)
    # The last arm was never shown: what is believed of it is exact. Of others it is a bound.
    assert variance[-1] == pytest.approx(exact[-1], rel=1e-9)
    assert (variance >= 0.5 * exact).all()
    assert (variance <= 3.0 * exact).all()


def test_a_new_arm_starts_from_what_others_like_it_have_taught() -> None:
    rng = np.random.default_rng(0)
    hybrid, alone = HybridLinear(), PerOfferLinear()
    states = [posterior.start(LAYOUT, n_features=1) for posterior in (hybrid, alone)]
    x = np.ones(1)
    for i in range(600):
        arm = i % 3
        answer = 2.0 * FEATURES[arm, 1] + 0.1 * rng.standard_normal()
        for state in states:
            state.fold(arm, x, answer, at_us=0)

    of_hybrid, of_alone = (state.belief(x) for state in states)

    assert of_hybrid.mean[3] == pytest.approx(2.2, abs=0.8)
    assert of_alone.mean[3] == 0.0
    assert of_hybrid.sd[3] < of_alone.sd[3]


def test_arms_of_equal_features_are_uncertain_together() -> None:
    layout = LAYOUT._replace(features=np.array([[1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [1.0, 0.0]]))
    state = HybridLinear(own_share=0.1).start(layout, n_features=D)

    belief = state.belief(np.ones(D))

    assert belief.draws is not None
    alike: Any = np.corrcoef(belief.draws(np.arange(4)).T)
    assert alike[0, 1] > 0.95
    assert abs(alike[0, 2]) < 0.3


@pytest.mark.parametrize("posterior", ALL[1:], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("n_days", [1, 400])
def test_many_updates_with_directions_never_seen_stay_exact(
    posterior: Any,  # noqa: ANN401  # two configurations
    n_days: int,
) -> None:
    rng = np.random.default_rng(6)
    n_rows = 4_000
    X = rng.standard_normal((n_rows, D)) * [1.0, 1e-3, 0.0]
    state = posterior.start(LAYOUT, n_features=D)
    for i, x in enumerate(X):
        state.fold(i % 3, x, float(i % 2), at_us=i * n_days // n_rows * DAY_US)

    kept = state.to_arrays()
    afresh = state.merge(posterior.start(LAYOUT, n_features=D)).to_arrays()

    for name in ("shared", "shared_mean", "inverse"):
        if name in kept:
            assert np.abs(kept[name] - afresh[name]).max() <= 1e-8, name
    inverse = kept["inverse"]
    assert np.array_equal(inverse, np.swapaxes(inverse, -1, -2))


@EITHER
@pytest.mark.parametrize(
    ("arm", "x", "reward", "message"),
    [
        (N_ARMS, np.ones(D), 1.0, r"arm must lie in \[0, 4\), got 4"),
        (-1, np.ones(D), 1.0, r"arm must lie in \[0, 4\), got -1"),
        (0, np.ones(2), 1.0, r"x must have shape \(3,\), got \(2,\)"),
        (0, np.full(D, np.nan), 1.0, "must be finite"),
        (0, np.ones(D), np.inf, "must be finite"),
    ],
)
def test_a_row_that_cannot_be_learned_changes_nothing(
    posterior: Posterior, arm: int, x: Float64s, reward: float, message: str
) -> None:
    state = folded(posterior, some_rows(7))
    before = bits(state)

    with pytest.raises(InvalidArgumentError, match=message):
        state.fold(arm, x, reward, at_us=10**18)
    with pytest.raises(InvalidArgumentError, match=message):
        state.correct(arm, x, before=0.0, after=reward, at_us=10**18)

    assert bits(state) == before


@EITHER
def test_a_belief_is_asked_for_with_a_vector_of_the_right_shape(posterior: Posterior) -> None:
    with pytest.raises(InvalidArgumentError, match="x must have shape"):
        folded(posterior, []).belief(np.ones(D + 1))


@pytest.mark.parametrize("posterior", ALL[1:], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("damage", [None, np.zeros(2), np.zeros((2, 2), np.float32)])
def test_arrays_that_no_state_gave_are_refused(
    posterior: Posterior,
    damage: Any,  # noqa: ANN401  # an array, or none
) -> None:
    arrays = dict(folded(posterior, some_rows(9)).to_arrays())

    for name in arrays.keys() & {"inverse", "shared", "shared_mean", "residual"}:
        broken = arrays | {name: damage}
        if damage is None:
            del broken[name]
        with pytest.raises(DamagedError, match=f"needs {name}"):
            posterior.from_arrays(broken, LAYOUT)
        with pytest.raises(DamagedError, match=f"{name} that is not finite"):
            posterior.from_arrays(arrays | {name: arrays[name] * np.nan}, LAYOUT)


@POSTERIORS
def test_arrays_of_half_the_precision_are_refused(posterior: Posterior) -> None:
    arrays = folded(posterior, some_rows(9)).to_arrays()

    for name, array in arrays.items():
        if array.dtype == np.float64:
            halved = {**arrays, name: array.astype(np.float32)}
            with pytest.raises(DamagedError, match=f"needs {name}"):
                posterior.from_arrays(halved, LAYOUT)


@POSTERIORS
def test_states_that_differ_in_kind_cannot_be_merged(posterior: Any) -> None:  # noqa: ANN401
    other = posterior.start(Layout.plain(N_ARMS), n_features=2)
    forgetful = type(posterior)(half_life_days=1.0).start(LAYOUT, n_features=D)

    for state in (other, forgetful):
        with pytest.raises(InvalidArgumentError, match="states can be merged where"):
            folded(posterior, []).merge(state)


@pytest.mark.parametrize("posterior", LOGIT, ids=lambda p: type(p).__name__)
def test_a_logit_link_can_only_fold_again(posterior: Posterior) -> None:
    state = folded(posterior, some_rows(1))

    with pytest.raises(InvalidArgumentError, match="cannot be merged: under a logit link"):
        state.merge(state.copy())
    with pytest.raises(InvalidArgumentError, match="cannot be removed: under a logit link"):
        state.remove(0, np.ones(D), 1.0, at_us=0)
    for answer in (-1.1, 2.1):  # an acceptance less an effect lies between -1 and 2
        with pytest.raises(InvalidArgumentError, match="answers between 0 and 1, less an effect"):
            state.fold(0, np.ones(D), answer, at_us=0)


@pytest.mark.parametrize("posterior", LOGIT, ids=lambda p: type(p).__name__)
def test_a_logit_link_is_calibrated_where_acceptance_is_logistic(posterior: Posterior) -> None:
    rng = np.random.default_rng(4)
    theta = np.array([-2.0, 1.5, -0.5])
    state = posterior.start(LAYOUT, n_features=D)
    for _ in range(6_000):
        x = np.append(1.0, rng.standard_normal(D - 1))
        state.fold(0, x, float(rng.random() < 1 / (1 + np.exp(-x @ theta))), at_us=0)

    for z in (-1.5, 0.0, 1.5):
        x = np.array([1.0, z, 0.0])
        truth = 1 / (1 + np.exp(-x @ theta))
        belief = state.belief(x)
        assert belief.mean[0] == pytest.approx(truth, abs=0.04)
        assert 0.0 < belief.sd[0] < 0.05


@pytest.mark.parametrize("posterior", LOGIT, ids=lambda p: type(p).__name__)
def test_a_corrected_acceptance_moves_a_logit_link_the_right_way(posterior: Posterior) -> None:
    rows = some_rows(1)
    state, x = folded(posterior, rows), rows[0].x
    before = state.belief(x).mean[rows[0].arm]

    state.correct(rows[0].arm, x, before=rows[0].reward, after=1.0 - rows[0].reward, at_us=0)

    after = state.belief(x).mean[rows[0].arm]
    assert (after > before) == (rows[0].reward == 0.0)


@pytest.mark.parametrize("name", ["own_share", "prior_sd", "intercept_sd"])
def test_a_configuration_that_cannot_be_used_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{name} must be a finite number > 0, got 0"):
        HybridLinear(**{name: 0})  # type: ignore[arg-type]  # one of two numbers
    with pytest.raises(InvalidArgumentError, match="link must be one of"):
        HybridLinear(link="probit")  # type: ignore[arg-type]  # what is tested
