"""`replay`: make every decision of a journal again, from its row and the rows before it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seg1.bandit import OfferSelector
from seg1.bandit.context import own_features
from seg1.bandit.customers.effects import effects_of_arms
from seg1.decide.early import EarlyAnswers, policy_version
from seg1.decide.state import State
from seg1.journal import Decided, Journal

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found.

    Attributes
    ----------
    n_same
        Personalised decisions made again with the same arm and the same probability, to the bit.
    n_different
        Those that came out otherwise: a row, or the code, is not what it was.
    n_not_replayable
        Those that had used rows which were erased since, or another selector, delay model or
        catalogue.
    """

    n_same: int
    n_different: int
    n_not_replayable: int


def replay(
    journal: Journal, selector: OfferSelector, *, delay_model: EarlyAnswers | None = None
) -> Replayed:
    """Fold a journal from its start, and draw every personalised decision again on the way.

    Parameters
    ----------
    journal
        The journal.
    selector, delay_model
        The configuration that decided.

    Returns
    -------
    Replayed

    Examples
    --------
    >>> import seg1
    >>> from seg1.journal import MemoryJournal
    >>> selector = seg1.OfferSelector([seg1.Offer("tea")], goal=seg1.Goal.response())
    >>> journal = MemoryJournal()
    >>> ledger = seg1.ConsentLedger()
    >>> ledger.grant(7, ["offers"], at=0, until=9)
    >>> consent = seg1.Consent.for_purposes(ledger, train="a", decide="offers", measure="b")
    >>> with seg1.Personalizer(selector, consent=consent, journal=journal) as engine:
    ...     _ = engine.decide(7, placement="till", at=1)
    ...     replay(engine.journal, selector)
    Replayed(n_same=1, n_different=0, n_not_replayable=0)
    """
    policy = policy_version(selector, delay_model)
    ours = next((row for row in _personalised(journal) if row.policy == policy), None)
    if ours is None:
        return Replayed(0, 0, sum(1 for _ in _personalised(journal)))
    n_features = ours.n_features
    state = State(
        selector, catalogue=ours.catalogue, n_features=n_features, delay_model=delay_model
    )
    counts = {"same": 0, "different": 0, "not replayable": 0}
    for _, row in journal.read():
        if isinstance(row, Decided) and _is_personalised(row):
            is_ours = (row.policy, row.n_features) == (policy, n_features)
            is_known = is_ours and row.state_seq == state.n_rows
            counts[_draw_again(row, state, selector) if is_known else "not replayable"] += 1
        state.fold(row)
    return Replayed(counts["same"], counts["different"], counts["not replayable"])


def _personalised(journal: Journal) -> Iterator[Decided]:
    for _, row in journal.read():
        if isinstance(row, Decided) and _is_personalised(row):
            yield row


def _is_personalised(row: Decided) -> bool:
    # A decision that may not be logged left an anonymous row: there is nothing to draw it from.
    return row.mode == "personalised" and row.customer is not None


def _draw_again(row: Decided, state: State, selector: OfferSelector) -> str:
    bits = np.unpackbits(np.frombuffer(row.eligible, dtype=np.uint8), count=len(selector.arms))
    context, affinity = (np.frombuffer(part, dtype="<f8") for part in (row.context, row.affinity))
    scored = selector.probabilities(
        state.posterior,
        context,
        own=own_features(affinity, selector.arms),
        eligible=bits.astype(np.bool_),
        unit_price=row.unit_price,
        effects=effects_of_arms(np.frombuffer(row.effects, dtype="<f8"), selector.arms),
    )
    arm = selector.draw(scored.p, draw_id=row.decision_id, attempt=row.attempt)
    is_same = arm == row.arm and float(scored.p[arm]) == row.action_prob
    return "same" if is_same else "different"
