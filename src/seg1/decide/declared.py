"""Which offers, goal and features the decisions of an engine refer to, named and written down."""

import hashlib
import logging

from seg1.bandit import OfferSelector
from seg1.decide.core import Core
from seg1.journal import Swapped
from seg1.journal.catalogue import body_of_arms
from seg1.offers import Catalogue

__all__ = ["declare_catalogue", "version_of"]

log = logging.getLogger(__name__)


def version_of(catalogue: Catalogue, selector: OfferSelector, *, has_recommender: bool) -> str:
    """Name offers, goal and features: what an arm and a vector mean."""
    told = (
        f"{catalogue.version}{selector.goal!r}{selector.arms.has_no_offer}"
        f"{selector.schema.version}{has_recommender}"
    )
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def declare_catalogue(core: Core, selector: OfferSelector, *, version: str) -> None:
    """Write down what arms and goal the following decisions refer to, where that is news."""
    with core.lock:
        if core.state.catalogue_in_force == version:
            return
        n_unread = core.state.learner.n_unread
        if n_unread:
            log.warning(
                "%d decisions that were made with other offers, goal, context or recommender teach "
                "nothing now: their offer, price or slot is gone, or context or goal are not what "
                "they were; open the journal as before to go on with what they taught",
                n_unread,
            )
        body = body_of_arms(
            selector.arms,
            goal=selector.goal,
            features=selector.schema.names,
            schema=selector.schema.version,
        )
        at_us = max(core.state.outcomes.now_us, 0)
        core.append(Swapped(what="catalogue", at_us=at_us, version=version, body=body))
