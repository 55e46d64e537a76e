"""Checks that plug-in authors and we both run: one function per contract."""

from seg1.testing.consent import check_consent_filter, check_consent_store
from seg1.testing.journal import check_journal
from seg1.testing.policy import check_policy
from seg1.testing.posterior import check_posterior
from seg1.testing.recommender import check_recommender

__all__ = [
    "check_consent_filter",
    "check_consent_store",
    "check_journal",
    "check_policy",
    "check_posterior",
    "check_recommender",
]
