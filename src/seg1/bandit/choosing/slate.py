"""Slates: several offers at once, each with the exact probability that it was drawn next."""

from collections.abc import Callable

import numpy as np

from seg1._types import Bools, Float64s, Int64s
from seg1.offers import Arms

__all__ = ["drawn_slate", "groups_of"]


def groups_of(arms: Arms, *, by_group: bool) -> Int64s:
    """Say which arms exclude each other on a slate: those of equal number; int64, (n_arms,).

    Arms of one offer always do; with `by_group` those of all offers of one group do.

    Examples
    --------
    >>> from seg1.offers import Goal, Offer
    >>> offers = [Offer("tea", group="hot"), Offer("soup", group="hot"), Offer("cola")]
    >>> groups_of(Arms.of(offers, goal=Goal.response()), by_group=True).tolist()
    [0, 0, 2, 3]
    """
    first: dict[str, int] = {}
    number = np.arange(len(arms.offers))
    if by_group:
        for i, offer in enumerate(arms.offers):
            if offer.group is not None:
                number[i] = first.setdefault(offer.group, i)
    of_arms = number.take(arms.offer_index)
    of_arms[arms.offer_index < 0] = len(arms.offers)
    return of_arms


def drawn_slate(
    first: Float64s,
    *,
    n: int,
    groups: Int64s,
    no_offer: Bools,
    score: Callable[[Bools], Float64s | None],
    draw: Callable[[Float64s, int], int],
) -> list[tuple[int, Float64s]]:
    """Draw up to n arms without replacement.

    Parameters
    ----------
    first
        Probabilities of the first, float64, shape (n_arms,).
    n
        How many at most, >= 1.
    groups
        From `groups_of`: of each number one arm at most.
    no_offer
        Which arm is no offer: where it is drawn, the slate ends with it.
    score
        Gives probabilities of the arms that are left; None where none may be shown.
    draw
        Draws from a vector for a place on the slate.

    Returns
    -------
    list of (arm, probabilities)
        In the order drawn; each with the very vector it was drawn from.
    """
    slate: list[tuple[int, Float64s]] = []
    left, chances = np.ones(len(first), np.bool_), first
    for place in range(n):
        if place:
            scored = score(left)
            if scored is None:
                break
            chances = scored
        arm = draw(chances, place)
        slate.append((arm, chances))
        if no_offer[arm]:
            break
        left &= groups != groups[arm]
    return slate
