"""The checks for plug-in authors: good plug-ins pass, each kind of bad one is caught."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from seg1._types import Id, Int8s
from seg1.consent import (
    Ask,
    ConsentEvent,
    ConsentFilter,
    ConsentLedger,
    Customers,
    MemoryStore,
    SqliteStore,
    not_,
)
from seg1.testing import check_consent_filter, check_consent_store

ASK = Ask(purpose="offers", stage="decide", at_us=5)
WHO = Customers.of("canary", "bo", "cy", "di")


class Good:
    name = "good"

    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        return np.array([1 if i == "bo" else -1 for i in customers.ids()], dtype=np.int8)


class WrongName(Good):
    name = None  # type: ignore[assignment]  # the point


class WrongType(Good):
    def check(self, customers: Customers, ask: Ask) -> Int8s:
        return super().check(customers, ask) > 0  # type: ignore[return-value]  # the point


class Fickle(Good):
    def __init__(self) -> None:
        self.n_asked = 0

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        self.n_asked += 1
        answer = super().check(customers, ask)
        return answer if self.n_asked % 2 else np.zeros_like(answer)


class ByPosition(Good):
    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        return np.array([place == 1 for place in range(len(customers))], dtype=np.int8)


class ByCompany(Good):
    def check(self, customers: Customers, ask: Ask) -> Int8s:
        return super().check(customers, ask) if len(customers) != 1 else np.ones(1, dtype=np.int8)


class Writer(Good):
    def check(self, customers: Customers, ask: Ask) -> Int8s:
        answer = super().check(customers, ask)
        customers.codes[:] = 0
        return answer


class AfraidOfNobody(Good):
    def check(self, customers: Customers, ask: Ask) -> Int8s:
        return super().check(customers, ask) if len(customers) else np.zeros(1, dtype=np.int8)


class AlsoOne(Good):
    depends_on = ()
    may_veto = True

    def ask_one(self, customer: Id, ask: Ask) -> int:  # noqa: ARG002  # the contract's
        return 1 if customer == "bo" else -1


class OtherOne(AlsoOne):
    def ask_one(self, customer: Id, ask: Ask) -> int:
        return -super().ask_one(customer, ask)


class TrueOne(AlsoOne):
    def ask_one(self, customer: Id, ask: Ask) -> int:
        return super().ask_one(customer, ask) > 0


class ByStage(Good):
    depends_on = ("purpose",)

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        return super().check(customers, ask) * np.int8(1 if ask.stage == ASK.stage else -1)


class ByPurpose(Good):
    depends_on = frozenset({"stage"})

    def check(self, customers: Customers, ask: Ask) -> Int8s:
        return super().check(customers, ask) * np.int8(1 if ask.purpose == ASK.purpose else -1)


class ByWhat(Good):
    depends_on = "purpose"


class MayBeVeto(Good):
    may_veto = "perhaps"


@pytest.mark.parametrize("good", [Good(), not_(Good()), ConsentLedger(), AlsoOne()])
def test_a_good_filter_passes(good: ConsentFilter) -> None:
    check_consent_filter(good, WHO, ASK)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (WrongName(), "name must be a str"),
        (WrongType(), "the answer has the wrong form: values must be a plain int8 array"),
        (Fickle(), "the same question got two answers"),
        (ByPosition(), "answers differ when asked in reverse order"),
        (ByCompany(), "a customer asked alone gets another answer"),
        (Writer(), "the filter writes into the codes it is given"),
        (AfraidOfNobody(), "the answer has the wrong form"),
        (OtherOne(), "ask_one and check give a customer different answers"),
        (TrueOne(), "ask_one answers in the wrong form: a bool has two values"),
        (ByStage(), "depends_on leaves out the stage, which matters"),
        (ByPurpose(), "depends_on leaves out the purpose, which matters"),
        (ByWhat(), "depends_on is a tuple or set"),
        (MayBeVeto(), "may_veto must be True or False"),
    ],
)
def test_a_bad_filter_is_caught(bad: ConsentFilter, words: str) -> None:
    with pytest.raises(AssertionError, match=words) as caught:
        check_consent_filter(bad, WHO, ASK)

    assert "canary" not in str(caught.value)


def test_too_few_customers_check_nothing() -> None:
    with pytest.raises(AssertionError, match="at least two customers"):
        check_consent_filter(Good(), Customers.of("ana"), ASK)


class Least:
    """What a store must have, and no more."""

    def __init__(self) -> None:
        inner = MemoryStore()
        self.append, self.read, self.version = inner.append, inner.read, inner.version
        self.close = inner.close


def test_our_stores_pass(tmp_path: Path) -> None:
    check_consent_store(Least)
    check_consent_store(MemoryStore)
    check_consent_store(lambda: SqliteStore(tmp_path / "c.sqlite"))


Rows = list[tuple[int, ConsentEvent]]


class Full(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.append([ConsentEvent("ana", "p", "withdraw", 1)])


class Still(MemoryStore):
    def version(self) -> int:
        return 0


class Restless(MemoryStore):
    n_asked = 0

    def version(self) -> int:
        self.n_asked += 1
        return self.n_asked


class OneBehind(MemoryStore):
    def version(self) -> int:
        return min(super().version(), 3)


class Newest(MemoryStore):
    def read(self, after: int) -> Rows:
        return super().read(after)[::-1]


class FromZero(MemoryStore):
    def read(self, after: int) -> Rows:
        return [(number - 1, event) for number, event in super().read(after)]


class SameNumber(MemoryStore):
    def read(self, after: int) -> Rows:
        return [(1, event) for _, event in super().read(after)]


class Everything(MemoryStore):
    def read(self, after: int) -> Rows:  # noqa: ARG002  # the contract's
        return super().read(0)


class Once(MemoryStore):
    def append(self, events: Sequence[ConsentEvent]) -> None:
        super().append([event for event in events if event not in self._events])


class OthersToo(MemoryStore):
    def history(self, customer: Id) -> list[ConsentEvent]:
        return [event for event in self._events if str(event.customer) == str(customer)]


class Texts(MemoryStore):
    def append(self, events: Sequence[ConsentEvent]) -> None:
        super().append(
            [ConsentEvent(str(e.customer), e.purpose, e.kind, e.at_us, e.from_us, e.until_us)
             for e in events]
        )  # fmt: skip


@pytest.mark.parametrize(
    ("make_store", "words"),
    [
        (Full, "a new store must be empty"),
        (Still, "must change when events were appended"),
        (Restless, "must stay while nothing is appended"),
        (OneBehind, "must change with every append"),
        (Newest, "in order"),
        (FromZero, "numbers must be above 0"),
        (SameNumber, "numbers must increase strictly"),
        (Everything, "must give only newer events"),
        (Once, "must give every event as it was appended"),
        (Texts, "must give every event as it was appended"),
        (OthersToo, "must give that customer's, in order"),
    ],
)
def test_a_bad_store_is_caught(make_store: Callable[[], MemoryStore], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_consent_store(make_store)
