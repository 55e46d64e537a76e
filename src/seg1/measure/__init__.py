"""Measure: what another policy would have earned on the logged states, and what contacts earned."""

from seg1.measure.estimators import Estimator, Policy, Value, value
from seg1.measure.lift import Lift, lift
from seg1.measure.support import Gate, NotSupportedError

__all__ = ["Estimator", "Gate", "Lift", "NotSupportedError", "Policy", "Value", "lift", "value"]
