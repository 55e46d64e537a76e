"""What arms share in their uncertainty counts when one is chosen."""

import numpy as np
import pytest

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


@pytest.mark.parametrize("unit_price", [0.0, 1.5])
def test_joint_draws_are_valued_before_they_are_compared(unit_price: float) -> None:
    offers = [
        Offer("tea", worth=3.0, cost=1.0, features={"hot": 1.0}),
        Offer("soup", worth=0.5, features={"hot": 1.0}),
        Offer("cola", worth=1.0, cost=0.3, features={"hot": 0.0}),
    ]
    selector = OfferSelector(
        offers,
        goal=Goal.margin(contact_cost=0.2),
        posterior=HybridLinear(),
        explorer=ThompsonSampling(scale=1, optimism=0),
        floor=0.0,
    )
    state, x = selector.start(), np.ones(1)
    for i in range(6):
        state.fold(i % 3, x, float(i < 2), at_us=0)
    draws = state.belief(x).draws
    assert draws is not None

    p = selector.probabilities(state, x, eligible=np.ones(4, np.bool_), unit_price=unit_price).p

    worth = np.array([3.0, 0.5, 1.0, 0.0]) - unit_price * np.array([1.0, 0.0, 0.3, 0.0])
    values = draws(np.arange(4)) * worth - np.array([0.2, 0.2, 0.2, 0.0])
    assert p == pytest.approx(np.bincount(values.argmax(axis=1), minlength=4) / 256)
    assert np.count_nonzero(p) > 2
