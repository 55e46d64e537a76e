"""Leaves of policies, some of which fail, and random trees of them: what tests of plans draw."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st

from seg1._types import Id, Int8s
from seg1.consent import (
    STAGES,
    Ask,
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
