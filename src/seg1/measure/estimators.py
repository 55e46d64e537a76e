"""The one-step value of a policy that did not run, from the log of one that did."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np

from seg1._checks import check_choice, check_int, read_only
from seg1._types import Float64s, Int32s, Int64s
from seg1.errors import InvalidArgumentError, InvalidTypeError, PluginError
from seg1.journal import DecisionLog, States
from seg1.measure import reward_model
from seg1.measure.intervals import Clusters, Ratio, check_level, ratio, t_quantile
from seg1.measure.support import Gate, NotSupportedError, Weights, check_log, left_out

__all__ = ["Estimator", "Policy", "Value", "value"]

Estimator: TypeAlias = Literal["dr", "ips", "snips"]
"""Doubly robust, inverse propensity scoring, or the latter divided by the sum of weights."""

_BLOCK_ROWS = 32_768  # so many that a call pays, so few that memory stays flat
_SUM_TOLERANCE = 1e-6  # a vector worked out in float32 is off by about 1e-7
_DEFAULT_GATE = Gate()


class Policy(Protocol):
    """What is asked which arm it would choose. Any callable will do; `selector.frozen()` is one.

    It is fixed, and answers each row from that row's state alone: it is called on blocks of rows.

    Examples
    --------
    >>> def uniform(states: States) -> Float64s:
    ...     return states.eligible / states.eligible.sum(axis=1, keepdims=True)
    >>> policy: Policy = uniform
    """

    def __call__(self, states: States, /) -> Float64s:
        """Give the probability of every arm for every row.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_arms)
            Rows sum to 1; exactly 0 where an arm is not eligible.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A one-step value, its interval, and the quantities that say whether to believe it.

    Attributes
    ----------
    estimate
        Mean reward per decision, had the policy chosen each logged decision on its own.
    low, high
        Bounds of its interval at `level`.
    se
        Standard error, over customers.
    ess
        Effective number of customers behind it; at most `n_customers`.
    largest_weight
        Largest importance weight of a row.
    mean_weight, mean_weight_se
        Mean importance weight and its standard error. Its expectation is the share of the
        policy's choices that the log could have made: 1, unless probabilities were logged wrongly
        or the policy chooses arms that could not be drawn.
    n_rows, n_customers
        Decisions and customers it rests on, held-out ones left out.
    estimator
        How it was estimated.
    level
        Of the interval.
    """

    estimate: float
    low: float
    high: float
    se: float
    ess: float
    largest_weight: float
    mean_weight: float
    mean_weight_se: float
    n_rows: int
    n_customers: int
    estimator: Estimator
    level: float

    @property
    def support(self) -> float:
        """Estimated share of the policy's choices that the log could have made, in [0, 1]."""
        return min(self.mean_weight, 1.0)


