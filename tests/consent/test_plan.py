"""One customer asked alone equals the check of many, over random policies with failing leaves."""

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Id, Int8s
from seg1.consent import (
    STAGES,
    Ask,
    Consent,
    ConsentEvent,
    ConsentFilter,
    ConsentLedger,
    Customers,
    Reason,
    Verdict,
    all_of,
    any_of,
    not_,
    vectorise,
)
from seg1.consent.codes import VETO_REASONS
from seg1.consent.ledger.said import KINDS, EventKind
from seg1.consent.plan import OwnRight, Plan
from seg1.consent.verdicts import Verdicts
from seg1.errors import InvalidArgumentError

WHO: list[Id] = ["ana", "bo", "cy"]
PURPOSES = ["offers", "ads"]
AT = 6
OF_THE_PERSON = KINDS[-4:]


def _event(draw: tuple[Id, str, EventKind, int, int]) -> ConsentEvent:
    who, purpose, kind, at_us, length = draw
    if kind in OF_THE_PERSON:
        return ConsentEvent(who, "*", kind, at_us)
    if kind in ("grant", "renew"):
        return ConsentEvent(who, purpose, kind, at_us, at_us, at_us + length)
    return ConsentEvent(who, purpose, kind, at_us)


events = st.tuples(
    st.sampled_from(WHO), st.sampled_from(PURPOSES), st.sampled_from(["grant", *KINDS]),
    st.integers(0, 8), st.integers(1, 8),
).map(_event)  # fmt: skip
ledgers = st.lists(events, max_size=12)


class ByQuestion:
    """Answers by customer, purpose and stage; fails for some of them, and so for all."""

    name = "by question"

    def __init__(self, salt: int) -> None:
        self.salt = salt

    def value(self, customer: Id, ask: Ask) -> int:
        drawn = (WHO.index(customer) + 3 * PURPOSES.index(ask.purpose) + 7 * len(ask.stage)) * 31
        return (drawn + self.salt) * 2_654_435_761 % 2**32 % 3 - 1

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        return np.array([self.value(i, ask) for i in customers.ids()], dtype=np.int8)


class AlsoOne(ByQuestion):
    name = "also one"

    def ask_one(self, customer: Id, ask: Ask) -> int:
        return self.value(customer, ask)


class Closing(AlsoOne):
    name = "closing"
    may_veto = True


class Broken(ByQuestion):
    name = "broken"

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        raise KeyError(customers.ids(), ask.purpose)


class BrokenOne(Broken):
    name = "broken one"

    def ask_one(self, customer: Id, ask: Ask) -> int:
        raise KeyError(customer, ask.purpose)


class BrokenClosing(BrokenOne):
    name = "broken closing"
    may_veto = True


LEAVES: list[type[ByQuestion]] = [ByQuestion, AlsoOne, Closing, Broken, BrokenOne, BrokenClosing]


def refusing(salt: int) -> ConsentFilter:
    reason = VETO_REASONS[salt % len(VETO_REASONS)]
    of = ByQuestion(salt)

    def ask_one(customer: Id, ask: Ask) -> Verdict:
        value = of.value(customer, ask)
        return Verdict(value, reason if value < 0 else Reason.BY_FILTER)

    return vectorise(ask_one, name="refusing")


