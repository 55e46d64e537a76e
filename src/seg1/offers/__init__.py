"""Offers: what can be shown, where, at which price and time, and what an acceptance is worth."""

from seg1.offers.arms import Arm, Arms
from seg1.offers.catalogue import Catalogue
from seg1.offers.goal import Goal
from seg1.offers.offer import Audience, Offer, Placement

__all__ = ["Arm", "Arms", "Audience", "Catalogue", "Goal", "Offer", "Placement"]