def value(
    log: DecisionLog,
    *,
    policy: Policy,
    estimator: Estimator = "dr",
    n_folds: int = 5,
    level: float = 0.95,
    gate: Gate = _DEFAULT_GATE,
) -> Value:
    """Estimate the one-step value of a fixed policy on the logged states.

    That is what the policy would have earned per decision, had it chosen each logged decision, one
    at a time, with all else as it was. It is not the value of deploying it where caps, budgets,
    stock or repeated contacts change later states; the holdout answers that (`lift`).

    With pi the policy, p the logged probability of the chosen arm a, r the reward and
    ``w = pi(a) / p``:

    - "ips": mean of w r (Horvitz, Thompson 1952). Unbiased; noisy.
    - "snips": sum of w r / sum of w (Swaminathan, Joachims 2015). Adding a constant to every
      reward adds it to the value; biased by O(1 / n).
    - "dr": mean of ``sum over arms b of pi(b) q(b) + w (r - q(a))`` (Dudik, Langford, Li 2011),
      where q, a ridge model of the reward given the context (one that all arms share, and each
      arm's deviation), is learned from the customers of the other folds (Chernozhukov et al. 2018).
      Unbiased whatever q is, and the less noisy the better q is.

    Intervals are those of the delta method over customers (Cameron, Miller 2015), so that rows of
    one customer may depend on one another. Nothing is random: folds are a keyed hash of customers'
    ids. In the log of a bandit that learns, later choices depend on earlier rewards. Weights are
    exact there too, so "ips" is unbiased; "dr" is valid for the weights, but q is learned in part
    from rows whose arms followed from the very rewards it is held against. The form that learns q
    from earlier blocks only, and removes this, is still to come.

    Parameters
    ----------
    log
        Decisions; rows of held-out customers are not part of it.
    policy
        The policy to value. It must not have learned from the rewards of this log: such a one looks
        better than it is, and the interval does not tell.
    estimator
        "dr", "ips" or "snips".
    n_folds
        Folds of customers for "dr", >= 2.
    level
        Of the interval, in (0, 1).
    gate
        What the weights must show before a value is given.

    Returns
    -------
    Value

    Raises
    ------
    NotSupportedError
        Where the gate does not let the weights pass, or nothing but held-out rows is there.
    PluginError
        Where the policy answers in another form than `Policy` says.
    InvalidArgumentError
        For an argument out of its range, or a context that is not finite.

    Examples
    --------
    >>> from seg1.events import Vocabulary
    >>> from seg1.offers import Arms, Goal, Offer
    >>> n = 1_000
    >>> rng = np.random.default_rng(1)
    >>> arm = rng.integers(0, 2, n).astype(np.int32)  # tea or nothing, half and half
    >>> log = DecisionLog(
    ...     states=States(
    ...         arms=Arms.of([Offer("tea")], goal=Goal.response()), context=np.zeros((n, 0)),
    ...         eligible=np.ones((n, 2), bool), at_us=np.arange(n)),
    ...     arm=arm, action_prob=np.full(n, 0.5), reward=1.0 * (arm == 0),
    ...     customers=Vocabulary(range(n)), customer_index=np.arange(n, dtype=np.int32),
    ...     is_control=np.zeros(n, bool), holdout_prob=np.zeros(n))
    >>> always_tea = lambda states: np.tile([1.0, 0.0], (len(states), 1))
    >>> snips = value(log, policy=always_tea, estimator="snips")
    >>> snips.estimate, snips.largest_weight
    (1.0, 2.0)
    """
    check_choice(estimator, name="estimator", choices=("dr", "ips", "snips"))
    check_int(n_folds, name="n_folds", low=2)
    check_level(level)
    check_log(log)
    if not callable(policy):
        raise InvalidTypeError(
            "policy must be callable with states, as what frozen() of a selector or an engine "
            f"gives; got {type(policy).__name__}"
        )
    rows = np.flatnonzero(~log.is_control)
    if not len(rows):
        raise NotSupportedError(
            f"the log has no decision outside the holdout; nothing to go by{left_out(log)}"
        )
    customers = Clusters.of(log.customer_index[rows])
    reward = log.reward[rows]
    if estimator == "dr":
        weight, baseline, residual = _doubly_robust(log, rows, customers, policy, n_folds)
    else:
        weight, baseline, residual = _weights(log, rows, policy), np.zeros(len(rows)), reward
    figures = Weights.of(weight, customers)
    gate.check(figures)
    denominator = weight if estimator == "snips" else np.ones(len(rows))
    found = ratio(baseline + weight * residual, denominator, customers)
    return _value(found, figures, estimator=estimator, level=level)


def _value(found: Ratio, figures: Weights, *, estimator: Estimator, level: float) -> Value:
    reach = t_quantile(level, n_customers=figures.n_customers) * found.se
    return Value(
        estimate=found.estimate,
        low=found.estimate - reach,
        high=found.estimate + reach,
        se=found.se,
        ess=figures.ess,
        largest_weight=figures.largest,
        mean_weight=figures.mean,
        mean_weight_se=figures.mean_se,
        n_rows=figures.n_rows,
        n_customers=figures.n_customers,
        estimator=estimator,
        level=level,
    )


