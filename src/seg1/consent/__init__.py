"""Consent: who permits what, when. Unknown, missing, expired or failing means no."""

from seg1.consent import profiles
from seg1.consent.audit import AuditHead, AuditTrail, verify_audit
from seg1.consent.explain import explain
from seg1.consent.filters import ConsentFilter, all_of, any_of, not_
from seg1.consent.ledger.ledger import ConsentLedger
from seg1.consent.ledger.said import ConsentEvent
from seg1.consent.ledger.snapshot import LedgerSnapshot
from seg1.consent.ledger.store import ConsentStore, MemoryStore, SqliteStore
from seg1.consent.policy import STAGES, Consent, ConsentDoor, ConsentNotNeeded, Permits
from seg1.consent.remote import Remote
from seg1.consent.scalar import vectorise
from seg1.consent.signals.browser import CONSENT_MODE_SIGNALS, ConsentMode, GlobalPrivacyControl
from seg1.consent.signals.gpp import GPPOptOut, GPPString, decode_gpp
from seg1.consent.signals.tcf import (
    PublisherConsents,
    Restriction,
    RestrictionType,
    TCString,
    decode_tc,
)
from seg1.consent.signals.tcf_filter import TCFConsent
from seg1.consent.signals.us_sections import USOptOuts
from seg1.consent.verdicts import Ask, Customers, Reason, Verdict, Verdicts
from seg1.consent.vetoes import MinimumAge

__all__ = [
    "CONSENT_MODE_SIGNALS",
    "STAGES",
    "Ask",
    "AuditHead",
    "AuditTrail",
    "Consent",
    "ConsentDoor",
    "ConsentEvent",
    "ConsentFilter",
    "ConsentLedger",
    "ConsentMode",
    "ConsentNotNeeded",
    "ConsentStore",
    "Customers",
    "GPPOptOut",
    "GPPString",
    "GlobalPrivacyControl",
    "LedgerSnapshot",
    "MemoryStore",
    "MinimumAge",
    "Permits",
    "PublisherConsents",
    "Reason",
    "Remote",
    "Restriction",
    "RestrictionType",
    "SqliteStore",
    "TCFConsent",
    "TCString",
    "USOptOuts",
    "Verdict",
    "Verdicts",
    "all_of",
    "any_of",
    "decode_gpp",
    "decode_tc",
    "explain",
    "not_",
    "profiles",
    "vectorise",
    "verify_audit",
]
