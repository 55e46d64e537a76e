"""Who permits that a model is trained on their events."""

from typing import NamedTuple

import numpy as np

from seg1._types import Int8s, Int32s
from seg1.consent import ConsentDoor, Customers, Reason
from seg1.consent.verdicts import meet
from seg1.events import Vocabulary

__all__ = ["TRAINING", "TrainVerdict", "ask_training"]

TRAINING = ("ingest", "train")


class TrainVerdict(NamedTuple):
    """Per customer code: 0 where training is permitted, else the number of the reason."""

    reasons: Int8s
    purposes: tuple[str, ...]
    epoch: int
    excluded: dict[str, int]
    policy: str
    retention_us: int | None


def ask_training(
    customers: Vocabulary, present: Int32s, *, consent: ConsentDoor, at_us: int
) -> TrainVerdict:
    """Ask for the customers of some codes; those of all others read as permitted."""
    who = Customers(customers, present)
    verdicts = meet([consent.check(who, stage=stage, at_us=at_us) for stage in TRAINING])
    reasons = np.zeros(len(customers), dtype=np.int8)
    reasons[present] = np.where(verdicts.allowed, 0, verdicts.reasons)
    # A filter may deny without a reason of its own: a denial never reads as permission.
    reasons[present[~verdicts.allowed & (verdicts.reasons == 0)]] = Reason.BY_FILTER
    purposes = dict.fromkeys(purpose for stage in TRAINING for purpose in consent.purposes(stage))
    return TrainVerdict(
        reasons,
        tuple(purposes),
        verdicts.epoch,
        dict(verdicts.denied_by_reason()),
        consent.version,
        consent.retention_us(*TRAINING),
    )
