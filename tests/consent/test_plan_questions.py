"""A compiled policy asks each question once, and tells the version of what it read."""

from typing import Any

import numpy as np
import pytest
from consent_leaves import AT, WHO, AlsoOne, BrokenClosing, BrokenOne, ByQuestion

from seg1._types import Id
from seg1.consent import (
    STAGES,
    Ask,
    Consent,
    ConsentLedger,
    Customers,
    Reason,
    all_of,
    any_of,
    vectorise,
)
from seg1.consent.plan import OwnRight, Plan
from seg1.consent.verdicts import Verdicts
from seg1.errors import InvalidArgumentError


class Counting(AlsoOne):
    name = "counting"

    def __init__(self, **told: object) -> None:
        super().__init__(0)
        self.asked: list[Ask] = []
        for name, value in told.items():
            setattr(self, name, value)

    def ask_one(self, customer: Id, ask: Ask) -> int:  # noqa: ARG002  # the contract's
        self.asked.append(ask)
        return 1


@pytest.mark.parametrize(
    ("told", "n_asked"),
    [({}, 7), ({"depends_on": ("purpose",)}, 3), ({"depends_on": {"stage"}}, 7),
     ({"depends_on": ()}, 1)],
)  # fmt: skip
def test_a_filter_is_asked_once_for_all_that_its_answer_does_not_depend_on(
    told: dict[str, object], n_asked: int
) -> None:
    counting = Counting(**told)
    consent = Consent.for_purposes(
        any_of(counting, all_of(counting)), train="a", decide="b", measure="c"
    )

    permits = consent.ask("ana", at=AT)

    assert len(counting.asked) == n_asked
    assert all(permits.allows(stage) for stage in STAGES)


@pytest.mark.parametrize("words", ["purpose", ("when",), None, 5])
def test_what_an_answer_cannot_depend_on_is_refused(words: object) -> None:
    with pytest.raises(InvalidArgumentError, match="depends_on is a tuple or set"):
        Consent({("offers", "decide"): Counting(depends_on=words)})


class Version(ByQuestion):
    """Answers for many alone, with the version of what it read."""

    name = "version"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:  # type: ignore[override]  # more
        values = super().check(customers, ask)
        return Verdicts(values, np.ones(len(values), np.int8), self.salt)


def ledger_of(*purposes: str) -> ConsentLedger:
    ledger = ConsentLedger()
    ledger.grant("ana", purposes, at=0, until=9)
    return ledger


def test_the_version_is_the_sum_of_those_that_were_read() -> None:
    ledger, other = ledger_of("offers"), ledger_of("offers", "ads")
    source = all_of(ledger, other, Version(30), Version(500))
    consent = Consent({("offers", "train"): source})

    permits = consent.ask("ana", at=AT)

    assert permits.epoch == ledger.epoch + other.epoch + 530
    assert consent.check(Customers.of("ana"), stage="train", at_us=AT).epoch == permits.epoch


def test_filters_without_a_version_add_none_to_it() -> None:
    consent = Consent({("offers", "train"): AlsoOne(0)})

    assert consent.ask("ana", at=AT).epoch == 0


def test_a_ledger_that_fails_is_told_of_and_adds_no_version(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("canary")

    ledger = ledger_of("offers")
    monkeypatch.setattr(ConsentLedger, "read", fail)

    permits = Consent({("offers", "train"): ledger}).ask("canary", at=AT)

    assert (permits.reason("train"), permits.epoch) == (Reason.FILTER_FAILED, 0)
    assert "consent filter ledger failed (KeyError)" in caplog.text
    assert "canary" not in caplog.text


def test_a_ledger_is_asked_once_a_purpose_and_once_more_for_decide() -> None:
    ledger = ledger_of("offers", "ads")
    rules = {stage: [("offers", ledger), ("ads", ledger)] for stage in STAGES}

    assert len(Plan(rules, ()).questions) == 4


def test_a_ledger_is_read_at_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    true, looks = ConsentLedger.read, []

    def read(self: ConsentLedger, *of: Any) -> Any:  # noqa: ANN401  # passed on as they are
        looks.append(of[1])
        return true(self, *of)

    monkeypatch.setattr(ConsentLedger, "read", read)
    ledger = ledger_of("offers", "ads")

    Consent({("offers", "decide"): ledger, ("ads", "train"): ledger}).ask("ana", at=AT)

    assert [sorted(asked) for asked in looks] == [[("ads", False), ("offers", True)]]


def test_answers_that_came_together_are_remembered_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seg1.consent.plan._MOST_KNOWN", 2)
    values: dict[Id, int] = {"ana": -1, "bo": 0, "cy": 1}
    source = vectorise(lambda who, _: values[who], name="values")
    plan = Plan({"train": [("offers", source)]}, ())
    n_known = []

    for who in (*WHO, "cy"):
        plan.ask(who, AT)
        n_known.append(len(plan._known))

    assert n_known == [1, 2, 1, 1]


def test_an_own_right_for_one_purpose_opens_no_other() -> None:
    plan = Plan({"train": [("rights", OwnRight()), ("offers", ConsentLedger())]}, ())

    bits, reasons, _ = plan.ask("ana", AT)

    assert (bits, reasons) == (0, (Reason.NO_RECORD,))


@pytest.mark.parametrize(("of", "is_allowed"), [(BrokenOne, True), (BrokenClosing, False)])
def test_only_the_failure_of_what_may_veto_closes_what_stands_beside_it(
    of: type[ByQuestion],
    is_allowed: bool,  # noqa: FBT001  # a row of the table
) -> None:
    consent = Consent({("offers", "train"): any_of(of(0), ledger_of("offers"))})

    permits = consent.ask("ana", at=AT)
    many = consent.check(Customers.of("ana"), stage="train", at_us=AT)

    assert permits.allows("train") == is_allowed
    assert many.allowed.tolist() == [is_allowed]
