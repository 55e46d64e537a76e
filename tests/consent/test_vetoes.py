"""Vetoes: objection, restriction, age, opt-out. They close, and nothing opens what they close."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seg1._types import Id
from seg1.consent import (
    STAGES,
    Ask,
    Consent,
    ConsentFilter,
    ConsentLedger,
    Customers,
    MinimumAge,
    Reason,
    SqliteStore,
    Verdict,
    Verdicts,
    all_of,
    any_of,
    not_,
    vectorise,
)
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.testing import check_consent_filter

ASK = Ask(purpose="offers", stage="decide", at_us=5)


def everybody(value: int, reason: Reason = Reason.BY_FILTER) -> ConsentFilter:
    return vectorise(lambda _, __: Verdict(value, reason), name="everybody")


def granted(*purposes: str) -> ConsentLedger:
    ledger = ConsentLedger()
    ledger.grant("ana", purposes or ["a", "offers", "m"], at=0, until=100)
    return ledger


def of_purposes(source: ConsentFilter, *vetoes: ConsentFilter) -> Consent:
    return Consent.for_purposes(source, train="a", decide="offers", measure="m", vetoes=vetoes)


TREES: list[Callable[[ConsentLedger], ConsentFilter]] = [
    lambda ledger: ledger,
    lambda ledger: any_of(ledger, everybody(1)),
    lambda ledger: any_of(everybody(1), all_of(ledger, everybody(-1))),
    lambda ledger: not_(all_of(ledger, everybody(-1))),
    lambda ledger: any_of(not_(ledger), everybody(1)),
]


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize(
    ("refuse", "reason"),
    [
        (lambda ledger: ledger.object("ana", ["offers"], at=5), Reason.OBJECTED),
        (lambda ledger: ledger.object("ana", at=5), Reason.OBJECTED),
        (lambda ledger: ledger.restrict("ana", at=5), Reason.RESTRICTED),
        (lambda ledger: ledger.opt_out("ana", at=5), Reason.AUTOMATED_OPT_OUT),
    ],
)
def test_what_a_ledger_vetoes_no_tree_around_it_opens(
    tree: Callable[[ConsentLedger], ConsentFilter],
    refuse: Callable[[ConsentLedger], object],
    reason: Reason,
) -> None:
    ledger = granted()
    consent = of_purposes(tree(ledger))
    refuse(ledger)

    for answer in (
        consent.ask("ana", at=5).reason("decide"),
        consent.check(Customers.of("ana"), stage="decide", at_us=5).one(0).reason,
    ):
        assert answer == reason
    assert consent.ask("ana", at=4).reason("decide") != reason
    assert consent.ask("ana", at=5).allows("export")


def test_an_objection_to_one_purpose_leaves_the_others() -> None:
    ledger = granted()
    ledger.object("ana", ["offers"], at=5)

    permits = of_purposes(ledger).ask("ana", at=5)

    assert [stage for stage in STAGES if permits.allows(stage)] == [
        "ingest", "train", "measure", "export",
    ]  # fmt: skip


def test_an_opt_out_of_automated_decisions_denies_decide_alone_until_it_is_lifted() -> None:
    ledger = granted()
    ledger.opt_out("ana", at=5)
    ledger.grant("ana", ["offers"], at=6, until=100)
    ledger.opt_in("ana", at=8)
    consent = of_purposes(ledger)

    denied = [stage for stage in STAGES if not consent.ask("ana", at=7).allows(stage)]

    assert denied == ["decide"]
    assert consent.ask("ana", at=8).allows("decide")


def test_a_restriction_holds_for_every_purpose_until_it_is_lifted() -> None:
    ledger = granted()
    ledger.restrict("ana", at=5)
    ledger.grant("ana", ["offers"], at=6, until=100)
    ledger.unrestrict("ana", at=8)
    consent = of_purposes(ledger)

    during, after = consent.ask("ana", at=7), consent.ask("ana", at=8)

    assert [stage for stage in STAGES if during.allows(stage)] == ["export"]
    assert all(after.allows(stage) for stage in STAGES)
    assert ledger.ask("ana", "offers", at=7).reason == Reason.RESTRICTED


def test_of_one_moment_the_restriction_and_the_opt_out_hold() -> None:
    ledger = granted()
    for lift, close in (("unrestrict", "restrict"), ("opt_out", "opt_in")):
        getattr(ledger, lift)("ana", at=5)
        getattr(ledger, close)("ana", at=5)

    assert of_purposes(ledger).ask("ana", at=5).reason("train") == Reason.RESTRICTED
    ledger.unrestrict("ana", at=6)
    assert of_purposes(ledger).ask("ana", at=6).reason("decide") == Reason.AUTOMATED_OPT_OUT


@pytest.mark.parametrize("later", ["withdraw", "expire"])
def test_only_a_later_grant_lifts_an_objection(later: str) -> None:
    ledger = granted()
    ledger.object("ana", at=5)
    ledger.grant("ana", ["offers"], at=5, until=100)

    getattr(ledger, later)("ana", at=6)

    assert ledger.ask("ana", "offers", at=7).reason == Reason.OBJECTED
    ledger.grant("ana", ["offers"], at=8, until=9)
    assert ledger.ask("ana", "offers", at=8).allowed
    assert ledger.ask("ana", "offers", at=9).reason == Reason.EXPIRED
    assert ledger.ask("ana", "m", at=9).reason == Reason.OBJECTED


def test_an_end_reads_as_expired_and_takes_no_refusal_back() -> None:
    ledger = granted("offers", "m")
    ledger.withdraw("ana", ["m"], at=4)

    ledger.expire("ana", at=5)

    assert ledger.ask("ana", "offers", at=4).allowed
    assert ledger.ask("ana", "offers", at=5) == Verdict(0, Reason.EXPIRED)
    assert ledger.ask("ana", "m", at=5) == Verdict(-1, Reason.WITHDRAWN)


def test_an_objection_is_told_before_any_other_refusal() -> None:
    ledger, other = granted(), granted()
    for refuse in (ledger.object, ledger.restrict, ledger.opt_out, other.restrict):
        refuse("ana", at=5)
    consent = of_purposes(all_of(other, ledger), everybody(-1), MinimumAge(16, {"ana": 3}))

    assert consent.ask("ana", at=5).reason("decide") == Reason.OBJECTED
    answer = consent.check(Customers.of("ana"), stage="decide", at_us=5)
    assert answer.one(0) == Verdict(-1, Reason.OBJECTED)


def test_a_ledger_that_cannot_be_read_closes_what_stands_beside_it(tmp_path: Any) -> None:  # noqa: ANN401  # a path
    ledger = ConsentLedger(SqliteStore(tmp_path / "c.sqlite"))
    consent = of_purposes(any_of(everybody(1), ledger))
    before = consent.ask("ana", at=5)

    ledger.close()

    after = consent.ask("ana", at=5)
    assert (before.allows("decide"), after.allows("decide")) == (True, False)
    assert after.reason("decide") == Reason.FILTER_FAILED
    answer = consent.check(Customers.of("ana"), stage="decide", at_us=5)
    assert answer.one(0) == Verdict(0, Reason.FILTER_FAILED)


@pytest.mark.parametrize(
    ("veto", "tree", "expected"),
    [
        (1, 1, Verdict(1, Reason.GRANTED)),
        (1, 0, Verdict(0, Reason.EXPIRED)),
        (1, -1, Verdict(-1, Reason.WITHDRAWN)),
        (0, 1, Verdict(0, Reason.BY_FILTER)),
        (0, -1, Verdict(-1, Reason.WITHDRAWN)),
        (-1, 1, Verdict(-1, Reason.BY_FILTER)),
        (-1, -1, Verdict(-1, Reason.BY_FILTER)),
    ],
)
def test_a_veto_gives_the_lower_of_its_own_and_the_trees_verdict(
    veto: int, tree: int, expected: Verdict
) -> None:
    reason = {1: Reason.GRANTED, 0: Reason.EXPIRED, -1: Reason.WITHDRAWN}[tree]
    consent = Consent({("offers", "decide"): everybody(tree, reason)}, vetoes=[everybody(veto)])

    answer = consent.check(Customers.of("ana"), stage="decide", at_us=5).one(0)

    assert answer == expected
    assert consent.ask("ana", at=5).reason("decide") == expected.reason


def test_a_veto_is_asked_for_every_purpose_of_a_stage_and_spares_the_own_right() -> None:
    asked: list[tuple[str, str]] = []

    def veto(customer: Id, ask: Ask) -> int:  # noqa: ARG001  # the contract's
        asked.append((ask.purpose, ask.stage))
        return 0

    consent = of_purposes(everybody(1), vectorise(veto, name="veto"))

    permits = consent.ask("ana", at=5)

    assert [stage for stage in STAGES if permits.allows(stage)] == ["export"]
    assert ("offers", "features") in asked
    assert len(asked) == 7


def test_a_veto_without_a_policy_opens_nothing() -> None:
    assert not Consent({}, vetoes=[everybody(1)]).ask("ana", at=5).bits


@pytest.mark.parametrize("vetoes", [5, "veto", [None], [ConsentLedger], {"a": 1}])
def test_what_is_no_veto_is_refused(vetoes: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidTypeError, match="vetoes= takes filters"):
        Consent({}, vetoes=vetoes)


AGES: dict[Id, Any] = {  # Any: most are wrong on purpose
    "child": 15.9, "grown": 16, "old": np.float64(80), "none": None, "negative": -1, "true": True,
    "nan": float("nan"), "words": "40", "infinite": float("inf"), "many": np.int64(16),
}  # fmt: skip
PASSES = {"grown", "old", "many"}


@pytest.mark.parametrize("ages", [AGES, AGES.__getitem__, AGES.get])
def test_a_minimum_age_lets_pass_who_is_known_to_be_old_enough(
    ages: Any,  # noqa: ANN401  # a mapping or a function
    caplog: pytest.LogCaptureFixture,
) -> None:
    who = [*AGES, "stranger"]
    veto = MinimumAge(16, ages=ages)
    with caplog.at_level(logging.DEBUG):
        verdicts = veto.check(Customers.of(*who), ASK)
        consent = of_purposes(everybody(1, Reason.GRANTED), veto)

        allowed = {customer for customer in who if consent.ask(customer, at=5).allows("decide")}

    assert allowed == PASSES == {who[i] for i in np.flatnonzero(verdicts.values == 1)}
    assert verdicts.one(0) == Verdict(-1, Reason.UNDER_AGE)
    assert verdicts.one(3) == Verdict(0, Reason.AGE_UNKNOWN)
    assert "stranger" not in caplog.text
    assert "child" not in repr(veto)


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (0, Verdict(-1, Reason.UNDER_AGE)), (0.5, Verdict(1, Reason.BY_FILTER)),
        (-0.1, Verdict(0, Reason.AGE_UNKNOWN)), (True, Verdict(0, Reason.AGE_UNKNOWN)),
    ],
)  # fmt: skip
def test_an_age_is_a_number_from_0(age: float, verdict: Verdict) -> None:
    veto = MinimumAge(0.5, ages={"ana": age})

    assert veto.ask_one("ana", ASK) == verdict
    assert veto.name == "minimum age 0.5"


def test_an_age_that_cannot_be_found_out_closes_what_stands_beside_it() -> None:
    def fail(_: Id) -> float:
        raise KeyError

    source = any_of(everybody(1, Reason.GRANTED), MinimumAge(16, ages=fail))

    assert not Consent({("offers", "decide"): source}).ask("ana", at=5).allows("decide")


def test_a_minimum_age_keeps_the_contract_of_a_filter() -> None:
    check_consent_filter(MinimumAge(16, ages={"ana": 20, "bo": 3}), Customers.of("ana", "bo"), ASK)


@pytest.mark.parametrize(
    ("years", "ages", "error", "words"),
    [
        (0, {}, InvalidArgumentError, "years must be"),
        (16, None, InvalidTypeError, "ages must be a mapping or a function of the id, got No"),
    ],
)  # fmt: skip
def test_an_age_veto_that_means_nothing_is_refused(
    years: float,
    ages: Any,  # noqa: ANN401  # the point
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        MinimumAge(years, ages)


def test_a_failing_function_takes_no_other_customer_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: dict[Id, Any] = {  # Any: some are wrong on purpose
        "ana": 1, "bo": True, "canary": 2, "di": Verdict(-1, Reason.WITHDRAWN),
    }  # fmt: skip
    lifted = vectorise(lambda who, _: answers[who], name="lifted")

    verdicts = lifted.check(Customers.of("ana", "bo", "canary", "di", "stranger"), ASK)

    assert isinstance(verdicts, Verdicts)
    assert verdicts.values.tolist() == [1, 0, 0, -1, 0]
    assert verdicts.one(1).reason == Reason.FILTER_FAILED
    assert verdicts.one(3).reason == Reason.WITHDRAWN
    assert "a bool has two values and a verdict three" in caplog.text
    assert "): 3 customers read as unknown" in caplog.text
    assert "canary" not in caplog.text


def test_a_lifted_function_that_never_fails_logs_nothing_and_has_no_version(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lifted = vectorise(lambda _, __: 1, name="lifted")

    verdicts = lifted.check(Customers.of("ana"), ASK)

    assert isinstance(verdicts, Verdicts)
    assert verdicts.epoch == 0
    assert not caplog.records


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (True, "a bool has two values"), (np.True_, "a bool has two values"),
        (2, "expected a Verdict or an int -1, 0 or 1, got int"), (None, "got NoneType"),
        (1.0, "got float"), (Verdict(7, Reason.GRANTED), "got int"),
        (Verdict(True, Reason.GRANTED), "a bool has two values"),  # noqa: FBT003  # the point
        (Verdict(1, 1), "must be a seg1.consent.Reason"),  # type: ignore[arg-type]  # the point
    ],
)  # fmt: skip
def test_a_wrong_answer_about_one_customer_is_unknown_and_the_log_says_why(
    answer: Any,  # noqa: ANN401  # the point
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    consent = Consent({("offers", "decide"): vectorise(lambda _, __: answer, name="wrong")})

    permits = consent.ask("canary", at=5)

    assert permits.reason("decide") == Reason.FILTER_FAILED
    assert words in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("value", [-1, 0, 1])
def test_numpy_ints_are_answers_of_one(value: int) -> None:
    answer: Any = np.int8(value)  # Any: the point
    consent = Consent({("offers", "decide"): vectorise(lambda _, __: answer, name="np")})

    permits = consent.ask("ana", at=5)

    assert (permits.allows("decide"), permits.reason("decide")) == (value == 1, Reason.BY_FILTER)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((5, "name"), InvalidTypeError, "vectorise takes a function, got a int"),
        ((len, ""), InvalidArgumentError, "give the filter a name"),
        ((len, None), InvalidArgumentError, "give the filter a name"),
        ((len, 5), InvalidArgumentError, "give the filter a name"),
    ],
)
def test_what_cannot_be_lifted_is_refused(
    arguments: Any,  # noqa: ANN401  # the point
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        vectorise(arguments[0], name=arguments[1])
