"""Composition against a slow plain-Python twin, and the guard around every leaf."""

import logging
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Int8s
from seg1.consent import (
    Ask,
    ConsentFilter,
    ConsentLedger,
    Customers,
    MinimumAge,
    Reason,
    Verdict,
    all_of,
    any_of,
    not_,
    vectorise,
)
from seg1.consent.filters import guarded_check
from seg1.consent.signals.browser import GlobalPrivacyControl
from seg1.consent.verdicts import as_verdicts
from seg1.errors import EmptyCompositionError, InvalidTypeError
from seg1.events import Vocabulary

ASK = Ask(purpose="canary purpose", stage="train", at_us=5)
WHO = Customers.of("canary", "bo", "cy")
FAILS = None  # a leaf without answers fails

Answers: TypeAlias = tuple[int, ...] | None
Tree: TypeAlias = tuple[str, list["Tree"]] | Answers


class Leaf:
    def __init__(self, answers: Answers) -> None:
        self.name = "leaf"
        self.answers = answers

    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        if self.answers is None:
            raise RuntimeError(f"canary {customers.ids()}")
        return np.array(self.answers, dtype=np.int8)


leaves = st.one_of(st.none(), st.tuples(*[st.integers(-1, 1)] * 3))
trees: st.SearchStrategy[Tree] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["all_of", "any_of"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not_"), st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=8,
)
BUILD: dict[str, Callable[..., ConsentFilter]] = {"all_of": all_of, "any_of": any_of, "not_": not_}


def build(tree: Tree) -> ConsentFilter:
    if isinstance(tree, tuple) and isinstance(tree[0], str):
        return BUILD[tree[0]](*map(build, tree[1]))
    return Leaf(tree)


def slow(tree: Tree, customer: int) -> int:
    """Strong Kleene logic, one customer at a time; a failing leaf is unknown."""
    if tree is None:
        return 0
    if not isinstance(tree[0], str):
        return int(tree[customer])
    inner = [slow(part, customer) for part in tree[1]]
    return -inner[0] if tree[0] == "not_" else min(inner) if tree[0] == "all_of" else max(inner)


def values(tree: Tree) -> list[int]:
    found: list[int] = guarded_check(build(tree), WHO, ASK).values.tolist()
    return found


def with_failing_leaf(tree: Tree, where: list[int]) -> Tree:
    """Put one more failing leaf into the composition that `where` leads to."""
    if tree is None or not isinstance(tree[0], str):
        return tree
    word, parts = tree
    if word == "not_":
        return (word, [with_failing_leaf(parts[0], where)])
    place = where[0] % (len(parts) + 1) if where else len(parts)
    if place == len(parts):
        return (word, [*parts, FAILS])
    inner = with_failing_leaf(parts[place], where[1:])
    return (word, [*parts[:place], inner, *parts[place + 1 :]])


@given(tree=trees)
@settings(max_examples=150, deadline=None)
def test_composition_equals_kleene_logic_one_by_one(tree: Tree) -> None:
    assert values(tree) == [slow(tree, customer) for customer in range(3)]


@given(tree=trees, where=st.lists(st.integers(0, 9), max_size=3))
@settings(max_examples=100, deadline=None)
def test_one_more_failing_leaf_never_opens_anything(tree: Tree, where: list[int]) -> None:
    before = values(tree)

    after = values(with_failing_leaf(tree, where))

    assert all(new in (old, 0) for old, new in zip(before, after, strict=True))


