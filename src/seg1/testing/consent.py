"""What every consent filter and every consent store must hold, as functions to call in tests."""

from collections.abc import Callable

import numpy as np

from seg1._types import Int8s, Int32s
from seg1.consent.codes import as_code, verdict_of
from seg1.consent.filters import ConsentFilter
from seg1.consent.ledger.said import KINDS, ConsentEvent
from seg1.consent.ledger.store import ConsentStore
from seg1.consent.policy import STAGES
from seg1.consent.scalar import EVERY_WORD, checked_words
from seg1.consent.verdicts import Ask, Customers, as_verdicts
from seg1.errors import InvalidArgumentError, PluginError

__all__ = ["check_consent_filter", "check_consent_store"]


def check_consent_filter(consent_filter: ConsentFilter, customers: Customers, ask: Ask) -> None:
    """Hold a filter to its contract: form, repeatability, and one answer per customer.

    Also what a filter need not have: that `ask_one` answers as `check` does, and that the answer
    does not depend on what `depends_on` leaves out.

    Parameters
    ----------
    consent_filter
        The filter. Nothing may change what it knows while it is checked.
    customers
        Some customers that it permits, some that it does not, and one that it has never heard of.
    ask
        A question that it answers.

    Raises
    ------
    AssertionError
        Where the contract is broken; the message says how, and names no customer.

    Examples
    --------
    >>> from seg1.consent import ConsentLedger
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=9)
    >>> ask = Ask(purpose="offers", stage="decide", at_us=5)
    >>> check_consent_filter(ledger, Customers.of("ana", "bo"), ask)
    """
    assert isinstance(consent_filter.name, str), "name must be a str"
    assert len(customers) > 1, "give at least two customers: order cannot be checked on fewer"
    first = _asked(consent_filter, customers, customers.codes, ask)
    again = _asked(consent_filter, customers, customers.codes, ask)
    assert np.array_equal(first, again), "the same question got two answers"
    positions = np.arange(len(customers))
    for words, chosen in (
        ("in reverse order", positions[::-1]),
        ("each twice", np.repeat(positions, 2)),
        ("only the first half", positions[: len(positions) // 2]),
        ("only the second half", positions[len(positions) // 2 :]),
        ("nobody", positions[:0]),
    ):
        answer = _asked(consent_filter, customers, customers.codes[chosen], ask)
        assert np.array_equal(answer, first[chosen]), f"answers differ when asked {words}"
    for position in positions[:100]:
        answer = _asked(consent_filter, customers, customers.codes[[position]], ask)
        assert answer[0] == first[position], "a customer asked alone gets another answer"
    _check_ask_one(consent_filter, customers, ask, first)
    _check_words(consent_filter, customers, ask, first)


def _check_ask_one(
    consent_filter: ConsentFilter, customers: Customers, ask: Ask, values: Int8s
) -> None:
    ask_one = getattr(consent_filter, "ask_one", None)
    if ask_one is None:
        return
    for customer, value in list(zip(customers.ids(), values.tolist(), strict=True))[:100]:
        try:
            answer = verdict_of(as_code(ask_one(customer, ask)))
        except PluginError as error:
            raise AssertionError(f"ask_one answers in the wrong form: {error}") from error
        assert answer.value == value, "ask_one and check give a customer different answers"


def _check_words(
    consent_filter: ConsentFilter, customers: Customers, ask: Ask, values: Int8s
) -> None:
    """See that other words of the question change nothing where the filter says so."""
    may_veto = getattr(consent_filter, "may_veto", False)
    assert isinstance(may_veto, bool), "may_veto must be True or False"
    try:
        words = checked_words(getattr(consent_filter, "depends_on", EVERY_WORD))
    except InvalidArgumentError as error:
        raise AssertionError(str(error)) from error
    if "stage" not in words:
        for stage in STAGES:
            answer = _asked(consent_filter, customers, customers.codes, ask._replace(stage=stage))
            assert np.array_equal(answer, values), "depends_on leaves out the stage, which matters"
    if "purpose" not in words:
        other = ask._replace(purpose=f"not {ask.purpose}")
        answer = _asked(consent_filter, customers, customers.codes, other)
        assert np.array_equal(answer, values), "depends_on leaves out the purpose, which matters"


def _asked(consent_filter: ConsentFilter, customers: Customers, codes: Int32s, ask: Ask) -> Int8s:
    """Ask about codes that the filter could write into, and see that it did not."""
    question = Customers(customers.vocabulary, codes)
    theirs = codes.copy()
    object.__setattr__(question, "codes", theirs)
    try:
        answer = as_verdicts(consent_filter.check(question, ask), n=len(codes))
    except PluginError as error:
        raise AssertionError(f"the answer has the wrong form: {error}") from error
    assert np.array_equal(theirs, codes), "the filter writes into the codes it is given"
    return answer.values


def check_consent_store(make_store: Callable[[], ConsentStore]) -> None:
    """Hold a store to its contract: what was appended is read back, in order, once.

    Parameters
    ----------
    make_store
        Makes an empty store; it is called once, and the store is closed at the end.

    Raises
    ------
    AssertionError
        Where the contract is broken; the message says how.

    Examples
    --------
    >>> from seg1.consent import MemoryStore
    >>> check_consent_store(MemoryStore)
    """
    store = make_store()
    try:
        _check_store(store)
    finally:
        store.close()


def _check_store(store: ConsentStore) -> None:
    assert store.read(0) == [], "a new store must be empty"
    empty = store.version()
    first = [
        ConsentEvent("7", "offers", "grant", at_us=5, from_us=3, until_us=2**60),
        ConsentEvent(7, "offers", "withdraw", at_us=-5),
        ConsentEvent("Zoë 💡", "ads: web", "withdraw", at_us=5),
        *(ConsentEvent("every kind", "*", kind, at_us=6) for kind in KINDS),
    ]
    store.append(first)
    one = store.version()
    assert one != empty, "version() must change when events were appended"
    assert store.version() == one, "version() must stay while nothing is appended"
    store.append([])
    _check_rows(store, first)
    second = [first[1], first[0]]
    store.append(second)
    _check_rows(store, first + second)
    assert store.version() not in (empty, one), "version() must change with every append"
    _check_history(store, first + second)


def _check_history(store: ConsentStore, events: list[ConsentEvent]) -> None:
    """Ask for one customer's events, where the store gives them."""
    history = getattr(store, "history", None)
    if history is None:
        return
    for customer in ("7", 7, "nobody"):
        kind = type(customer)
        mine = [e for e in events if type(e.customer) is kind and e.customer == customer]
        assert history(customer) == mine, "history(customer) must give that customer's, in order"


def _check_rows(store: ConsentStore, expected: list[ConsentEvent]) -> None:
    rows = store.read(0)
    numbers = [number for number, _ in rows]
    events = [event for _, event in rows]
    assert events == expected, "read(0) must give every event as it was appended, in order"
    kinds = [type(event.customer) for event in events]
    assert kinds == [type(event.customer) for event in expected], "str and int ids must stay so"
    assert all(number > 0 for number in numbers), "numbers must be above 0: read(0) gives all"
    assert numbers == sorted(set(numbers)), "numbers must increase strictly"
    for position, number in enumerate(numbers):
        assert store.read(number) == rows[position + 1 :], "read(after) must give only newer events"
