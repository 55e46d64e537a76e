"""Global Privacy Control as a veto, and Consent Mode as a filter."""

import logging
from typing import Any

import pytest

from seg1.consent import (
    CONSENT_MODE_SIGNALS,
    Ask,
    ConsentMode,
    Customers,
    GlobalPrivacyControl,
    Reason,
)
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.testing import check_consent_filter

OFFERS = Ask(purpose="offers", stage="decide", at_us=5)
OTHER = Ask(purpose="service", stage="decide", at_us=5)
NEEDED = {"offers": ("ad_user_data", "ad_personalization")}
GRANTED = {"ad_user_data": "granted", "ad_personalization": "granted"}


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ("1", -1), (True, -1), (None, 1), (False, 1), ("0", 0), ("", 0), ("true", 0), (" 1", 0),
        ("1\n", 0), ("11", 0), (1, 0), (0, 0), (b"1", 0), (["1"], 0),
    ],
)  # fmt: skip
def test_gpc_vetoes_and_whatever_is_malformed_does_not_pass(signal: object, expected: int) -> None:
    gpc = GlobalPrivacyControl({"ana": signal}, purposes=["offers"])

    assert gpc.check(Customers.of("ana"), OFFERS).values.tolist() == [expected]


def test_gpc_is_about_the_purposes_it_is_given() -> None:
    gpc = GlobalPrivacyControl({"ana": "1"}, purposes=["offers"])

    assert gpc.check(Customers.of("ana"), OTHER).values.tolist() == [1]


def test_gpc_keeps_the_contract_of_a_filter() -> None:
    gpc = GlobalPrivacyControl({"ana": "1", "cy": "canary"}, purposes=["offers"])

    check_consent_filter(gpc, Customers.of("ana", "bo", "cy"), OFFERS)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (GRANTED, (1, Reason.GRANTED)),
        (GRANTED | {"ad_storage": "denied"}, (1, Reason.GRANTED)),
        (GRANTED | {"ad_personalization": "denied"}, (-1, Reason.REFUSED)),
        ({"ad_user_data": "perhaps", "ad_personalization": "denied"}, (-1, Reason.REFUSED)),
        ({"ad_user_data": "granted"}, (0, Reason.NO_RECORD)),
        ({}, (0, Reason.NO_RECORD)),
        (None, (0, Reason.NO_RECORD)),
        (GRANTED | {"ad_user_data": "Granted"}, (0, Reason.MALFORMED)),
        (GRANTED | {"ad_user_data": True}, (0, Reason.MALFORMED)),
        ({"ad_user_data": "canary"}, (0, Reason.MALFORMED)),
        ("granted", (0, Reason.MALFORMED)),
        (7, (0, Reason.MALFORMED)),
    ],
)
def test_consent_mode_permits_what_is_granted_word_for_word(
    states: object, expected: tuple[int, Reason]
) -> None:
    mode = ConsentMode({"ana": states}, signals=NEEDED)

    verdict = mode.check(Customers.of("ana"), OFFERS).one(0)

    assert (verdict.value, verdict.reason) == expected


def test_consent_mode_does_not_know_other_purposes() -> None:
    mode = ConsentMode({"ana": GRANTED}, signals=NEEDED)

    verdict = mode.check(Customers.of("ana"), OTHER).one(0)

    assert (verdict.value, verdict.reason) == (0, Reason.NO_POLICY)


def test_consent_mode_keeps_the_contract_of_a_filter() -> None:
    states = {"ana": GRANTED, "bo": {"ad_user_data": "denied"}}

    mode = ConsentMode(states.get, signals=NEEDED)

    check_consent_filter(mode, Customers.of("ana", "bo", "cy"), OFFERS)


def test_all_four_states_of_version_2_are_known() -> None:
    assert set(CONSENT_MODE_SIGNALS) == {
        "ad_storage", "ad_user_data", "ad_personalization", "analytics_storage",
    }  # fmt: skip
    mode = ConsentMode({}, signals={"offers": CONSENT_MODE_SIGNALS})

    assert mode.check(Customers.of("ana"), OFFERS).values.tolist() == [0]


def test_no_signal_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    gpc = GlobalPrivacyControl({"canary": "canary"}, purposes=["offers"])
    mode = ConsentMode({"canary": {"ad_user_data": "canary"}}, signals=NEEDED)

    with caplog.at_level(logging.DEBUG):
        for signal in (gpc, mode):
            signal.check(Customers.of("canary"), OFFERS)

    assert caplog.text == ""
    assert repr(gpc) == "GlobalPrivacyControl(1 purposes)"
    assert repr(mode) == "ConsentMode(1 purposes)"


def test_states_of_a_wrong_form_are_no_failure_that_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ConsentMode({"ana": 7}, signals=NEEDED).check(Customers.of("ana"), OFFERS)

    assert not caplog.messages


@pytest.mark.parametrize("purpose", ["", 7])
def test_consent_mode_refuses_a_purpose_that_is_no_word(purpose: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidArgumentError, match="purposes must be non-empty words"):
        ConsentMode({}, signals={purpose: ("ad_storage",)})


@pytest.mark.parametrize("purposes", [[], [""], ["offers", ""], ["offers", 7]])
def test_purposes_that_are_no_words_are_refused(purposes: object) -> None:
    with pytest.raises(InvalidArgumentError, match="purposes must be non-empty words"):
        GlobalPrivacyControl({}, purposes=purposes)  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize("purposes", ["offers", 7, None])
def test_purposes_of_a_wrong_type_are_refused(purposes: object) -> None:
    with pytest.raises(InvalidTypeError, match="purposes must be several words"):
        GlobalPrivacyControl({}, purposes=purposes)  # type: ignore[arg-type]  # the point


def test_a_source_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="signals must be a mapping of customer"):
        GlobalPrivacyControl(None, purposes=["offers"])  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize("signals", [{}, ["ad_storage"], None])
def test_consent_mode_without_a_mapping_is_refused(signals: object) -> None:
    with pytest.raises(InvalidTypeError, match="signals must be a mapping, for example"):
        ConsentMode({}, signals=signals)  # type: ignore[arg-type]  # the point


def test_consent_mode_refuses_a_state_that_it_does_not_know() -> None:
    with pytest.raises(InvalidArgumentError, match=r"got \['adstorage'\]"):
        ConsentMode({}, signals={"offers": ["adstorage"]})
