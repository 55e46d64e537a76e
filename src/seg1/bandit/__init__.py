"""Bandit: choose offers by what was learned, and know the probability of each choice exactly."""

from seg1.bandit.choosing.choice import Choice
from seg1.bandit.choosing.reasons import Contribution, Reasons
from seg1.bandit.choosing.scoring import ScoredArms
from seg1.bandit.context import ContextSchema
from seg1.bandit.customers.components import Components
from seg1.bandit.customers.pooling import PartialPooling, PooledHistory
from seg1.bandit.display.displays import ArmSharesDisplay, CalibrationDisplay, RegretDisplay
from seg1.bandit.explorers.explore import (
    EpsilonGreedy,
    Explorer,
    Greedy,
    InverseGap,
    JointExplorer,
    MeansExplorer,
    Softmax,
    ThompsonSampling,
    UpperConfidence,
)
from seg1.bandit.frozen import FrozenPolicy, PolicyStates
from seg1.bandit.posteriors.hybrid import HybridLinear, HybridState
from seg1.bandit.posteriors.ladder import LadderLinear, LadderState
from seg1.bandit.posteriors.per_offer import PerOfferLinear, PerOfferState
from seg1.bandit.posteriors.posterior import Belief, Layout, Posterior, PosteriorState
from seg1.bandit.posteriors.shared import SharedLinear, SharedState
from seg1.bandit.selector import OfferSelector

__all__ = [
    "ArmSharesDisplay",
    "Belief",
    "CalibrationDisplay",
    "Choice",
    "Components",
    "ContextSchema",
    "Contribution",
    "EpsilonGreedy",
    "Explorer",
    "FrozenPolicy",
    "Greedy",
    "HybridLinear",
    "HybridState",
    "InverseGap",
    "JointExplorer",
    "LadderLinear",
    "LadderState",
    "Layout",
    "MeansExplorer",
    "OfferSelector",
    "PartialPooling",
    "PerOfferLinear",
    "PerOfferState",
    "PolicyStates",
    "PooledHistory",
    "Posterior",
    "PosteriorState",
    "Reasons",
    "RegretDisplay",
    "ScoredArms",
    "SharedLinear",
    "SharedState",
    "Softmax",
    "ThompsonSampling",
    "UpperConfidence",
]
