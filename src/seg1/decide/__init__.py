"""Decide: join consent, eligibility, scores, draw and journal into one decision."""

from seg1.decide.counters import Budget, FrequencyCap
from seg1.decide.decision import Decision, Erasure, Versions
from seg1.decide.early import EarlyAnswers
from seg1.decide.eligibility import OfferFilter, Request
from seg1.decide.holdout import Holdout
from seg1.decide.personalizer import Personalizer
from seg1.decide.replay import Replayed, replay

__all__ = [
    "Budget",
    "Decision",
    "EarlyAnswers",
    "Erasure",
    "FrequencyCap",
    "Holdout",
    "OfferFilter",
    "Personalizer",
    "Replayed",
    "Request",
    "Versions",
    "replay",
]
