"""seg1: segment-of-one personalization, under the customer's consent.

Names load when they are first used, so that a serving process never imports what it does not call.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seg1 import (  # noqa: F401  # type checkers see what __getattr__ loads
        bandit,
        consent,
        decide,
        errors,
        events,
        interactions,
        journal,
        measure,
        offers,
        persist,
        recommend,
        testing,
    )
    from seg1.bandit import ContextSchema, OfferSelector
    from seg1.consent import Consent, ConsentLedger, ConsentNotNeeded
    from seg1.decide import Budget, FrequencyCap, Holdout, Personalizer
    from seg1.errors import Seg1Error
    from seg1.events import Events
    from seg1.interactions import InteractionMatrixBuilder
    from seg1.journal import DecisionLog
    from seg1.offers import Goal, Offer, Placement
    from seg1.recommend import ALS, ALSModel, BuyAgain, Popularity

__version__ = "0.1.0"

__all__ = [
    "ALS",
    "ALSModel",
    "Budget",
    "BuyAgain",
    "Consent",
    "ConsentLedger",
    "ConsentNotNeeded",
    "ContextSchema",
    "DecisionLog",
    "Events",
    "FrequencyCap",
    "Goal",
    "Holdout",
    "InteractionMatrixBuilder",
    "Offer",
    "OfferSelector",
    "Personalizer",
    "Placement",
    "Popularity",
    "Seg1Error",
]

_ROOM_OF = {
    "ALS": "recommend",
    "ALSModel": "recommend",
    "Budget": "decide",
    "BuyAgain": "recommend",
    "Consent": "consent",
    "ConsentLedger": "consent",
    "ConsentNotNeeded": "consent",
    "ContextSchema": "bandit",
    "DecisionLog": "journal",
    "Events": "events",
    "FrequencyCap": "decide",
    "Goal": "offers",
    "Holdout": "decide",
    "InteractionMatrixBuilder": "interactions",
    "Offer": "offers",
    "OfferSelector": "bandit",
    "Personalizer": "decide",
    "Placement": "offers",
    "Popularity": "recommend",
    "Seg1Error": "errors",
}
_ROOMS = (
    "bandit",
    "consent",
    "decide",
    "errors",
    "events",
    "interactions",
    "journal",
    "measure",
    "offers",
    "persist",
    "recommend",
    "testing",
)


def __getattr__(name: str) -> object:
    """Load a public name, or a room, when it is first asked for (PEP 562)."""
    if name in _ROOM_OF:
        value: object = getattr(importlib.import_module(f"seg1.{_ROOM_OF[name]}"), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"seg1.{name}")
    else:
        raise AttributeError(f"module 'seg1' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what can be loaded."""
    return sorted({*globals(), *__all__, *_ROOMS})
