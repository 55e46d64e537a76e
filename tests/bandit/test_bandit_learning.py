"""That it learns: a small simulated world with a known truth."""

import numpy as np

from seg1._checks import DAY_US
from seg1.bandit import OfferSelector
from seg1.bandit.posteriors.posterior import Layout
from seg1.offers import Goal, Offer

T, K, D = 3_000, 10, 11


def regret_share(seed: int) -> float:
    """Play a logistic world over 90 days; give regret as a share of an even choice's."""
    rng = np.random.default_rng(seed)
    X = np.hstack([np.ones((T, 1)), rng.standard_normal((T, D - 1)) / np.sqrt(D - 1)])
    theta = 1.2 * rng.standard_normal((K, D))
    theta[:, 0] = -3.4 + 0.3 * rng.standard_normal(K)
    chance = 1 / (1 + np.exp(-X @ theta.T))  # (T, K)
    accepts = rng.random((T, K)) < chance
    offers = [Offer(k) for k in range(K)]
    selector = OfferSelector(offers, goal=Goal.response(), no_offer=False, seed=seed)
    # The world's own features stand in for an encoded context.
    state = selector.posterior.start(Layout.plain(K), n_features=D)
    eligible, earned = np.ones(K, np.bool_), 0.0
    for t in range(T):
        arm = selector.draw(selector.probabilities(state, X[t], eligible=eligible).p, draw_id=t)
        answer = selector.reward_of(arm, accepted=bool(accepts[t, arm]))
        state.fold(arm, X[t], answer, at_us=t * 90 * DAY_US // T)
        earned += chance[t, arm]
    best, even = chance.max(axis=1).sum(), chance.mean(axis=1).sum()
    return float((best - earned) / (best - even))


def test_regret_is_well_below_that_of_an_even_choice() -> None:
    shares = [regret_share(seed) for seed in range(3)]

    assert np.mean(shares) < 0.5
