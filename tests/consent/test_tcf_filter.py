"""`TCFConsent`: what a decoded string permits, and that everything else permits nothing."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from tc_encoder import DAY_US, JAN_2026_US, NOBODY, PLAIN, changed, encode, tc_strings

from seg1._types import Id
from seg1.consent import (
    Ask,
    Customers,
    Reason,
    Restriction,
    RestrictionType,
    TCFConsent,
    TCString,
    Verdict,
)
from seg1.consent.filters import guarded_check
from seg1.consent.signals import sources as sources_module
from seg1.consent.signals.bits import Numbers
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.testing import check_consent_filter

PURPOSES = {"offers": (1, 3, 4), "measurement": (7,)}
AT_US = JAN_2026_US + 10 * DAY_US
OFFERS = Ask(purpose="offers", stage="decide", at_us=AT_US)
MEASUREMENT = Ask(purpose="measurement", stage="measure", at_us=AT_US)
CANARY = "CANARYcanaryCANARY"

ALLOWED = (1, Reason.GRANTED)
DENIED = (-1, Reason.REFUSED)
MALFORMED = (0, Reason.MALFORMED)


def make(strings: object, options: Mapping[str, object]) -> TCFConsent:
    arguments: dict[str, Any] = {"vendor": 12, "purposes": PURPOSES, **options}
    return TCFConsent(strings, **arguments)  # type: ignore[arg-type]  # wrong ones too


def answer(signal: object, ask: Ask = OFFERS, **options: object) -> tuple[int, Reason]:
    verdict = guarded_check(make({"ana": signal}, options), Customers.of("ana"), ask).one(0)
    return verdict.value, verdict.reason


def restricted(*kinds: int, purpose: int = 3, vendors: tuple[int, int] = (10, 12)) -> str:
    return changed(
        publisher_restrictions=tuple(
            Restriction(purpose, RestrictionType(kind), (vendors,)) for kind in kinds
        )
    )


def test_all_purposes_and_the_vendor_permit() -> None:
    assert answer(encode(PLAIN)) == ALLOWED
    assert answer(encode(PLAIN), vendor=90) == ALLOWED
    assert answer(PLAIN) == ALLOWED


@pytest.mark.parametrize(
    "fields",
    [
        {"purpose_consents": Numbers.of([1, 3])},
        {"vendor_consents": Numbers.of([90])},
        {"vendor_consents": NOBODY},
        {"purpose_one_treatment": True},
        {"policy_version": 3},
        {"policy_version": 2, "is_service_specific": False},
        {"disclosed_vendors": None},
        {"disclosed_vendors": Numbers.of([90, 91])},
        {"policy_version": 63, "disclosed_vendors": None},
    ],
)
def test_what_lacks_one_of_them_is_a_refusal(fields: dict[str, object]) -> None:
    assert answer(changed(**fields)) == DENIED


def test_before_tcf_2_3_disclosed_vendors_are_not_asked_for() -> None:
    assert answer(changed(policy_version=4, disclosed_vendors=None)) == ALLOWED
    assert answer(changed(policy_version=4, disclosed_vendors=NOBODY)) == ALLOWED


def test_the_lowest_policy_is_an_argument() -> None:
    old = changed(policy_version=2, disclosed_vendors=None)

    assert answer(old, min_policy=2) == ALLOWED
    assert answer(changed(policy_version=4), min_policy=5) == DENIED


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        (None, (0, Reason.NO_RECORD)),
        ("", MALFORMED),
        (CANARY, MALFORMED),
        (b"COtybn4PA", MALFORMED),
        (7, MALFORMED),
        (encode(PLAIN)[:30], MALFORMED),
        (changed(is_service_specific=False), MALFORMED),
    ],
)
def test_missing_and_malformed_strings_are_unknown(
    signal: object, expected: tuple[int, Reason]
) -> None:
    assert answer(signal) == expected


def test_a_string_is_valid_from_its_update_until_13_months_after_its_creation() -> None:
    def at(us: int, **options: int) -> tuple[int, Reason]:
        return answer(PLAIN, OFFERS._replace(at_us=us), **options)

    assert at(JAN_2026_US - 100_001) == (0, Reason.NOT_YET_VALID)
    assert at(JAN_2026_US - 100_000) == ALLOWED
    assert at(JAN_2026_US + 390 * DAY_US) == ALLOWED
    assert at(JAN_2026_US + 390 * DAY_US + 1) == (0, Reason.TOO_OLD)
    assert at(JAN_2026_US + 8 * DAY_US, max_age_days=7) == (0, Reason.TOO_OLD)


def test_an_update_does_not_renew_what_was_created_too_long_ago() -> None:
    tc = replace(PLAIN, updated_us=AT_US, created_us=AT_US - 391 * DAY_US)

    assert answer(tc) == (0, Reason.TOO_OLD)


@pytest.mark.parametrize(
    ("kinds", "expected"), [((0,), DENIED), ((1,), ALLOWED), ((2,), DENIED), ((1, 2), DENIED)]
)
def test_restrictions_of_a_purpose_with_consent(
    kinds: tuple[int, ...], expected: tuple[int, Reason]
) -> None:
    assert answer(restricted(*kinds)) == expected


def test_restrictions_of_other_purposes_and_vendors_do_not_matter() -> None:
    assert answer(restricted(0, purpose=2)) == ALLOWED
    assert answer(restricted(0, vendors=(13, 99))) == ALLOWED


@pytest.mark.parametrize(
    ("kinds", "has_consent", "has_interest", "expected"),
    [
        ((), False, True, ALLOWED),
        ((), True, False, DENIED),
        ((0,), True, True, DENIED),
        ((1,), True, False, ALLOWED),
        ((1,), False, True, DENIED),
        ((2,), False, True, ALLOWED),
        ((2,), True, False, DENIED),
        ((1, 2), True, True, DENIED),
    ],
)
def test_restrictions_of_a_purpose_with_legitimate_interest(
    kinds: tuple[int, ...],
    has_consent: bool,  # noqa: FBT001  # a column of the table
    has_interest: bool,  # noqa: FBT001
    expected: tuple[int, Reason],
) -> None:
    tc = replace(
        PLAIN,
        purpose_consents=Numbers.of([7] if has_consent else []),
        purpose_legitimate_interests=Numbers.of([7] if has_interest else []),
        publisher_restrictions=tuple(
            Restriction(7, RestrictionType(k), ((12, 12),)) for k in kinds
        ),
    )

    assert answer(tc, MEASUREMENT, legitimate_interest=[7]) == expected


def test_legitimate_interest_needs_the_vendor_too() -> None:
    tc = replace(PLAIN, vendor_legitimate_interests=NOBODY)

    assert answer(tc, MEASUREMENT, legitimate_interest=[7]) == DENIED
    assert answer(tc, MEASUREMENT) == ALLOWED


def test_purpose_1_undisclosed_does_not_touch_the_others() -> None:
    assert answer(replace(PLAIN, purpose_one_treatment=True), MEASUREMENT) == ALLOWED


def test_a_purpose_that_is_not_named_is_unknown() -> None:
    assert answer(PLAIN, OFFERS._replace(purpose="profiling")) == (0, Reason.NO_POLICY)


@given(tc=tc_strings())
@settings(max_examples=25, deadline=None)
def test_a_string_that_is_cut_off_permits_nothing_new(tc: TCString) -> None:
    both = replace(
        tc,
        created_us=JAN_2026_US,
        updated_us=JAN_2026_US,
        policy_version=5,
        is_service_specific=True,
        purpose_one_treatment=False,
        purpose_consents=PLAIN.purpose_consents,
        vendor_consents=Numbers.of({12, *tc.vendor_consents}),
    )
    text = encode(both)
    whole = answer(text)[0]

    assert all(answer(text[:n])[0] <= max(whole, 0) for n in range(len(text)))


WHO = Customers.of("ana", "bo", "cy", "di")
STRINGS: Mapping[Id, object] = {
    "ana": encode(PLAIN),
    "bo": changed(vendor_consents=NOBODY),
    "cy": CANARY,
}


@pytest.mark.parametrize("strings", [STRINGS, STRINGS.get])
def test_it_is_a_consent_filter(strings: object) -> None:
    tcf = make(strings, {})

    check_consent_filter(tcf, WHO, OFFERS)

    assert tcf.check(WHO, OFFERS).values.tolist() == [1, -1, 0, 0]


def test_a_source_that_fails_for_one_customer_fails_for_that_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def strings(customer: Id) -> str:
        if customer == "bo":
            raise RuntimeError(CANARY)
        return encode(PLAIN)

    tcf = TCFConsent(strings, vendor=12, purposes=PURPOSES)

    assert tcf.check(Customers.of("ana", "bo", "cy"), OFFERS).values.tolist() == [1, 0, 1]
    assert caplog.messages == [
        "the signals of 1 of 3 customers failed (RuntimeError first): read as unknown"
    ]


def test_a_repeated_string_is_decoded_once_per_check(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = TCFConsent._judge

    def counting(self: TCFConsent, signal: object, needed: tuple[int, ...], at_us: int) -> Verdict:
        asked.append(signal)
        return real(self, signal, needed, at_us)

    monkeypatch.setattr(TCFConsent, "_judge", counting)
    monkeypatch.setattr(sources_module, "_CACHE_SIZE", 1)
    cut_off, other = encode(PLAIN)[:30], changed(screen=2)
    tcf = TCFConsent({1: cut_off, 2: other, 3: cut_off, 4: other}, vendor=12, purposes=PURPOSES)

    for _ in range(2):
        assert tcf.check(Customers.of(1, 2, 3, 4), OFFERS).values.tolist() == [0, 1, 0, 1]
    assert asked == [cut_off, other, other] * 2


def test_no_string_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    tcf = TCFConsent({"ana": CANARY, "bo": encode(PLAIN)}, vendor=12, purposes=PURPOSES)

    with caplog.at_level(logging.DEBUG):
        verdicts = guarded_check(tcf, Customers.of("ana", "bo"), OFFERS)

    assert caplog.text == ""
    assert repr(tcf) == "TCFConsent(vendor=12, 2 purposes)"
    assert repr(verdicts) == "Verdicts(1 of 2 allowed, epoch 0)"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vendor": 0}, "vendor must be an int >= 1"),
        ({"vendor": 65_536}, "vendor must be at most 65535"),
        ({"purposes": {}}, "must name at least one purpose"),
        ({"purposes": {"": (1,)}}, "must be non-empty words"),
        ({"purposes": {5: (1,)}}, "must be non-empty words"),
        ({"purposes": {"offers": ()}}, "must name at least one"),
        ({"purposes": {"offers": (25,)}}, "^purposes of 'offers' must be numbers from 1 to 24"),
        ({"legitimate_interest": (25,)}, "^legitimate_interest must be numbers from 1 to 24"),
        ({"purposes": {"offers": (0,)}}, "must be an int >= 1"),
        ({"legitimate_interest": (7, 5, 3)}, r"purposes \[3, 5\] need consent"),
        *(({"legitimate_interest": (n,)}, rf"purposes \[{n}\] need") for n in (1, 3, 4, 5, 6)),
        ({"min_policy": 1}, "min_policy must be an int >= 2"),
        ({"max_age_days": 0}, "max_age_days must be an int >= 1"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        make({}, options)


def test_the_highest_vendor_and_the_highest_purpose_are_taken() -> None:
    tcf = make({}, {"vendor": 65_535, "purposes": {"offers": (24,)}})

    assert (tcf.name, repr(tcf)) == ("tcf", "TCFConsent(vendor=65535, 1 purposes)")


def test_a_string_that_counts_for_no_vendor_takes_no_other_with_it() -> None:
    tcf = make({"ana": changed(is_service_specific=False), "bo": PLAIN}, {})

    assert tcf.check(Customers.of("ana", "bo"), OFFERS).values.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("strings", "options", "words"),
    [
        (7, {}, "signals must be a mapping"),
        ({}, {"purposes": ["offers"]}, "purposes must be a mapping"),
        ({}, {"purposes": {"offers": 7}}, "must be numbers, for example"),
        ({}, {"legitimate_interest": "7"}, "must be numbers, for example"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused(
    strings: object, options: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidTypeError, match=words):
        make(strings, options)
