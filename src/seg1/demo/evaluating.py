"""What the log says of another policy, and of the contacts, beside what the simulation knows."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from seg1._types import Float64s, Int64s
from seg1.bandit import OfferSelector
from seg1.bandit.context import own_features
from seg1.decide.state import State
from seg1.demo.campaigns import SEGMENTS
from seg1.demo.contacts import SCHEMA
from seg1.demo.deciding import World, selector_of
from seg1.errors import NotSupportedError
from seg1.journal import Decided, DecisionLog, Journal, States
from seg1.measure import Lift, Policy, Value, lift, value

__all__ = [
    "LESS_FLOOR",
    "Evaluation",
    "LiftBeside",
    "Retold",
    "evaluate_less_exploring",
    "lift_beside_truth",
    "retell",
    "true_value",
]

_DRAWN: Final = ("personalised", "none")

LESS_FLOOR: Final = 0.01
"""Floor of the policy that is evaluated: the selector's default."""


@dataclass(frozen=True, slots=True, eq=False)
class Retold:
    """A policy that answers with the probabilities a selector had at each moment of a journal.

    Attributes
    ----------
    at_us
        The moments, rising, int64, shape (n_rows,).
    probabilities
        Float64, shape (n_rows, n_arms).
    """

    at_us: Int64s
    probabilities: Float64s

    def __call__(self, states: States) -> Float64s:
        """Look the moments up: float64, shape (n_rows, n_arms)."""
        found: Float64s = self.probabilities[np.searchsorted(self.at_us, states.at_us)]
        return found


def retell(journal: Journal, selector: OfferSelector) -> Retold:
    """Fold a journal from its start, and ask a selector at every decision what it would have done.

    It sees what was known at that moment, and nothing that came later. Where the rules left no
    offer, there is no offer.

    Parameters
    ----------
    journal
        A journal whose decisions stand at moments that rise.
    selector
        Offers, goal, context and posterior as those of the journal; explorer and floor may differ.
    """
    rows = [row for _, row in journal.read()]
    first = next(row for row in rows if isinstance(row, Decided) and row.mode == "personalised")
    n_features = len(first.context) // 8 + bool(first.affinity)
    state = State(selector, catalogue=first.catalogue, n_features=n_features)
    at_us, told = [], []
    for row in rows:
        if isinstance(row, Decided) and row.customer is not None and row.mode in _DRAWN:
            at_us.append(row.at_us)
            told.append(_asked(row, state, selector))
        state.fold(row)
    return Retold(np.array(at_us), np.array(told))


def _asked(row: Decided, state: State, selector: OfferSelector) -> Float64s:
    bits = np.frombuffer(row.eligible, dtype=np.uint8)
    eligible = np.unpackbits(bits, count=len(selector.arms)).astype(np.bool_)
    context, affinity = (np.frombuffer(part, dtype="<f8") for part in (row.context, row.affinity))
    own = own_features(affinity, selector.arms)
    return selector.probabilities(state.posterior, context, own=own, eligible=eligible).p


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The one-step value of the less exploring policy, estimated and true.

    Attributes
    ----------
    value
        The estimate from the log; None where the log does not support the policy.
    refusal
        Why not; empty where there is an estimate.
    truth
        Mean over the same decisions of the redemptions to be expected under the policy.
    """

    value: Value | None
    refusal: str
    truth: float

    @property
    def covers(self) -> bool:
        """Whether the interval covers the truth; no interval covers nothing."""
        return self.value is not None and self.value.low <= self.truth <= self.value.high


def evaluate_less_exploring(journal: Journal, world: World, *, seed: int) -> Evaluation:
    """Ask a journal what its policy would have earned with a floor of `LESS_FLOOR`.

    The same engine, knowing the same at each decision, but exploring less. It lies near the policy
    that ran, so the log supports it; it was chosen for that (the weights), not for what it earned.
    """
    log = DecisionLog.from_journal(journal, consent=world.consent, at=world.end_us)
    policy = retell(journal, selector_of(world, seed=seed, floor=LESS_FLOOR))
    truth = true_value(log, policy, rates=world.rates)
    try:
        return Evaluation(value=value(log, policy=policy, estimator="dr"), refusal="", truth=truth)
    except NotSupportedError as error:
        return Evaluation(value=None, refusal=str(error), truth=truth)


def true_value(log: DecisionLog, policy: Policy, *, rates: Float64s) -> float:
    """Give what a policy earns per decision in expectation, on the very rows of an estimate.

    Mean over the rows that are not held out of ``sum over offers of pi(offer) * rate``, the rate of
    no offer being 0.
    """
    rows = np.flatnonzero(~log.is_control)
    states = States(
        arms=log.states.arms,
        context=log.states.context[rows],
        eligible=log.states.eligible[rows],
        at_us=log.states.at_us[rows],
    )
    rate = rates.T[_segments(states)]  # (n_rows, n_offers); no offer is the last arm
    return float((policy(states)[:, : rate.shape[1]] * rate).sum(axis=1).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftBeside:
    """The lift against the holdout, estimated and true.

    Attributes
    ----------
    lift
        The estimate; None where a group is too small.
    refusal
        Why not; empty where there is an estimate.
    truth
        Mean true rate of what was shown to those not held out. The held-out redeem nothing: in the
        simulation nobody redeems a coupon that was not offered.
    """

    lift: Lift | None
    refusal: str
    truth: float


def lift_beside_truth(log: DecisionLog, world: World) -> LiftBeside:
    """Compare households by assignment, and say what the simulation knows."""
    is_treated = (log.holdout_prob > 0) & ~log.is_control
    with_none = np.vstack([world.rates, np.zeros(len(SEGMENTS))])  # (n_arms, n_segments)
    truth = float(with_none[log.arm, _segments(log.states)][is_treated].mean())
    try:
        return LiftBeside(lift=lift(log), refusal="", truth=truth)
    except NotSupportedError as error:
        return LiftBeside(lift=None, refusal=str(error), truth=truth)


def _segments(states: States) -> Int64s:
    """Read the segments back from the contexts, int64, shape (n_rows,)."""
    places = [SCHEMA.names.index(f"segment={name}") for name in SEGMENTS]
    segments: Int64s = states.context[:, places].argmax(axis=1)
    return segments
