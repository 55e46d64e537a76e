"""Bandit: choose offers by what was learned, and know the probability of each choice exactly."""

from seg1.bandit.choice import Choice
from seg1.bandit.context import ContextSchema
from seg1.bandit.explore import Explorer, Greedy, InverseGap, ThompsonSampling
from seg1.bandit.frozen import FrozenPolicy, PolicyStates
from seg1.bandit.per_offer import PerOfferLinear, PerOfferState
from seg1.bandit.posterior import Posterior, PosteriorState
from seg1.bandit.scoring import ScoredArms
from seg1.bandit.selector import OfferSelector

__all__ = [
    "Choice",
    "ContextSchema",
    "Explorer",
    "FrozenPolicy",
    "Greedy",
    "InverseGap",
    "OfferSelector",
    "PerOfferLinear",
    "PerOfferState",
    "PolicyStates",
    "Posterior",
    "PosteriorState",
    "ScoredArms",
    "ThompsonSampling",
]