def _blocks(rows: Int64s, *, n_all: int) -> Iterator[tuple[slice, slice | Int64s]]:
    """Cut rows into blocks: where a block stands among them, and its rows in the log."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        here = slice(start, min(start + _BLOCK_ROWS, len(rows)))
        yield here, here if len(rows) == n_all else rows[here]  # a slice copies nothing


def _weights(log: DecisionLog, rows: Int64s, policy: Policy) -> Float64s:
    """Weigh some rows: pi(a) / p, float64, shape (n_rows,)."""
    weight = np.empty(len(rows))
    for here, block in _blocks(rows, n_all=len(log)):
        probs, arm = _ask(policy, log.states, block), log.arm[block]
        weight[here] = probs[np.arange(len(arm)), arm] / log.action_prob[block]
    return weight


def _doubly_robust(
    log: DecisionLog, rows: Int64s, customers: Clusters, policy: Policy, n_folds: int
) -> tuple[Float64s, Float64s, Float64s]:
    """Weights, expected rewards under the policy, and what the chosen arm earned beyond them."""
    ids = log.customers.decode(customers.codes)
    fold = reward_model.folds_of(ids, n_folds=n_folds)[customers.index]
    models = _models(log, rows, fold, n_folds)
    weight, baseline, residual = np.empty((3, len(rows)))
    for here, block in _blocks(rows, n_all=len(log)):
        probs, arm = _ask(policy, log.states, block), log.arm[block]
        expected = reward_model.predict(log.states.context[block], models, block=fold[here])
        chosen = np.arange(len(arm)), arm
        weight[here] = probs[chosen] / log.action_prob[block]
        baseline[here] = np.einsum("ra,ra->r", probs, expected)
        residual[here] = log.reward[block] - expected[chosen]
    return weight, baseline, residual


def _models(log: DecisionLog, rows: Int64s, fold: Int32s, n_folds: int) -> Float64s:
    """Learn coefficients for each fold, (n_folds, d, n_arms), from the rows of the others."""
    context = log.states.context
    if not np.isfinite(context).all():
        raise InvalidArgumentError("the context of the log must be finite")
    S, b = reward_model.block_sums(
        context,
        arm=log.arm,
        reward=log.reward,
        rows=rows,
        block=fold,
        n_blocks=n_folds,
        n_arms=len(log.states.arms),
    )
    others = zip(reward_model.leave_one_out(S), reward_model.leave_one_out(b), strict=True)
    return np.array([reward_model.solve(S_k, b_k) for S_k, b_k in others])


def _ask(policy: Policy, states: States, rows: slice | Int64s) -> Float64s:
    """Ask the policy about some rows, and check what it answers."""
    asked = States(
        arms=states.arms,
        # A slice of the log is the log: a policy must not write into it.
        context=read_only(states.context[rows]),
        eligible=read_only(states.eligible[rows]),
        at_us=read_only(states.at_us[rows]),
        affinity=read_only(states.affinity[rows]),
        effects=read_only(states.effects[rows]),
    )
    probs = policy(asked)
    problem = _problem(probs, asked)
    if problem:
        name = getattr(policy, "__qualname__", type(policy).__name__)
        raise PluginError(f"policy {name!r} {problem}")
    return probs


def _problem(probs: object, asked: States) -> str | None:
    """Say what is wrong with a policy's answer, or None."""
    shape = asked.eligible.shape
    if not isinstance(probs, np.ndarray) or probs.dtype != np.float64:
        kind = probs.dtype if isinstance(probs, np.ndarray) else type(probs).__name__
        return f"must give an ndarray of float64, got {kind}"
    if probs.shape != shape:
        return (
            f"must give shape {shape}, got {probs.shape}; it is asked block by block and "
            "answers for the states it is given"
        )
    if not probs.min() >= 0:  # and so not for nan
        return "gave a probability below 0 or nan"
    off = float(np.abs(probs.sum(axis=1) - 1.0).max())
    if not off <= _SUM_TOLERANCE:
        return f"must give rows that sum to 1, got one off by {off:.3g}"
    if ((probs != 0) > asked.eligible).any():
        return "gave an arm that is not eligible a probability other than 0"
    return None
