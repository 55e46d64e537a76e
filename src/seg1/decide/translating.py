"""Decisions of earlier catalogues, read as decisions of the one in force.

Offers come and go, prices and windows change: what was answered to an arm that is still there is
as true as before. An arm is the same where offer, price and slot are.
"""

from typing import NamedTuple

import numpy as np

from seg1.bandit import OfferSelector
from seg1.journal import Decided, Swapped
from seg1.journal.catalogue import arms_of_body, schema_of_body
from seg1.offers import Arms

__all__ = ["Translator"]


class _Places(NamedTuple):
    """Where the arms of an earlier catalogue stand in the one in force, by their position there."""

    arm: list[int]  # -1 where it is gone
    offer: list[int]  # of an arm: its offer's position there, -1 for no offer


class Translator:
    """Reads rows of any catalogue that was declared as rows of the one in force. A fold.

    Parameters
    ----------
    selector
        The configuration in force.
    catalogue
        Its version.
    n_features
        Length of the vectors that the model sees.
    """

    def __init__(self, selector: OfferSelector, *, catalogue: str, n_features: int) -> None:
        self._selector = selector
        self._catalogue = catalogue
        self._n_features = n_features
        self._places: dict[str, _Places] = {}

    def note(self, declared: Swapped) -> None:
        """Take in which arms the decisions of a catalogue refer to."""
        if declared.version == self._catalogue:
            return
        arms, goal = arms_of_body(declared.body)
        ours = self._selector
        is_known = schema_of_body(declared.body) == ours.schema.version
        if is_known and goal.learns_like(ours.goal):
            self._places[declared.version] = _places_of(arms, ours.arms)

    def read(self, row: Decided) -> Decided | None:
        """Give a decision as one of the catalogue in force; None where it cannot be read.

        That is where its arm is gone, or context, goal or features are others. Of affinities and
        effects it then holds those of its own offer alone.
        """
        if row.catalogue == self._catalogue:
            return row
        places = self._places.get(row.catalogue)
        if places is None or places.arm[row.arm] < 0:
            return None
        if row.n_features != self._n_features:
            return None  # with a recommender, or without one
        arms, arm, there = self._selector.arms, places.arm[row.arm], places.offer[row.arm]
        here, n_offers = int(arms.offer_index[arm]), len(arms.offers)
        # No offer stands at -1: of it there is an effect, which is the last.
        affinity = _moved(row.affinity, n_offers, there=there, here=here)  # unread of no offer
        effects = _moved(row.effects, n_offers + 1, there=there, here=here)
        return row._replace(arm=arm, affinity=affinity, effects=effects)


def _places_of(there: Arms, here: Arms) -> _Places:
    position = {arm: place for place, arm in enumerate(here.arms)}
    return _Places([position.get(arm, -1) for arm in there.arms], there.offer_index.tolist())


def _moved(numbers: bytes, n: int, *, there: int, here: int) -> bytes:
    """Put one of some numbers at another place among n; nobody reads the others."""
    if not numbers:
        return b""
    moved = np.zeros(n, "<f8")
    moved[here] = np.frombuffer(numbers, dtype="<f8")[there]
    return moved.tobytes()
