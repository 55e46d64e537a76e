"""Consent: who permits what, when. Unknown, missing, expired or failing means no."""

from seg1.consent import profiles
from seg1.consent.explain import explain
from seg1.consent.filters import ConsentFilter, all_of, any_of, not_
from seg1.consent.ledger import ConsentLedger
from seg1.consent.policy import STAGES, Consent, ConsentDoor, ConsentNotNeeded, Permits
from seg1.consent.remote import Remote
from seg1.consent.said import ConsentEvent
from seg1.consent.scalar import vectorise
from seg1.consent.snapshot import LedgerSnapshot
from seg1.consent.store import ConsentStore, MemoryStore, SqliteStore
from seg1.consent.verdicts import Ask, Customers, Reason, Verdict, Verdicts
from seg1.consent.vetoes import MinimumAge

__all__ = [
    "STAGES",
    "Ask",
    "Consent",
    "ConsentDoor",
    "ConsentEvent",
    "ConsentFilter",
    "ConsentLedger",
    "ConsentNotNeeded",
    "ConsentStore",
    "Customers",
    "LedgerSnapshot",
    "MemoryStore",
    "MinimumAge",
    "Permits",
    "Reason",
    "Remote",
    "SqliteStore",
    "Verdict",
    "Verdicts",
    "all_of",
    "any_of",
    "explain",
    "not_",
    "profiles",
    "vectorise",
]
