"""The policy: which stage asks which filter, and that what is not named is denied."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Int8s
from seg1.consent import (
    STAGES,
    Ask,
    Consent,
    ConsentFilter,
    ConsentLedger,
    ConsentNotNeeded,
    Customers,
    Permits,
    Reason,
    Verdicts,
    all_of,
    not_,
)
from seg1.consent.plan import OwnRight
from seg1.consent.policy import check_consent
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events import Vocabulary

BIT_OF = {stage: 1 << i for i, stage in enumerate(STAGES)}


class ById:
    """Permits even customers; remembers what it was asked."""

    name = "by id"

    def __init__(self) -> None:
        self.asked: list[Ask] = []

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        self.asked.append(ask)
        return np.array([1 - 2 * (int(i) % 2) for i in customers.ids()], dtype=np.int8)


class Broken:
    name = "broken"

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        raise KeyError(customers.ids(), ask.purpose)


def of_purposes(source: ConsentFilter) -> Consent:
    return Consent.for_purposes(source, train="profiling", decide="offers", measure="measurement")


def test_purposes_are_spread_over_the_stages() -> None:
    consent = of_purposes(ConsentLedger())

    assert {stage: consent.purposes(stage) for stage in STAGES} == {
        "ingest": ("profiling",), "train": ("profiling",), "candidates": ("offers",),
        "features": ("offers",), "decide": ("offers",), "log": ("offers",),
        "measure": ("measurement",), "export": ("own right",),
    }  # fmt: skip
    assert repr(consent) == "Consent(8 rules)"


@pytest.mark.parametrize(
    ("purpose", "stages"),
    [
        ("profiling", {"ingest", "train"}),
        ("offers", {"candidates", "features", "decide", "log"}),
        ("measurement", {"measure"}),
    ],
)
def test_a_purpose_permits_its_stages_and_no_other(purpose: str, stages: set[str]) -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", [purpose], at=0, until=10)

    permits = of_purposes(ledger).ask("ana", at=5)

    assert {stage for stage in STAGES if permits.allows(stage)} == stages | {"export"}
    assert permits.bits == sum(1 << STAGES.index(stage) for stage in stages | {"export"})


def test_a_stranger_may_have_the_own_data_only() -> None:
    permits = of_purposes(ConsentLedger()).ask("stranger", at=5)

    assert [stage for stage in STAGES if permits.allows(stage)] == ["export"]
    assert permits.reason("export") == Reason.OWN_RIGHT
    assert permits.reason("train") == Reason.NO_RECORD


def test_a_stage_that_is_not_named_is_denied() -> None:
    permits = Consent({}).ask("ana", at=5)

    assert permits.bits == 0
    assert set(permits.reasons) == {Reason.NO_POLICY}


def test_a_filter_is_told_purpose_stage_and_moment() -> None:
    by_id = ById()

    Consent({("p", "train"): by_id}).check(Customers.of(2), stage="train", at_us=7)

    assert by_id.asked == [Ask(purpose="p", stage="train", at_us=7)]


def test_all_purposes_of_a_stage_must_permit_it() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["p", "q"], at=0, until=10)
    ledger.grant("bo", ["p"], at=0, until=10)
    consent = Consent({("p", "train"): ledger, ("q", "train"): ledger})

    answer = consent.check(Customers.of("ana", "bo"), stage="train", at_us=5)

    assert answer.allowed.tolist() == [True, False]


@pytest.mark.parametrize("is_broken_first", [True, False])
def test_a_failing_filter_blocks_its_stage_and_no_other(
    is_broken_first: bool,  # noqa: FBT001  # pytest passes it by name
    caplog: pytest.LogCaptureFixture,
) -> None:
    filters: list[ConsentFilter] = [ById(), Broken()]
    first, second = reversed(filters) if is_broken_first else filters
    consent = Consent({
        ("canary p", "train"): first, ("canary q", "train"): second, ("p", "decide"): ById(),
    })  # fmt: skip
    caplog.set_level(logging.DEBUG)

    permits = consent.ask(424_242, at=5)

    assert (permits.allows("train"), permits.allows("decide")) == (False, True)
    assert permits.reason("train") == Reason.FILTER_FAILED
    assert "canary" not in caplog.text
    assert "424242" not in caplog.text


@given(codes=st.lists(st.integers(0, 9), max_size=20), cut=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_order_splitting_and_repetition_of_customers_change_nothing(
    codes: list[int], cut: int
) -> None:
    consent = Consent({("p", "train"): ById()})
    vocabulary = Vocabulary(list(range(10)))

    def ask(asked: list[int]) -> list[bool]:
        customers = Customers(vocabulary, np.array(asked, dtype=np.int32))
        allowed: list[bool] = consent.check(customers, stage="train", at_us=5).allowed.tolist()
        return allowed

    whole = ask(codes)
    assert ask(codes[::-1]) == whole[::-1]
    assert ask(codes[:cut]) + ask(codes[cut:]) == whole
    assert ask(codes + codes) == whole + whole
    assert [ask([code])[0] for code in codes] == whole


def test_the_epoch_moves_with_every_filter_of_the_policy() -> None:
    old, young = ConsentLedger(), ConsentLedger()
    for at in range(5):
        old.grant("ana", ["p"], at=at, until=99)
    consent = Consent({("p", "train"): old, ("q", "decide"): young})
    before = consent.ask("ana", at=50).epoch

    young.withdraw("ana", at=1)

    assert consent.ask("ana", at=50).epoch > before


@pytest.mark.parametrize(
    ("policy", "error", "words"),
    [
        ({("p", "training"): ConsentLedger()}, InvalidArgumentError, "stage must be one of ingest"),
        (
            {("", "train"): ConsentLedger()},
            InvalidArgumentError,
            "purpose of stage 'train' must be",
        ),
        ({(5, "train"): ConsentLedger()}, InvalidArgumentError, "purpose of stage 'train' must be"),
        ({("p", "train"): None}, InvalidTypeError, "takes filters"),
        ({("p", "train"): ConsentLedger}, InvalidTypeError, "got the class ConsentLedger"),
        ({"train": ConsentLedger()}, InvalidTypeError, r"keys of a policy are \(purpose, stage\)"),
        ({("p", "train", 1): ConsentLedger()}, InvalidTypeError, "keys of a policy"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(
    policy: Any,  # noqa: ANN401  # the point
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        Consent(policy)


def test_what_is_no_policy_is_refused_with_what_to_write() -> None:
    with pytest.raises(InvalidTypeError, match=r"for a ledger write Consent\.for_purposes"):
        Consent(ConsentLedger())  # type: ignore[arg-type]  # the point
    with pytest.raises(InvalidTypeError, match="each name one purpose"):
        Consent.for_purposes(ConsentLedger(), train="a", decide=["b"], measure="c")  # type: ignore[arg-type]  # the point


def test_a_policy_does_not_change_with_the_dict_it_was_made_of() -> None:
    policy: dict[tuple[str, str], ConsentFilter] = {}
    consent = Consent(policy)

    policy["p", "train"] = ById()

    assert not consent.ask(2, at=5).allows("train")


def test_an_unknown_stage_is_refused_everywhere() -> None:
    for door in (Consent({}), ConsentNotNeeded("synthetic")):
        permits = door.ask("ana", at=0)
        with pytest.raises(InvalidArgumentError, match="stage must be one of"):
            door.check(Customers.of("ana"), stage="training", at_us=0)
        with pytest.raises(InvalidArgumentError, match="stage must be one of"):
            door.purposes("training")
        with pytest.raises(InvalidArgumentError, match="stage must be one of"):
            permits.allows("training")
        with pytest.raises(InvalidArgumentError, match="stage must be one of"):
            permits.reason("training")


@pytest.mark.parametrize("customer", ["", 1.5, None, "canary\ud800"])
def test_a_bad_customer_is_refused_without_being_shown(customer: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises((InvalidArgumentError, InvalidTypeError)) as caught:
        Consent({}).ask(customer, at=0)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("customer", "at"), [("", 0), ("ana", "now"), ("ana", 2**63)])
@pytest.mark.parametrize("door", [Consent({}), ConsentNotNeeded("synthetic")])
def test_every_door_refuses_a_bad_customer_and_a_bad_moment(
    door: Consent | ConsentNotNeeded,
    customer: str,
    at: Any,  # noqa: ANN401  # the point
) -> None:
    with pytest.raises((InvalidArgumentError, InvalidTypeError)):
        door.ask(customer, at=at)


def test_the_version_of_a_policy_is_16_hexadecimal_digits() -> None:
    assert re.fullmatch("[0-9a-f]{16}", Consent({}).version)


def test_where_consent_is_not_needed_every_stage_is_permitted_with_the_reason() -> None:
    door = ConsentNotNeeded("synthetic data")

    permits = door.ask("ana", at=5)

    assert all(permits.allows(stage) for stage in STAGES)
    assert set(permits.reasons) == {Reason.NOT_NEEDED}
    assert (permits.bits, permits.epoch) == (2 ** len(STAGES) - 1, 0)
    assert door.purposes("train") == ("not needed: synthetic data",)


def test_where_consent_is_not_needed_many_are_permitted_and_nothing_can_be_withdrawn() -> None:
    door = ConsentNotNeeded("synthetic data")

    answer = door.check(Customers.of("ana", "bo"), stage="train", at_us=5)

    assert (answer.allowed.tolist(), answer.one(0).reason) == ([True, True], Reason.NOT_NEEDED)
    with pytest.raises(InvalidTypeError, match="a withdrawal would have no effect"):
        door.withdraw("ana", at=5)


@pytest.mark.parametrize("because", ["", "  ", None, 5])
def test_consent_is_never_not_needed_without_a_reason(because: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidArgumentError, match="say why"):
        ConsentNotNeeded(because)


def test_a_door_takes_a_consent_and_nothing_else() -> None:
    consent, not_needed = Consent({}), ConsentNotNeeded("synthetic")

    assert check_consent(consent) is consent
    assert check_consent(not_needed) is not_needed
    for other in (None, True, ConsentLedger(), Consent):
        with pytest.raises(InvalidTypeError, match="consent must be a Consent, made for example"):
            check_consent(other)


def test_a_withdrawal_through_the_policy_reaches_every_ledger_once() -> None:
    ours, theirs = ConsentLedger(), ConsentLedger()
    for ledger in (ours, theirs):
        ledger.grant("ana", ["profiling", "offers"], at=0, until=100)
    consent = Consent(
        {("profiling", "train"): ours, ("offers", "train"): theirs, ("a", "log"): ours}
    )

    consent.withdraw("ana", at=50)

    assert [len(ledger.history("ana")) for ledger in (ours, theirs)] == [3, 3]
    assert consent.ask("ana", at=50).reason("train") is Reason.WITHDRAWN


def test_a_policy_without_a_ledger_says_where_to_withdraw() -> None:
    consent = Consent({("offers", "decide"): all_of(ById())})

    with pytest.raises(InvalidTypeError, match="record it in its source"):
        consent.withdraw("ana", at=0)


def test_a_withdrawal_reaches_a_ledger_within_a_composition() -> None:
    ledger = ConsentLedger()
    ledger.grant(2, ["offers"], at=0, until=100)
    consent = Consent({("offers", "decide"): all_of(ById(), not_(not_(ledger)))})
    before = consent.ask(2, at=5)

    consent.withdraw(2, at=5)

    assert consent.ledgers == (ledger,)
    assert (before.allows("decide"), consent.ask(2, at=5).allows("decide")) == (True, False)


def test_the_own_right_may_stand_in_a_composition() -> None:
    consent = Consent({("own right", "export"): all_of(OwnRight())})

    assert consent.ask("ana", at=5).reason("export") == Reason.OWN_RIGHT


def test_what_is_remembered_of_answers_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg1.consent.plan._MOST_KNOWN", 2)
    ledger = ConsentLedger()
    ledger.grant("ana", ["p", "q"], at=0, until=10)
    ledger.withdraw("bo", ["p"], at=0)
    ledger.object("cy", ["q"], at=0)
    consent = Consent({("p", "train"): ledger, ("q", "decide"): ledger})

    bits = [consent.ask(who, at=5).bits for who in ("ana", "bo", "cy", "ana", "di")]

    assert bits == [BIT_OF["train"] | BIT_OF["decide"], 0, 0, BIT_OF["train"] | BIT_OF["decide"], 0]
    assert len(consent._plan._known) <= 2


def test_a_subclass_of_the_ledger_is_asked_as_it_answers() -> None:
    class Closed(ConsentLedger):
        def check(self, customers: Customers, ask: Ask) -> Verdicts:  # noqa: ARG002  # the contract's
            return Verdicts.uniform(-1, Reason.BY_FILTER, n=len(customers))

    closed = Closed()
    closed.grant("ana", ["offers"], at=0, until=10)

    assert not Consent({("offers", "decide"): closed}).ask("ana", at=5).bits


def test_permits_are_compared_and_shown_as_what_they_hold() -> None:
    permits = Consent({}).ask("ana", at=5)

    assert permits == Permits(0, (Reason.NO_POLICY,) * len(STAGES), 0)
    assert "ana" not in repr(permits)


def test_a_ledger_that_cannot_be_read_permits_nothing(tmp_path: Path) -> None:
    ledger = ConsentLedger(tmp_path / "consent.sqlite")
    ledger.grant("ana", ["offers"], at=0, until=100)
    consent = Consent.for_purposes(ledger, train="offers", decide="offers", measure="offers")
    ledger.close()

    permits = consent.ask("ana", at=50)

    assert permits.reason("decide") is Reason.FILTER_FAILED
    assert [stage for stage in STAGES if permits.allows(stage)] == ["export"]


@settings(max_examples=60)
@given(
    words=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]), st.sampled_from(["grant", "withdraw"]),
            st.integers(0, 20),
        ),
        max_size=8,
    ),
    at=st.integers(0, 30),
)  # fmt: skip
def test_one_customer_asked_alone_gets_what_the_check_of_many_gives(
    words: list[tuple[str, str, int]], at: int
) -> None:
    ledger = ConsentLedger()
    for purpose, kind, said in words:
        if kind == "grant":
            ledger.grant(7, [purpose], at=said, until=said + 10)
        else:
            ledger.withdraw(7, [purpose], at=said)
    consent = Consent.for_purposes(ledger, train="a", decide="b", measure="c")

    permits = consent.ask(7, at=at)

    for stage in STAGES:
        verdict = consent.check(Customers.of(7), stage=stage, at_us=at).one(0)
        assert (permits.allows(stage), permits.reason(stage)) == (verdict.allowed, verdict.reason)


def test_permits_have_no_truth_value() -> None:
    permits = ConsentNotNeeded("made up").ask("ana", at=0)

    with pytest.raises(InvalidTypeError, match=r"use permits.allows\(stage\)"):
        bool(permits)
