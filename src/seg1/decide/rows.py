"""Between a choice and its row in the journal, and between a row and what the caller sees."""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from seg1._types import Float64s, Id
from seg1.bandit import OfferSelector
from seg1.consent import Permits
from seg1.decide.choosing import NO_ARM, Chosen
from seg1.decide.core import BIT
from seg1.decide.decision import Decision, Versions
from seg1.decide.eligibility import Request
from seg1.errors import InvalidArgumentError
from seg1.journal import Decided
from seg1.offers import Placement

__all__ = ["Inputs", "check_owner", "decided_row", "show", "show_stored"]


class Inputs(NamedTuple):
    """What a decision was made with, apart from the request.

    Attributes
    ----------
    context, affinity, effects
        The numbers the model saw; empty where nothing personal was read.
    permits
        What the customer permits; None where the row may hold neither customer nor context.
    holdout_prob
        Probability of being held out; 0 where no holdout was drawn.
    policy, model, catalogue, state_seq
        As on `Decided`.
    """

    context: Float64s
    affinity: Float64s
    effects: Float64s
    permits: Permits | None
    holdout_prob: float
    policy: str
    model: str
    catalogue: str
    state_seq: int


def decided_row(
    request: Request,
    chosen: Chosen,
    *,
    decision_id: str,
    selector: OfferSelector,
    placement: Placement,
    inputs: Inputs,
) -> Decided:
    """Write a choice down; without customer, context and id where no log is permitted."""
    arm = selector.arms.arms[chosen.arm] if chosen.arm >= 0 else NO_ARM
    permits = inputs.permits
    bits = 0 if permits is None else permits.bits
    is_logged = bool(bits & BIT["log"])
    return Decided(
        decision_id=decision_id if is_logged else f"anonymous-{secrets.token_hex(16)}",
        customer=request.customer if is_logged else None,
        placement=request.placement,
        at_us=request.at_us,
        mode=chosen.mode,
        arm=chosen.arm,
        offer=arm.offer,
        price=arm.price,
        slot=arm.slot,
        action_prob=chosen.action_prob,
        response_prob=chosen.response_prob,
        context=_bytes(inputs.context) if is_logged else b"",
        affinity=_bytes(inputs.affinity) if is_logged else b"",
        eligible=np.packbits(chosen.eligible).tobytes(),
        floor=selector.floor,
        unit_price=0.0,
        attempt=0,
        is_control=chosen.mode == "control",
        holdout_prob=inputs.holdout_prob if is_logged else 0.0,
        is_measured=is_logged and bool(bits & BIT["measure"]),
        confirm=placement.confirm,
        exposure_us=placement.exposure_us,
        outcome_us=placement.outcome_us,
        policy=inputs.policy,
        model=inputs.model,
        catalogue=inputs.catalogue,
        consent_epoch=permits.epoch if permits is not None else 0,
        state_seq=inputs.state_seq,
        effects=_bytes(inputs.effects) if is_logged else b"",
    )


def _bytes(vector: Float64s) -> bytes:
    return vector.astype("<f8", copy=False).tobytes()


def show(
    row: Decided,
    request: Request,
    *,
    decision_id: str,
    reason: str,
    refused: Mapping[str, tuple[Id, ...]],
    released_seq: int,
) -> Decision:
    """Show a row to the caller, under the id that the caller knows it by."""
    return Decision(
        id=decision_id,
        customer=request.customer,
        placement=row.placement,
        at_us=row.at_us,
        mode=row.mode,
        offer=row.offer,
        price=row.price,
        slot=row.slot,
        action_prob=row.action_prob,
        response_prob=row.response_prob,
        reasons=(reason,),
        refused=refused,
        versions=Versions(row.policy, row.model, row.catalogue, row.consent_epoch),
        state_seq=row.state_seq,
        released_seq=released_seq,
        logged=row.customer is not None,
    )


def check_owner(row: Decided, customer: Id) -> None:
    """Refuse an id that stands for another customer's decision.

    Raises
    ------
    InvalidArgumentError
        Where it does.
    """
    if type(row.customer) is not type(customer) or row.customer != customer:
        raise InvalidArgumentError(
            "this id stands for a decision of another customer; use an id for one contact only"
        )


def show_stored(row: Decided, customer: Id, *, released_seq: int) -> Decision:
    """Show a decision that was made before, to a service that asks again."""
    return show(
        row,
        Request(customer=customer, placement=row.placement, at_us=row.at_us),
        decision_id=row.decision_id,
        reason="decided before under this id",
        refused={},
        released_seq=released_seq,
    )
