"""From a customer's effects on the answers to each offer to those on each arm."""

from seg1._types import Float64s
from seg1.offers import Arms

__all__ = ["effects_of_arms"]


def effects_of_arms(effects: Float64s, arms: Arms) -> Float64s | None:
    """Give the effect on the answer to each arm: prices and slots of an offer have one.

    Parameters
    ----------
    effects
        On the answers to each offer, and last on what happens with no offer, float64, shape
        (n_offers + 1,); empty where no history is kept.
    arms
        The arms.

    Returns
    -------
    ndarray of float64, shape (n_arms,); None where no history is kept

    Examples
    --------
    >>> import numpy as np
    >>> from seg1.offers import Goal, Offer
    >>> arms = Arms.of([Offer("tea", slots=["now", "later"])], goal=Goal.response())
    >>> effects_of_arms(np.array([0.1, 0.0]), arms).tolist()
    [0.1, 0.1, 0.0]
    """
    return effects[arms.offer_index] if len(effects) else None  # no offer stands at -1: the last
