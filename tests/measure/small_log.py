"""Logs that the tests of this room share: a world with a known value, drawn as a log says."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seg1._types import Bools, Float64s
from seg1.events import Vocabulary
from seg1.journal import DecisionLog, States
from seg1.measure import Gate, Policy
from seg1.offers import Arms, Goal, Offer

OPEN = Gate(min_ess=0, max_weight_share=1.0, max_mean_weight_z=1e9)
"""Lets through what has a spread, so that the arithmetic can be looked at."""


def arms_of(n_arms: int) -> Arms:
    return Arms.of([Offer(f"offer-{k}") for k in range(n_arms - 1)], goal=Goal.response())


def make_log(
    *,
    action_prob: Float64s,
    arm: NDArray[np.integer],
    reward: NDArray[np.floating],
    customer: NDArray[np.integer],
    n_arms: int,
    context: Float64s | None = None,
    eligible: Bools | None = None,
    is_control: Bools | None = None,
    holdout_prob: Float64s | None = None,
    labels: dict[str, tuple[str, ...]] | None = None,
) -> DecisionLog:
    n_rows = len(arm)
    return DecisionLog(
        states=States(
            arms=arms_of(n_arms),
            context=np.zeros((n_rows, 0)) if context is None else context,
            eligible=np.ones((n_rows, n_arms), bool) if eligible is None else eligible,
            at_us=np.arange(n_rows, dtype=np.int64),
        ),
        arm=arm.astype(np.int32),
        action_prob=action_prob,
        reward=reward.astype(np.float64),
        customers=Vocabulary(f"customer-{c}" for c in range(int(customer.max()) + 1)),
        customer_index=customer.astype(np.int32),
        is_control=np.zeros(n_rows, bool) if is_control is None else is_control,
        holdout_prob=np.zeros(n_rows) if holdout_prob is None else holdout_prob,
        labels=labels or {},
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """Contexts 0 or 1 with the same chance, four arms, acceptance by context and arm.

    A customer has a mood that shifts all of the customer's rewards, and one to five decisions.
    """

    logging: Float64s  # (2, n_arms): what the log's policy does in each context
    target: Float64s  # (2, n_arms)
    accept: Float64s  # (2, n_arms): the mean reward

    @property
    def truth(self) -> float:
        return float((self.target * self.accept).sum(axis=1).mean())

    def policy(self, states: States) -> Float64s:
        probs: Float64s = self.target[states.context[:, 0].astype(int)]
        return probs

    def logging_policy(self, states: States) -> Float64s:
        probs: Float64s = self.logging[states.context[:, 0].astype(int)]
        return probs

    def draw(self, rng: np.random.Generator, *, n_customers: int, mood: float = 0.3) -> DecisionLog:
        customer = np.repeat(np.arange(n_customers), rng.integers(1, 6, n_customers))
        n_rows, n_arms = len(customer), self.logging.shape[1]
        kind = rng.integers(0, 2, n_rows)
        arm = (rng.random((n_rows, 1)) > self.logging[kind].cumsum(axis=1)).sum(axis=1)
        of_customer = mood * rng.standard_normal(n_customers)
        return make_log(
            action_prob=self.logging[kind, arm],
            arm=arm,
            reward=(rng.random(n_rows) < self.accept[kind, arm]) + of_customer[customer],
            customer=customer,
            n_arms=n_arms,
            context=kind[:, None].astype(float),
        )


WORLD = World(
    logging=np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]),
    target=np.array([[0.1, 0.2, 0.2, 0.5], [0.0, 0.0, 1.0, 0.0]]),
    accept=np.array([[0.1, 0.3, 0.2, 0.5], [0.6, 0.1, 0.4, 0.0]]),
)


def fixed(*row: float) -> Policy:
    """Give the policy that does the same in every state."""

    def policy(states: States) -> Float64s:
        return np.tile(np.array(row), (len(states), 1))

    return policy


def one_arm(arm: int, n_arms: int) -> Policy:
    return fixed(*(float(k == arm) for k in range(n_arms)))


def a_log(seed: int, *, n_customers: int = 40) -> DecisionLog:
    return WORLD.draw(np.random.default_rng(seed), n_customers=n_customers)


def take(log: DecisionLog, rows: NDArray[np.integer]) -> DecisionLog:
    """Give some rows of a log, in the order given."""
    return replace(
        log,
        states=replace(
            log.states,
            context=log.states.context[rows],
            eligible=log.states.eligible[rows],
            at_us=log.states.at_us[rows],
        ),
        arm=log.arm[rows],
        action_prob=log.action_prob[rows],
        reward=log.reward[rows],
        customer_index=log.customer_index[rows],
        is_control=log.is_control[rows],
        holdout_prob=log.holdout_prob[rows],
        labels={name: tuple(column[i] for i in rows) for name, column in log.labels.items()},
    )
