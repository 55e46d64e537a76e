"""`DecisionLog`: decisions whose window has closed, as columns, for measurement."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from seg1._checks import to_us
from seg1._types import At, Bools, Float64s, Int32s, Int64s
from seg1.consent import ConsentDoor
from seg1.consent.policy import check_consent
from seg1.errors import InvalidArgumentError
from seg1.events import Vocabulary
from seg1.journal.journal import Journal
from seg1.offers import Arms

__all__ = ["DecisionLog", "States"]

_DTYPES = {
    "arm": np.int32, "customer_index": np.int32, "at_us": np.int64, "action_prob": np.float64,
    "reward": np.float64, "holdout_prob": np.float64, "is_control": np.bool_,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class States:
    """What was known when each decision was made: the argument of a policy.

    Attributes
    ----------
    arms
        The arms, in the order of the columns of `eligible`.
    context
        The vector of each context, float64, shape (n_rows, n_features).
    eligible
        Whether an arm could be chosen, bool, shape (n_rows, n_arms).
    at_us
        When, microseconds UTC, int64, shape (n_rows,).
    affinity
        The customer's affinity to each offer, which the model saw beside the context; float64,
        shape (n_rows, n_offers), or (n_rows, 0) where no recommender was at work.
    effects
        What the customer's response history added to the answer to each offer, and last to no
        offer; float64, shape (n_rows, n_offers + 1), or (n_rows, 0) where no history was kept.
    """

    arms: Arms
    context: Float64s
    eligible: Bools
    at_us: Int64s
    affinity: Float64s = field(default_factory=lambda: np.zeros((0, 0)))
    effects: Float64s = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        for name in ("affinity", "effects"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.zeros((len(self), 0)))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.at_us)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecisionLog:
    """Decisions whose outcome window has closed, one row each, in the order of the journal.

    Only customers who permit measuring are in it. Made from a journal; the plain constructor takes
    columns, checks that they fit together, and serves logs of other systems.

    Attributes
    ----------
    states
        What was known when each decision was made.
    arm
        Position of the chosen arm, int32, shape (n_rows,).
    action_prob
        Probability with which that arm was chosen, given all that was recorded before the draw;
        float64 in (0, 1], shape (n_rows,). For a held-out row it is 1 and means nothing.
    reward
        What the customer's answer was worth, float64, shape (n_rows,).
    customers, customer_index
        Whose decisions; codes int32, shape (n_rows,).
    is_control
        Whether the customer was held out, bool, shape (n_rows,).
    holdout_prob
        Probability of being held out, as assigned; float64 in [0, 1), shape (n_rows,). 0 for rows
        that no holdout was drawn for; those are not part of any lift.
    labels
        Columns to break figures down by, such as a category of the context: name to one str for
        each row.
    excluded
        Rows left out: reason to count. Of a journal the reasons are "window open", "another
        catalogue", "older than its purpose allows", "withheld", "nothing to choose from" and
        "consent: measure".

    Examples
    --------
    >>> from seg1 import Goal, Offer
    >>> states = States(
    ...     arms=Arms.of([Offer("tea")], goal=Goal.response()),
    ...     context=np.ones((2, 1)),
    ...     eligible=np.ones((2, 2), dtype=bool),
    ...     at_us=np.zeros(2, dtype=np.int64),
    ... )
    >>> DecisionLog(
    ...     states=states,
    ...     arm=np.array([0, 1], dtype=np.int32),
    ...     action_prob=np.array([0.7, 0.3]),
    ...     reward=np.array([1.0, 0.0]),
    ...     customers=Vocabulary(["ana", "bo"]),
    ...     customer_index=np.array([0, 1], dtype=np.int32),
    ...     is_control=np.zeros(2, dtype=bool),
    ...     holdout_prob=np.zeros(2),
    ... )
    DecisionLog(2 decisions, 2 customers)
    """

    states: States
    arm: Int32s
    action_prob: Float64s
    reward: Float64s
    customers: Vocabulary
    customer_index: Int32s
    is_control: Bools
    holdout_prob: Float64s
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_rows, n_arms = len(self), len(self.states.arms)
        eligible = self.states.eligible
        if eligible.shape != (n_rows, n_arms) or eligible.dtype != np.bool_:
            raise InvalidArgumentError(f"eligible must be bool, of shape ({n_rows}, {n_arms})")
        if self.states.context.ndim != 2 or len(self.states.context) != n_rows:  # noqa: PLR2004  # a table
            raise InvalidArgumentError(f"context must have shape ({n_rows}, n_features)")
        if self.states.affinity.shape not in ((n_rows, 0), (n_rows, len(self.states.arms.offers))):
            raise InvalidArgumentError(f"affinity must have shape ({n_rows}, n_offers)")
        n_effects = len(self.states.arms.offers) + 1
        if self.states.effects.shape not in ((n_rows, 0), (n_rows, n_effects)):
            raise InvalidArgumentError(f"effects must have shape ({n_rows}, n_offers + 1)")
        for name, dtype in _DTYPES.items():
            column = self.states.at_us if name == "at_us" else getattr(self, name)
            if np.shape(column) != (n_rows,) or getattr(column, "dtype", None) != dtype:
                raise InvalidArgumentError(
                    f"{name} must be an array of {dtype.__name__} and shape ({n_rows},), got "
                    f"{getattr(column, 'dtype', type(column).__name__)} {np.shape(column)}"
                )
        if any(len(column) != n_rows for column in self.labels.values()):
            raise InvalidArgumentError(f"every label must have {n_rows} entries")
        if n_rows:
            self._check_values(n_arms)

    def _check_values(self, n_arms: int) -> None:
        if not (self.arm.min() >= 0 and self.arm.max() < n_arms):
            raise InvalidArgumentError(f"arm must lie in [0, {n_arms})")
        n_customers = len(self.customers)
        if not (self.customer_index.min() >= 0 and self.customer_index.max() < n_customers):
            raise InvalidArgumentError(f"customer_index must lie in [0, {n_customers})")
        if not (self.action_prob.min() > 0 and self.action_prob.max() <= 1):
            raise InvalidArgumentError("action_prob must lie in (0, 1]")
        if not np.isfinite(self.reward).all():
            raise InvalidArgumentError("reward must be finite")
        if not (self.holdout_prob.min() >= 0 and self.holdout_prob.max() < 1):
            raise InvalidArgumentError("holdout_prob must lie in [0, 1)")
        chosen = self.states.eligible[np.arange(len(self)), self.arm]
        if not (chosen | self.is_control).all():
            raise InvalidArgumentError("a chosen arm was not eligible")

    @classmethod
    def from_journal(
        cls, journal: Journal, *, consent: ConsentDoor, at: At, since: At | None = None
    ) -> "DecisionLog":
        """Read the decisions of a journal whose outcome window has closed.

        Of the catalogue that was declared last, and of earlier ones with the same arms: where an
        offer, a price, a slot, the context or the kind of goal was changed, decisions before the
        change are counted in `excluded`, and in no column. An acceptance counts what it is worth
        in the catalogue that was declared last.

        A decision counts as decided, whether or not it was seen: exposure depends on what was
        chosen, and leaving the unseen out would compare unlike with unlike. Its reward is what the
        goal says: the worth of an acceptance less the cost of the contact, or the customer's total
        reward; 0 less the contact's cost where no answer came.

        Parameters
        ----------
        journal
            The journal of an engine.
        consent
            Asked for the stage measure, as of `at`.
        at
            The moment as of which windows have closed and consent is asked.
        since
            The moment from which on decisions are read; None for all. A policy that learned from
            this journal is to be judged by decisions that it did not learn from.

        Returns
        -------
        DecisionLog
            Labels are the placement and each category of the context.
        """
        check_consent(consent)
        from seg1.journal.reading import read_log  # noqa: PLC0415  # it makes what is defined here

        since_us = None if since is None else to_us(since, name="since")
        return read_log(journal, consent=consent, at_us=to_us(at), since_us=since_us)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.arm)

    def __repr__(self) -> str:
        n_customers = len(np.unique(self.customer_index))
        return f"DecisionLog({len(self)} decisions, {n_customers} customers)"
