"""A customer's own rights: to have all that is held of them, and to have it removed."""

from dataclasses import asdict

from seg1._types import Id
from seg1.consent import STAGES, Consent
from seg1.decide.affinity import Affinity
from seg1.decide.core import Core
from seg1.decide.decision import Erasure
from seg1.errors import InvalidArgumentError
from seg1.journal import told_rows

__all__ = ["erase_customer", "export_customer"]

_MODEL: str = "recommender: history and factors, until the next fit without them"
_FILE: str = "journal: bytes in its file, until an erasure that no reader disturbs"
_LEDGER: str = "consent ledger: what was said, as the evidence"


def erase_customer(core: Core, customer: Id, *, at_us: int, affinity: Affinity | None) -> Erasure:
    """Remove a customer's rows and fold the rest anew; see `Personalizer.erase`."""
    core.consent.check_kind(customer)
    core.heed(at_us)
    with core.stripe(customer), core.lock:
        n_rows = core.journal.erase(customer, at_us=at_us)
        core.refold()
    residual = [_FILE] if getattr(core.journal, "has_residue", False) else []
    if affinity is not None and affinity.knows(customer):
        residual.append(_MODEL)
    return Erasure(n_rows, tuple(residual))


def export_customer(
    core: Core, customer: Id, *, at_us: int, affinity: Affinity | None
) -> dict[str, object]:
    """Collect all that is held of a customer; see `Personalizer.export`."""
    core.consent.check_kind(customer)
    permits = core.consent.ask(customer, at_us)
    if not permits.allows("export"):
        raise InvalidArgumentError(
            "the policy permits no export: name a purpose for the stage in it, or make it with "
            "Consent.for_purposes, where export is the customer's own right"
        )
    rows = told_rows(core.journal, customer)
    with core.lock:
        observed = list(core.state.observed.get(customer, ()))
        contacts = core.state.counters.contacts_of(customer)
        own = {str(row["decision_id"]) for row in rows if row["kind"] == "decided"}
        history = core.state.history
        answers = None if history is None else history.told_of(customer, own)
    said = _said(core, customer)
    left = [_LEDGER] if said else []
    knows = affinity is not None and affinity.knows(customer)
    return {
        "customer": customer,
        "at_us": at_us,
        "said": said,
        "permits": [
            [stage, permits.allows(stage), permits.reason(stage).words] for stage in STAGES
        ],
        "decisions": [row for row in rows if row["kind"] != "observed"],
        "observed": [row for row in rows if row["kind"] == "observed"],
        "contacts_us": contacts,
        "history": answers,
        "recommender": None if affinity is None else affinity.told(customer, observed),
        "left_by_erase": [*left, _MODEL] if knows else left,
    }


def _said(core: Core, customer: Id) -> list[dict[str, object]]:
    """List what the ledgers of the policy hold, each in the order of recording."""
    ledgers = core.consent.ledgers if isinstance(core.consent, Consent) else ()
    return [asdict(event) for ledger in ledgers for event in ledger.history(customer)]