@given(answers=st.lists(st.tuples(*[st.integers(-1, 1)] * 3), min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_negation_turns_all_into_any(answers: list[tuple[int, ...]]) -> None:
    leaves: list[Tree] = [*answers]
    tree: Tree = ("not_", [("all_of", leaves)])
    twin: Tree = ("any_of", [("not_", [leaf]) for leaf in leaves])

    assert values(tree) == values(twin)


@pytest.mark.parametrize("word", [all_of, any_of])
def test_an_empty_composition_is_refused(word: Callable[..., ConsentFilter]) -> None:
    with pytest.raises(EmptyCompositionError, match="needs at least one filter"):
        word()


class Nameless:
    def check(self, customers: Customers, ask: Ask) -> None:
        """Answer nothing."""


class NumberName(Nameless):
    name = 5


class Named(Nameless):
    name = "named"


@pytest.mark.parametrize(
    "member", [None, 5, "ledger", Nameless(), NumberName(), Named, ConsentLedger, Leaf]
)
@pytest.mark.parametrize("word", [all_of, any_of, not_])
def test_what_is_no_filter_is_refused(word: Callable[..., ConsentFilter], member: object) -> None:
    with pytest.raises(InvalidTypeError, match="takes filters, objects with a name and check"):
        word(member)


def test_names_tell_the_composition() -> None:
    tree = any_of(all_of(ConsentLedger(), not_(Leaf((1, 1, 1)))), Leaf((1, 1, 1)))

    assert tree.name == "any_of(all_of(ledger, not_(leaf)), leaf)"


def test_negation_tells_its_reason_and_keeps_that_of_the_unknown() -> None:
    answer = guarded_check(not_(Leaf((1, 0, -1))), WHO, ASK)

    assert answer.reasons.tolist() == [Reason.NEGATED, Reason.BY_FILTER, Reason.NEGATED]


def test_a_failing_filter_reads_as_unknown_and_logs_no_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = guarded_check(Leaf(FAILS), WHO, ASK)

    assert answer.values.tolist() == [0, 0, 0]
    assert set(answer.reasons.tolist()) == {Reason.FILTER_FAILED}
    assert caplog.messages == [
        "consent filter leaf failed (RuntimeError): 3 customers read as unknown"
    ]
    assert "canary" not in caplog.text


@pytest.mark.parametrize("word", BUILD)
def test_a_composition_asked_directly_reads_a_failing_leaf_as_unknown(word: str) -> None:
    answer = as_verdicts(BUILD[word](Leaf(FAILS)).check(WHO, ASK), n=3)

    assert answer.values.tolist() == [0, 0, 0]
    assert set(answer.reasons.tolist()) == {Reason.FILTER_FAILED}


class FailingName(Leaf):
    @property
    def name(self) -> str:
        raise RuntimeError("canary")

    @name.setter
    def name(self, value: str) -> None: ...


def test_a_failing_name_does_not_break_the_guard(caplog: pytest.LogCaptureFixture) -> None:
    answer = guarded_check(FailingName(FAILS), WHO, ASK)

    assert answer.values.tolist() == [0, 0, 0]
    assert "FailingName" in caplog.text
    assert "canary" not in caplog.text


class WrongForm(Leaf):
    def __init__(self, answer: object) -> None:
        super().__init__(FAILS)
        self.answer = answer

    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        return self.answer  # type: ignore[return-value]  # the point


@pytest.mark.parametrize(
    "answer", [None, True, [1, 1, 1], np.ones(3), np.ones(3, dtype=bool), np.ones(2, dtype=np.int8)]
)
def test_an_answer_in_the_wrong_form_opens_nothing(answer: object) -> None:
    for tree in (WrongForm(answer), not_(WrongForm(answer)), any_of(WrongForm(answer))):
        assert guarded_check(tree, WHO, ASK).values.tolist() == [0, 0, 0]


class OneBuffer(Leaf):
    """Answers the first question with no and the second with yes, in one and the same array."""

    def __init__(self) -> None:
        super().__init__(FAILS)
        self.buffer = np.full(3, 1, dtype=np.int8)

    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        self.buffer *= -1
        return self.buffer


def test_a_filter_that_uses_its_array_again_does_not_change_its_first_answer() -> None:
    leaf = OneBuffer()

    assert guarded_check(all_of(leaf, leaf), WHO, ASK).values.tolist() == [-1, -1, -1]


class Sorter(Leaf):
    def check(self, customers: Customers, ask: Ask) -> Int8s:
        customers.codes[::-1].sort()
        return super().check(customers, ask)


def test_a_filter_cannot_reorder_the_customers_of_the_next() -> None:
    answer = guarded_check(any_of(Sorter((1, 1, 1)), Leaf((1, -1, 0))), WHO, ASK)

    assert answer.values.tolist() == [1, 0, 0]
    assert WHO.codes.tolist() == [0, 1, 2]


class Readers:
    """Reads the ids, as anybody's filter may."""

    name = "readers"

    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        return np.array([1 for _ in customers.ids()], dtype=np.int8)


def granting(n: int) -> ConsentLedger:
    ledger = ConsentLedger()
    for customer in range(n):
        ledger.grant(customer, [ASK.purpose], at=0, until=9)
    return ledger


MAKERS: dict[str, Callable[[int], ConsentFilter]] = {
    "ledger": granting,
    "snapshot": lambda n: granting(n).snapshot(),
    "function": lambda _: vectorise(lambda *_: 1, name="function"),
    "age": lambda _: MinimumAge(18, ages=lambda _: 30),
    "signal": lambda _: GlobalPrivacyControl(lambda _: False, purposes=[ASK.purpose]),
}


def among_erased(n: int) -> Customers:
    vocabulary = Vocabulary(range(n))
    vocabulary.erase([1])
    return Customers(vocabulary, np.arange(n, dtype=np.int32))


@pytest.mark.parametrize("n", [3, 300])
@pytest.mark.parametrize("name", MAKERS)
def test_a_code_whose_id_is_erased_takes_no_other_customer_with_it(name: str, n: int) -> None:
    answer = as_verdicts(MAKERS[name](n).check(among_erased(n), ASK), n=n)

    assert np.flatnonzero(~answer.allowed).tolist() == [1]
    assert answer.one(1) == Verdict(0, Reason.NO_RECORD)


@pytest.mark.parametrize("negated", [False, True])
def test_anybodys_filter_is_not_asked_about_a_code_whose_id_is_erased(*, negated: bool) -> None:
    source = not_(Readers()) if negated else Readers()

    answer = guarded_check(source, among_erased(3), ASK)

    assert answer.values.tolist() == ([-1, 0, -1] if negated else [1, 0, 1])
    assert answer.one(1).reason is Reason.NO_RECORD
