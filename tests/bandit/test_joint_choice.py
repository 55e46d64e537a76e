"""What arms share in their uncertainty counts when one is chosen."""

import numpy as np

from seg1.bandit import HybridLinear, OfferSelector, ThompsonSampling
from seg1.offers import Goal, Offer


def test_arms_that_are_uncertain_together_do_not_outvote_one_that_is_known() -> None:
    likes = [Offer(f"like {k}", features={"new": 1.0}) for k in range(30)]
    selector = OfferSelector(
        [Offer("known"), *likes],
        goal=Goal.response(),
        posterior=HybridLinear(own_share=0.01),
        explorer=ThompsonSampling(scale=0.5, optimism=0),
        floor=0.0,
        no_offer=False,
    )
    state, x, everything = selector.start(), np.ones(1), np.ones(31, np.bool_)
    for accepted in (1.0, 0.0) * 50:
        state.fold(0, x, accepted, at_us=0)

    scored = selector.probabilities(state, x, eligible=everything)

    # Of thirty independent ones the best would nearly always lie above the known one.
    mean, sd, _ = state.belief(x)
    marginal = selector.explorer.probabilities(mean, sd, eligible=everything)
    assert marginal[0] < 0.05
    assert scored.p[0] > 0.3
