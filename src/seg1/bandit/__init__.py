"""Bandit: choose offers by what was learned, and know the probability of each choice exactly."""

from seg1.bandit.choice import Choice
from seg1.bandit.components import Components
from seg1.bandit.context import ContextSchema
from seg1.bandit.displays import ArmSharesDisplay, CalibrationDisplay, RegretDisplay
from seg1.bandit.explore import (
    EpsilonGreedy,
    Explorer,
    Greedy,
    InverseGap,
    JointExplorer,
    Softmax,
    ThompsonSampling,
    UpperConfidence,
)
from seg1.bandit.frozen import FrozenPolicy, PolicyStates
from seg1.bandit.hybrid import HybridLinear, HybridState
from seg1.bandit.ladder import LadderLinear, LadderState
from seg1.bandit.per_offer import PerOfferLinear, PerOfferState
from seg1.bandit.pooling import PartialPooling, PooledHistory
from seg1.bandit.posterior import Belief, Layout, Posterior, PosteriorState
from seg1.bandit.reasons import Contribution, Reasons
from seg1.bandit.scoring import ScoredArms
from seg1.bandit.selector import OfferSelector
from seg1.bandit.shared import SharedLinear, SharedState

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
