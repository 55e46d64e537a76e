"""From a journal's rows to the columns of a `DecisionLog`, under the consent to measure."""

from dataclasses import dataclass, field

import numpy as np

from seg1._types import Float64s
from seg1.consent import ConsentDoor, Customers
from seg1.errors import InvalidArgumentError
from seg1.events import Vocabulary
from seg1.journal.catalogue import arms_of_body, features_of_body, schema_of_body
from seg1.journal.journal import Journal
from seg1.journal.log import DecisionLog, States
from seg1.journal.records import Decided, Outcome, Swapped, Voided, Withheld
from seg1.offers import Arms, Goal

__all__ = ["read_log"]


@dataclass(slots=True)
class _Told:
    """A decision and the last answer of each kind."""

    decided: Decided
    answers: dict[str, float] = field(default_factory=dict)
    is_withheld: bool = False


def read_log(
    journal: Journal, *, consent: ConsentDoor, at_us: int, since_us: int | None
) -> DecisionLog:
    """Read what `DecisionLog.from_journal` promises."""
    told, catalogues = _told(journal)
    if not catalogues:
        raise InvalidArgumentError("the journal names no offers: no engine has written to it")
    in_force = catalogues[-1]
    alike = {one.version for one in catalogues if _is_alike(one.body, in_force.body)}
    excluded: dict[str, int] = {}
    rows = told
    if since_us is not None:
        late = [t.decided.at_us >= since_us for t in rows]
        rows = _keep(rows, late, excluded, "before since")
    closed = [t.decided.at_us + t.decided.outcome_us < at_us for t in rows]
    rows = _keep(rows, closed, excluded, "window open")
    of_these = [t.decided.catalogue in alike for t in rows]
    rows = _keep(rows, of_these, excluded, "another catalogue")
    retention_us = consent.retention_us("measure")
    if retention_us is not None:
        young = [t.decided.at_us >= at_us - retention_us for t in rows]
        rows = _keep(rows, young, excluded, "older than its purpose allows")
    rows = _keep(rows, [not t.is_withheld for t in rows], excluded, "withheld")
    has_arm = [t.decided.arm >= 0 or t.decided.is_control for t in rows]
    rows = _keep(rows, has_arm, excluded, "nothing to choose from")
    rows = _keep(rows, _may_measure(rows, consent, at_us=at_us), excluded, "consent: measure")
    arms, goal = arms_of_body(in_force.body)
    return _columns(
        rows, arms, goal=goal, features=features_of_body(in_force.body), excluded=excluded
    )


def _is_alike(body: str, other: str) -> bool:
    """Whether arms, vectors and answers of two catalogues mean the same; worth may differ."""
    if body == other:
        return True
    (arms, goal), (arms_there, goal_there) = arms_of_body(body), arms_of_body(other)
    return (
        goal.learns_like(goal_there)
        and arms.arms == arms_there.arms
        and features_of_body(body) == features_of_body(other)
        and schema_of_body(body) == schema_of_body(other)
    )


def _told(journal: Journal) -> tuple[list[_Told], list[Swapped]]:
    """Collect logged decisions, but for the fallback's, with their answers; and the catalogues."""
    told: dict[str, _Told] = {}
    catalogues = []
    for _, row in journal.read():
        if isinstance(row, Decided) and row.customer is not None and row.mode != "fallback":
            told[row.decision_id] = _Told(row)
        elif isinstance(row, Voided):
            told.pop(row.decision_id, None)
        elif isinstance(row, Withheld) and row.decision_id in told:
            told[row.decision_id].is_withheld = True
        elif isinstance(row, Outcome) and row.decision_id in told:
            told[row.decision_id].answers[row.what] = row.value
        elif isinstance(row, Swapped) and row.what == "catalogue":
            catalogues.append(row)
    return list(told.values()), catalogues


def _keep(
    rows: list[_Told], mask: list[bool], excluded: dict[str, int], reason: str
) -> list[_Told]:
    kept = [row for row, stays in zip(rows, mask, strict=True) if stays]
    if len(kept) < len(rows):
        excluded[reason] = len(rows) - len(kept)
    return kept


def _may_measure(rows: list[_Told], consent: ConsentDoor, *, at_us: int) -> list[bool]:
    """Whether a decision may be measured: permitted when it was made, and now."""
    if not rows:
        return []
    ids = [row.decided.owner for row in rows]
    vocabulary = Vocabulary(ids)
    who = Customers(vocabulary, vocabulary.encode(ids))
    now = consent.check(who, stage="measure", at_us=at_us).allowed.tolist()
    return [ok and row.decided.is_measured for ok, row in zip(now, rows, strict=True)]


def _columns(
    rows: list[_Told],
    arms: Arms,
    *,
    goal: Goal,
    features: tuple[str, ...],
    excluded: dict[str, int],
) -> DecisionLog:
    decided = [row.decided for row in rows]
    customers = Vocabulary(row.owner for row in decided)
    context = np.zeros((len(rows), len(features)))
    eligible = np.zeros((len(rows), len(arms)), dtype=np.bool_)
    for place, row in enumerate(decided):
        context[place] = np.frombuffer(row.context, dtype="<f8")
        bits = np.frombuffer(row.eligible, dtype=np.uint8)
        eligible[place] = np.unpackbits(bits, count=len(arms))
    states = States(
        arms=arms,
        context=context,
        affinity=_vectors([row.affinity for row in decided]),
        effects=_vectors([row.effects for row in decided]),
        eligible=eligible,
        at_us=np.array([row.at_us for row in decided], dtype=np.int64),
    )
    placements = tuple(row.placement for row in decided)
    return DecisionLog(
        states=states,
        # A held-out row's arm means nothing; without no offer among the arms it has none.
        arm=np.array([max(row.arm, 0) for row in decided], dtype=np.int32),
        action_prob=np.array([row.action_prob for row in decided], dtype=np.float64),
        reward=np.array([_reward(row, arms, goal) for row in rows], dtype=np.float64),
        customers=customers,
        customer_index=customers.encode(row.owner for row in decided),
        is_control=np.array([row.is_control for row in decided], dtype=np.bool_),
        holdout_prob=np.array([row.holdout_prob for row in decided], dtype=np.float64),
        labels={"placement": placements, **_labels(context, features)},
        excluded=excluded,
    )


def _vectors(told: list[bytes]) -> Float64s:
    """Stack vectors of one length; those that are empty are 0."""
    stacked = np.zeros((len(told), max((len(vector) // 8 for vector in told), default=0)))
    for place, vector in enumerate(told):
        if vector:
            stacked[place] = np.frombuffer(vector, dtype="<f8")
    return stacked


def _reward(row: _Told, arms: Arms, goal: Goal) -> float:
    arm = row.decided.arm
    if goal.learns_reward:
        return goal.capped(row.answers.get("reward", 0.0))
    if arm < 0:
        return 0.0
    accepted = row.answers.get("accepted", 0.0)
    return float(accepted * arms.worth[arm] - arms.contact_cost[arm])


def _labels(context: Float64s, features: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Read the categories back from the vectors: one feature of each is set."""
    fields = dict.fromkeys(name.split("=")[0] for name in features if "=" in name)
    labels = {}
    for name in fields:
        places = [
            (place, feature.removeprefix(f"{name}=").removeprefix(f"{name}:"))
            for place, feature in enumerate(features)
            if feature.startswith((f"{name}=", f"{name}:"))
        ]
        values = [value for _, value in places]
        which = context[:, [place for place, _ in places]].argmax(axis=1)
        labels[name] = tuple(values[place] for place in which.tolist())
    return labels
