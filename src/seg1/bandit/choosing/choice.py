"""`Choice`: what a selector chose, with its exact probability; and the draw."""

from dataclasses import dataclass, field

import numpy as np

from seg1._types import Float64s, Id
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.offers import Arms

__all__ = ["Choice", "check_own", "draw_from"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """What was chosen, and all that its probability depends on.

    Attributes
    ----------
    offer, price, slot
        The arm; all None for no offer.
    action_prob
        Probability with which it was drawn: its entry of `probabilities`.
    response_prob
        Expected answer: for acceptance, the probability that the customer accepts.
    id
        What it was drawn for.
    arm
        Position of the arm.
    probabilities
        Of every arm, float64, shape (n_arms,), read-only: the very vector that was drawn from.
    x
        The encoded context, float64, shape (n_features,), read-only.
    at_us
        When, microseconds UTC.

    Examples
    --------
    >>> from seg1.bandit import OfferSelector
    >>> from seg1.offers import Goal, Offer
    >>> selector = OfferSelector([Offer("tea")], goal=Goal.response(), no_offer=False)
    >>> selector.choose({}, id="visit-1", at=0)
    Choice(offer='tea', price=None, slot=None, action_prob=1.0, response_prob=0.0)
    """

    offer: Id | None
    price: float | None
    slot: str | None
    action_prob: float
    response_prob: float
    # Neither ids nor contexts stand in a repr.
    id: Id = field(repr=False)
    arm: int = field(repr=False)
    probabilities: Float64s = field(repr=False)
    x: Float64s = field(repr=False)
    at_us: int = field(repr=False)


def check_own(choice: Choice, arms: Arms) -> None:
    """Refuse what is no choice among some arms.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError
    """
    if not isinstance(choice, Choice):
        raise InvalidTypeError(
            f"choice must be what choose gave, got {type(choice).__name__}; of a slate give each "
            "of its choices"
        )
    shown = (choice.offer, choice.price, choice.slot)
    if not (choice.arm < len(arms) and arms.arms[choice.arm] == shown):
        raise InvalidArgumentError(
            "the choice is of another selector: its offer, price and slot are not what stands at "
            "its arm here"
        )


def draw_from(p: Float64s, *, uniform: float) -> int:
    """Invert the distribution function: the first arm whose cumulated probability lies above.

    Parameters
    ----------
    p
        Probabilities, shape (n_arms,).
    uniform
        In [0, 1).

    Returns
    -------
    int
        Position of an arm, never of one with probability 0, whatever the rounding.

    Examples
    --------
    >>> draw_from(np.array([0.0, 0.25, 0.75]), uniform=0.25)
    2
    """
    cumulated = p.cumsum()
    # An arm with probability 0 does not lift the sum, so it never is the first above.
    arm = int(cumulated.searchsorted(uniform * cumulated[-1], side="right"))
    # The product may round up to the whole sum, which nothing lies above.
    return arm if arm < len(p) else int(np.flatnonzero(p)[-1])
