"""Joint draws: what is shared moves together, and what each arm has alone moves by itself."""

import numpy as np
import pytest
from scipy.stats import kstest

from seg1._types import Float32s
from seg1.bandit import HybridLinear, SharedLinear
from seg1.bandit.posteriors.posterior import Draws, Layout


def drawn(draws: Draws | None, n_arms: int) -> Float32s:
    assert draws is not None
    return draws(np.arange(n_arms))


def test_what_arms_have_alone_is_drawn_apart() -> None:
    # Nearly all that is uncertain is the arms' own.
    state = HybridLinear(own_share=30.0).start(Layout.plain(40), n_features=1)

    draws = drawn(state.belief(np.ones(1)).draws, 40)

    correlations = np.asarray(np.corrcoef(draws.T))
    between = correlations[np.triu_indices(40, 1)]
    assert draws.shape == (256, 40)
    assert abs(between.mean()) < 0.02
    assert np.abs(between).max() < 0.4  # 780 of them, of a deviation of 0.09


def test_draws_are_normal() -> None:
    state = HybridLinear(own_share=30.0).start(Layout.plain(40), n_features=1)
    belief = state.belief(np.ones(1))

    draws = (drawn(belief.draws, 40) - belief.mean) / belief.sd

    assert kstest(draws.ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize(("n_features", "within"), [(32, 1e-5), (40, 0.35), (80, 0.5)])
def test_the_spread_of_draws_is_exact_where_arms_share_few_features(
    n_features: int, within: float
) -> None:
    # With a context's feature of each arm's own, twice as many numbers are shared.
    rng = np.random.default_rng(1)
    features = rng.standard_normal((12, n_features))
    layout = Layout.plain(12)._replace(features=features)
    state = SharedLinear().start(layout, n_features=2)

    belief = state.belief(np.ones(1), own=rng.standard_normal(12))

    spread = drawn(belief.draws, 12).std(axis=0)
    assert np.allclose(spread, belief.sd, rtol=within)


def test_the_same_belief_has_the_same_draws() -> None:
    layout = Layout.plain(3)._replace(features=np.array([[1.0, 0.2], [1.0, 0.3], [1.0, -1.0]]))
    states = [HybridLinear().start(layout, n_features=2) for _ in range(2)]

    first, second = (drawn(state.belief(np.ones(2)).draws, 3) for state in states)

    assert first.tobytes() == second.tobytes()
