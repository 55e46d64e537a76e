"""What is made once, at import: tables, names, numbers and bounds."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from seg1.consent import (
    Ask,
    AuditTrail,
    Consent,
    ConsentEvent,
    ConsentFilter,
    ConsentLedger,
    ConsentMode,
    Customers,
    GlobalPrivacyControl,
    GPPOptOut,
    MemoryStore,
    MinimumAge,
    Reason,
    Remote,
    SqliteStore,
    TCFConsent,
    Verdict,
    Verdicts,
    explain,
    not_,
)
from seg1.consent.codes import NEGATED, VALUES, code_of, verdict_of
from seg1.consent.ledger.said import EventKind
from seg1.consent.plan import OwnRight
from seg1.errors import AuditError, ConsentStoreError, InvalidArgumentError, InvalidTypeError

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "consent.md"
ASK = Ask("offers", "decide", 5)
KEY = b"sixteen bytes at"


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("value", [-1, 0, 1])
def test_every_verdict_has_a_code_and_an_opposite(value: int, reason: Reason) -> None:
    code = code_of(value, reason)
    opposite = verdict_of(int(NEGATED[code]))

    assert verdict_of(code) == Verdict(value, reason)
    assert VALUES[code] == value
    assert opposite == Verdict(-value, reason if value == 0 else Reason.NEGATED)


def test_a_negation_says_so_and_leaves_the_unknown_its_reason() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, until=9)
    consent = Consent({("offers", "decide"): not_(ledger)})

    granted, unknown = consent.ask("ana", 5), consent.ask("bo", 5)

    assert (granted.allows("decide"), granted.reason("decide")) == (False, Reason.NEGATED)
    assert (unknown.allows("decide"), unknown.reason("decide")) == (False, Reason.NO_RECORD)


def test_numbers_of_reasons_are_what_was_stored() -> None:
    assert {reason.words: reason.value for reason in Reason} == {
        "not asked": 0, "granted": 1, "no record": 2, "withdrawn": 3, "not yet valid": 4,
        "expired": 5, "filter failed": 6, "no policy": 7, "negated": 8, "by filter": 9,
        "not needed": 10, "own right": 11, "objected": 12, "restricted": 13, "under age": 14,
        "opted out": 15, "automated opt out": 16, "too old": 17, "age unknown": 18,
        "malformed": 19, "no answer in time": 20, "refused": 21,
    }  # fmt: skip


def test_the_page_on_consent_says_every_reason_as_explain_does() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| (.+?) \| (.*?) ?\|$", PAGE.read_text(), re.MULTILINE)

    told = {name: (words, what_to_do) for name, words, what_to_do in rows}

    for reason in Reason:
        words, what_to_do = told[reason.words]
        end = f" ({what_to_do})" if what_to_do else ""
        assert explain(Verdict(0, reason)) == f"not allowed: {words}{end}"


FILTERS: list[tuple[Callable[[], ConsentFilter], str, bool]] = [
    (ConsentLedger, "ledger", True),
    (lambda: ConsentLedger().snapshot(), "ledger snapshot", True),
    (OwnRight, "own right", False),
    (lambda: GlobalPrivacyControl({}, purposes=["offers"]), "gpc", True),
    (lambda: GPPOptOut({}, purposes=["offers"]), "gpp", True),
    (lambda: ConsentMode({}, signals={"offers": ["ad_storage"]}), "consent mode", False),
    (lambda: TCFConsent({}, vendor=12, purposes={"offers": (1,)}), "tcf", False),
    (lambda: MinimumAge(16, ages={}), "minimum age 16", True),
]


@pytest.mark.parametrize(
    ("make", "name", "may_veto"), FILTERS, ids=[name for _, name, _ in FILTERS]
)
def test_a_filter_keeps_the_name_that_versions_of_policies_are_made_of(
    make: Callable[[], ConsentFilter], name: str, *, may_veto: bool
) -> None:
    source = make()
    source.check(Customers.of("ana"), ASK)

    assert source.name == name
    assert getattr(source, "may_veto", False) is may_veto


def test_a_remote_source_is_asked_as_its_page_says_where_nothing_else_is_told() -> None:
    Remote(ConsentLedger(), timeout_ms=1).close()
    parameters = inspect.signature(Remote).parameters

    defaults = {name: parameters[name].default for name in ("n_threads", "n_failures", "pause_s")}

    assert defaults == {"n_threads": 4, "n_failures": 5, "pause_s": 10.0}
    assert "these are 4 threads, 5 failures and 10 seconds" in PAGE.read_text()


def test_verdicts_that_are_all_alike_have_no_version_of_their_own() -> None:
    assert Verdicts.uniform(1, Reason.GRANTED, n=2).epoch == 0


def test_how_a_minimum_age_finds_ages_is_its_own() -> None:
    with pytest.raises(TypeError):
        MinimumAge(16, {}, {}.get)  # type: ignore[call-arg]  # that is what is tested
    assert repr(MinimumAge(16, ages={})) == "MinimumAge(years=16)"


@pytest.mark.parametrize("kind", ["withdraw", "object", "expire", "restrict", "opt_out"])
def test_what_takes_a_permission_away_holds_though_it_cannot_be_written_down(
    kind: EventKind, tmp_path: Path
) -> None:
    trail = AuditTrail(tmp_path / "audit.jsonl", key=KEY)
    ledger = ConsentLedger(audit=trail)
    consent = Consent.for_purposes(ledger, train="a", decide="offers", measure="c")
    ledger.grant("ana", ["offers"], at=1, until=9)
    trail.close()

    with pytest.raises(AuditError):
        ledger.record([ConsentEvent("ana", "*", kind, 2)])

    assert not consent.ask("ana", 5).allows("decide")


@pytest.mark.parametrize("kind", ["unrestrict", "opt_in"])
def test_what_may_open_something_does_not_hold_unwritten(kind: EventKind, tmp_path: Path) -> None:
    trail = AuditTrail(tmp_path / "audit.jsonl", key=KEY)
    ledger = ConsentLedger(audit=trail)
    ledger.restrict("ana", at=1)
    trail.close()

    with pytest.raises(AuditError):
        ledger.record([ConsentEvent("ana", "*", kind, 2)])

    assert [event.kind for event in ledger.history("ana")] == ["restrict"]


@pytest.mark.parametrize("name", ["n", "at_us", "act", "ref", "mac"])
def test_a_fact_cannot_stand_in_the_place_of_what_a_line_has_itself(
    name: str, tmp_path: Path
) -> None:
    with (
        AuditTrail(tmp_path / "audit.jsonl", key=KEY) as trail,
        pytest.raises(InvalidArgumentError, match="facts must have names other than"),
    ):
        trail.record("grant", at=1, facts={name: 5})


def test_a_key_of_an_audit_trail_has_16_bytes_or_more(tmp_path: Path) -> None:
    AuditTrail(tmp_path / "audit.jsonl", key=KEY).close()

    with pytest.raises(InvalidArgumentError, match="key must have at least 16 bytes"):
        AuditTrail(tmp_path / "audit.jsonl", key=KEY[:15])


@pytest.mark.parametrize("customer", [2**63, -(2**63) - 1, 3**63, -(3**63)])
def test_an_id_that_no_store_can_hold_is_refused_by_a_policy(customer: int) -> None:
    consent = Consent.for_purposes(ConsentLedger(), train="a", decide="b", measure="c")

    with pytest.raises((InvalidArgumentError, InvalidTypeError)):
        consent.ask(customer, 5)


@pytest.mark.parametrize("customer", [2**63 - 1, -(2**63)])
def test_the_largest_ids_are_customers_like_others(customer: int) -> None:
    ledger = ConsentLedger()
    ledger.grant(customer, ["b"], at=0, until=9)
    consent = Consent.for_purposes(ledger, train="a", decide="b", measure="c")

    assert consent.ask(customer, 5).allows("decide")


@pytest.mark.parametrize("n_written", [1, 2])
def test_a_store_that_was_written_to_before_is_read_when_a_ledger_opens(n_written: int) -> None:
    store = MemoryStore()
    for at_us in range(n_written):
        store.append([ConsentEvent("ana", "offers", "grant", at_us, at_us, 9)])

    assert ConsentLedger(store).ask("ana", "offers", at=5).allowed


@pytest.mark.parametrize("column", ["from_us", "until_us"])
@pytest.mark.parametrize("beyond", [2**60 + 1, -(2**60) - 1])
def test_a_validity_beyond_all_bounds_is_no_event(column: str, beyond: int, tmp_path: Path) -> None:
    path = tmp_path / "consent.sqlite"
    store = SqliteStore(path)
    store.append([ConsentEvent("ana", "offers", "grant", 1, 1, 2**60)])
    assert len(list(store.read(0))) == 1
    store._connection.execute(f"update consent_events set {column} = {beyond}")

    with pytest.raises(ConsentStoreError):
        list(store.read(0))
    store.close()


def test_many_are_asked_as_one_is_of_a_customer_of_whom_nothing_was_said() -> None:
    ledger = ConsentLedger()
    ledger.withdraw(7, at=3)
    everybody = Customers.of(*range(600))

    answers = ledger.check(everybody, ASK)

    assert [answers.one(n).reason for n in (6, 7)] == [Reason.NO_RECORD, Reason.WITHDRAWN]