leaves = st.one_of(ledgers, st.tuples(st.sampled_from(range(len(LEAVES) + 1)), st.integers(0, 20)))
Tree: TypeAlias = Any  # nested lists and tuples, as hypothesis draws them
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves.map(lambda leaf: ("leaf", leaf)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["all_of", "any_of"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not_"), st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=5,
)
BUILD: dict[str, Callable[..., ConsentFilter]] = {"all_of": all_of, "any_of": any_of, "not_": not_}


def build(tree: Tree) -> ConsentFilter:
    word, parts = tree
    if word != "leaf":
        return BUILD[word](*map(build, parts))
    if isinstance(parts, list):
        ledger = ConsentLedger()
        ledger.record(parts)
        return ledger
    number, salt = parts
    return refusing(salt) if number == len(LEAVES) else LEAVES[number](salt)


rules = st.dictionaries(
    st.tuples(st.sampled_from(PURPOSES), st.sampled_from(STAGES)), trees, max_size=4
)


@given(policy=rules, vetoes=st.lists(trees, max_size=2), shared=trees)
@settings(max_examples=120, deadline=None)
def test_one_customer_asked_alone_equals_the_check_of_many(
    policy: dict[tuple[str, str], Tree], vetoes: list[Tree], shared: Tree
) -> None:
    logging.disable()
    same = build(shared)
    consent = Consent(
        {("ads", "train"): same, ("offers", "train"): same, ("offers", "decide"): same}
        | {key: build(tree) for key, tree in policy.items()},
        vetoes=[build(tree) for tree in vetoes],
    )

    permits = [consent.ask(who, AT) for who in WHO]

    for stage in STAGES:
        answers = consent.check(Customers.of(*WHO), stage=stage, at_us=AT)
        for place, permit in enumerate(permits):
            verdict = answers.one(place)
            assert (permit.allows(stage), permit.reason(stage)) == (
                verdict.allowed, verdict.reason,
            )  # fmt: skip
    logging.disable(logging.NOTSET)


def decided(tree: Tree, vetoes: list[Tree]) -> list[bool]:
    consent = Consent({("offers", "decide"): build(tree)}, vetoes=map(build, vetoes))
    return [consent.ask(who, AT).allows("decide") for who in WHO]


@given(tree=trees, vetoes=st.lists(trees, max_size=2), veto=trees)
@settings(max_examples=60, deadline=None)
def test_another_member_of_all_of_or_another_veto_never_opens_anything(
    tree: Tree, vetoes: list[Tree], veto: Tree
) -> None:
    before = decided(tree, vetoes)

    for after in (decided(tree, [*vetoes, veto]), decided(("all_of", [tree, veto]), vetoes)):
        assert not any(new and not old for old, new in zip(before, after, strict=True))


@given(tree=trees)
@settings(max_examples=40, deadline=None)
def test_where_every_leaf_fails_nothing_is_allowed(tree: Tree) -> None:
    def failing(tree: Tree) -> Tree:
        word, parts = tree
        broken = ("leaf", (LEAVES.index(Broken), 0))
        return broken if word == "leaf" else (word, [failing(part) for part in parts])

    assert not any(decided(failing(tree), []))


plain_leaves = st.tuples(
    st.sampled_from([LEAVES.index(of) for of in (ByQuestion, AlsoOne, Broken, BrokenOne)]),
    st.integers(0, 20),
)
plain_trees: st.SearchStrategy[Tree] = st.recursive(
    plain_leaves.map(lambda leaf: ("leaf", leaf)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["all_of", "any_of"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not_"), st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=6,
)


def slow(tree: Tree, who: Id, ask: Ask) -> int:
    """Strong Kleene logic, one customer at a time; a failing leaf is unknown."""
    word, parts = tree
    if word == "leaf":
        leaf = LEAVES[parts[0]](parts[1])
        return 0 if isinstance(leaf, Broken) else leaf.value(who, ask)
    inner = [slow(part, who, ask) for part in parts]
    return -inner[0] if word == "not_" else min(inner) if word == "all_of" else max(inner)


@given(
    trees=st.lists(plain_trees, min_size=1, max_size=2), vetoes=st.lists(plain_trees, max_size=2)
)
@settings(max_examples=80, deadline=None)
def test_a_policy_equals_kleene_logic_with_vetoes_after_it(
    trees: list[Tree], vetoes: list[Tree]
) -> None:
    rules = list(zip(PURPOSES, trees, strict=False))
    consent = Consent(
        {(purpose, "log"): build(tree) for purpose, tree in rules}, vetoes=map(build, vetoes)
    )

    answer = consent.check(Customers.of(*WHO), stage="log", at_us=AT)

    for who, value in zip(WHO, answer.values.tolist(), strict=True):
        asked = [(Ask(purpose, "log", AT), tree) for purpose, tree in rules]
        lowest = [slow(tree, who, ask) for ask, tree in asked]
        lowest += [slow(veto, who, ask) for ask, _ in asked for veto in vetoes]
        assert value == min(lowest)
        assert consent.ask(who, AT).allows("log") == (value == 1)


@given(tree=trees, vetoes=st.lists(trees, max_size=1), order=st.permutations(range(9)))
@settings(max_examples=40, deadline=None)
def test_order_splitting_and_repetition_of_customers_change_nothing(
    tree: Tree, vetoes: list[Tree], order: list[int]
) -> None:
    consent = Consent({("offers", "decide"): build(tree)}, vetoes=map(build, vetoes))
    asked = [WHO[place % 3] for place in order]

    def values(of: list[Id]) -> list[int]:
        answer = consent.check(Customers.of(*of), stage="decide", at_us=AT)
        found: list[int] = answer.values.tolist()
        return found

    one_by_one = {who: values([who])[0] for who in WHO}

    assert values(asked) == [one_by_one[who] for who in asked]
    assert values(asked[:4]) + values(asked[4:]) == values(asked)


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
