"""What the engine gives back: a `Decision`, with all that explains it, and an `Erasure`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from seg1._types import Id

__all__ = ["Decision", "Erasure", "Versions"]


class Versions(NamedTuple):
    """What a decision was made with.

    Attributes
    ----------
    policy, model, catalogue
        Versions of the selector's configuration, of the recommender, and of offers and goal.
    consent_epoch
        Version of the consent state.
    """

    policy: str
    model: str
    catalogue: str
    consent_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Decision:
    """One decision for one customer.

    Attributes
    ----------
    id
        The caller's id, or one that no other decision has.
    customer, placement, at_us
        For whom, where, when (microseconds UTC).
    mode
        "personalised"; "control": held out, no offer; "fallback": not permitted, a fixed draw;
        "none": no offer is allowed.
    offer, price, slot
        What to show; all None for nothing.
    action_prob
        Probability with which this was chosen, given all that was recorded before.
    response_prob
        Predicted probability that the customer accepts, in [0, 1]; 0 for no offer.
    reasons
        Why it is in this mode.
    refused
        Filter name to the ids of the offers that it refused.
    versions
        What it was made with.
    state_seq
        How many rows of the journal the state had folded.
    released_seq
        Place in the order of releases and withdrawals of this process.
    logged
        Whether it stands in the journal under its id. Without that, outcomes are refused.
    """

    id: str
    customer: Id
    placement: str
    at_us: int
    mode: str
    offer: Id | None
    price: float | None
    slot: str | None
    action_prob: float
    response_prob: float
    reasons: tuple[str, ...]
    refused: Mapping[str, tuple[Id, ...]] = field(default_factory=dict)
    versions: Versions
    state_seq: int
    released_seq: int
    logged: bool

    def __repr__(self) -> str:
        return f"Decision({self.mode}, offer={self.offer!r}, action_prob={self.action_prob:.4f})"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure removed, and what stays for now.

    Attributes
    ----------
    n_rows
        Rows of the journal that are gone.
    residual
        What still holds something of the customer, and until when.
    """

    n_rows: int
    residual: tuple[str, ...]
