"""Kinds of data in a policy: features with a purpose of their own, and retention."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1 import Consent, ConsentLedger, ConsentNotNeeded
from seg1._checks import DAY_US
from seg1.consent import STAGES
from seg1.errors import InvalidArgumentError, InvalidTypeError

FEATURES = {"mood": "wellbeing", "place": "location"}


def ledger_of(*purposes: str) -> ConsentLedger:
    ledger = ConsentLedger()
    if purposes:
        ledger.grant("ana", purposes, at=0, until=10)
    return ledger


def policy(ledger: ConsentLedger, **settings: Any) -> Consent:  # noqa: ANN401  # passed on
    return Consent.for_purposes(ledger, train="a", decide="b", measure="c", **settings)


@given(st.sets(st.sampled_from(["a", "b", "c", "wellbeing", "location"])))
def test_a_feature_with_a_rule_of_its_own_is_denied_where_its_purpose_is(
    granted: set[str],
) -> None:
    consent = policy(ledger_of(*sorted(granted)), features=FEATURES)

    permits = consent.ask("ana", at=5)

    denied = [name for name, purpose in FEATURES.items() if purpose not in granted]
    assert list(consent.denied_features(permits)) == denied
    plain = policy(ledger_of(*sorted(granted))).ask("ana", at=5)
    assert permits.bits & ((1 << len(STAGES)) - 1) == plain.bits
    assert [permits.allows(s) for s in STAGES] == [plain.allows(s) for s in STAGES]


def test_an_objection_denies_the_features_too() -> None:
    ledger = ledger_of("b", "wellbeing")
    consent = policy(ledger, features=FEATURES)

    ledger.object("ana", at=5)

    assert consent.denied_features(consent.ask("ana", at=5)) == ("mood", "place")


def test_a_policy_says_which_features_it_governs() -> None:
    consent = policy(ledger_of(), features=FEATURES)

    assert [consent.governs(name) for name in ("mood", "hour")] == [True, False]
    assert policy(ledger_of()).denied_features(consent.ask("ana", at=5)) == ()
    assert ConsentNotNeeded("made up").governs("mood")
    assert ConsentNotNeeded("made up").denied_features(consent.ask("ana", at=5)) == ()


def test_retention_is_the_shortest_of_the_purposes_of_a_stage() -> None:
    ledger = ledger_of()
    consent = Consent(
        {("a", "train"): ledger, ("b", "train"): ledger, ("c", "measure"): ledger},
        retention_days={"a": 30, "b": 7.5},
    )

    assert consent.retention_us("train") == 7.5 * DAY_US
    assert consent.retention_us("ingest", "train") == 7.5 * DAY_US
    assert consent.retention_us("measure") is None
    assert ConsentNotNeeded("made up").retention_us("train") is None


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"features": ["mood"]}, InvalidTypeError, "features must map names to purposes"),
        ({"features": {"mood": ""}}, InvalidArgumentError, "non-empty"),
        ({"features": {"": "wellbeing"}}, InvalidArgumentError, "non-empty"),
        ({"features": {5: "wellbeing"}}, InvalidArgumentError, "non-empty"),
        ({"retention_days": 30}, InvalidTypeError, "retention_days must map purposes to days"),
        ({"retention_days": {"x": 30}}, InvalidArgumentError, "the policy does not: 'x'"),
        ({"retention_days": {"a": 0}}, InvalidArgumentError, r"retention_days\['a'\] must be"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        policy(ledger_of(), **settings)


@pytest.mark.parametrize("stage", ["features:", "feature:mood", "mood"])
def test_a_stage_that_is_none_is_refused(stage: str) -> None:
    with pytest.raises(InvalidArgumentError, match="stage must be one of"):
        Consent({("a", stage): ledger_of()})


def test_a_policys_version_names_its_rules_and_not_their_order() -> None:
    ledger = ledger_of()
    rules = {("a", "train"): ledger, ("b", "decide"): ledger}
    plain = Consent(rules)

    assert plain.version == Consent(dict(reversed(rules.items()))).version
    others = [
        Consent({**rules, ("c", "measure"): ledger}),
        Consent({**rules, ("c", "features:mood"): ledger}),
        Consent(rules, vetoes=[ledger]),
        Consent(rules, retention_days={"a": 1}),
        Consent(rules, retention_days={"a": 2}),
    ]
    assert len({plain.version, *(other.version for other in others)}) == 6
    assert ConsentNotNeeded("made up").version == "not needed: made up"
