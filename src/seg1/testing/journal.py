"""`check_journal`: the contract of `seg1.journal.Journal`, as one call."""

import threading
from collections.abc import Callable

from seg1._types import Id
from seg1.errors import JournalError
from seg1.journal import (
    Decided,
    Erased,
    Exposed,
    Journal,
    Observed,
    Outcome,
    Row,
    Swapped,
    Voided,
    Withheld,
)

__all__ = ["check_journal"]

_N_THREADS, _N_EACH = 4, 50


def check_journal(make_journal: Callable[[], Journal]) -> None:
    """Hold a journal to its contract; call it from a test of yours.

    Rows are read back as they were appended, in order and with numbers that only grow, from any
    place and while others append; a decision is found by its id; erasure removes the rows of one
    customer, of that type of id, and no other; numbers are not given out again; a closed journal
    refuses.

    Parameters
    ----------
    make_journal
        Makes an empty journal that differs from those made before. It is called several times, and
        each is closed at the end.

    Raises
    ------
    AssertionError
        Where the contract is broken; the message says how.

    Examples
    --------
    >>> from seg1.journal import MemoryJournal
    >>> from seg1.testing.journal import check_journal
    >>> check_journal(MemoryJournal)
    """
    for check in (_check_names, _check_rows, _check_find, _check_erase, _check_threads):
        journals = [make_journal(), make_journal()]
        try:
            check(*journals)
        finally:
            for journal in journals:
                journal.close()
    _check_closed(make_journal())


def _check_names(journal: Journal, other: Journal) -> None:
    assert isinstance(journal.journal_id, str), "journal_id must be a str"
    assert journal.journal_id, "journal_id must not be empty"
    assert journal.journal_id == journal.journal_id, "journal_id must stay as it is"  # asked twice
    assert journal.journal_id != other.journal_id, "two journals have the same journal_id"


def _check_rows(journal: Journal, _: Journal) -> None:
    assert list(journal.read()) == [], "a new journal must be empty"
    rows = _some_rows()
    numbers = [journal.append(row) for row in rows]
    assert numbers[0] > 0, "numbers must be above 0: read(0) gives all rows"
    assert numbers == sorted(set(numbers)), "each number must be greater than all before"
    found = list(journal.read())
    assert [number for number, _ in found] == numbers, "read() must give the numbers append() gave"
    assert [row for _, row in found] == rows, "read() must give every row as it was appended"
    for given, row in zip(rows, (row for _, row in found), strict=True):
        for name in ("customer", "item", "offer"):
            kind = type(getattr(row, name, None))
            assert kind is type(getattr(given, name, None)), f"the {name} changed its type"
    for place, number in enumerate(numbers):
        assert list(journal.read(number)) == found[place + 1 :], "read(after) must give newer rows"


def _check_find(journal: Journal, _: Journal) -> None:
    assert journal.find("visit-1") is None, "find() must give None for an id that is not there"
    first = _decided("visit-1", customer=7)
    journal.append(Exposed(decision_id="visit-2", at_us=1))
    journal.append(first)
    assert journal.find("visit-1") == first, "find() must give the decision of an id"
    assert journal.find("visit-2") is None, "find() must give decisions only"
    journal.append(Voided(decision_id="visit-1", at_us=2))
    second = first._replace(at_us=3)
    journal.append(second)
    assert journal.find("visit-1") == second, "find() must give the last decision of an id"


def _check_erase(journal: Journal, other: Journal) -> None:
    theirs = _rows_of("visit-1", customer=7)
    others = [*_rows_of("visit-2", customer="7"), *_rows_of("visit-3", customer=8), _swapped()]
    anonymous = _decided("visit-4", customer=8)._replace(customer=None)
    mixed = [row for pair in zip(theirs, others, strict=False) for row in pair]
    mixed += [*others[len(theirs) :], anonymous]
    last = max(journal.append(row) for row in mixed)
    n_rows = journal.erase(7, at_us=9)
    assert n_rows == len(theirs), "erase() must say how many rows went"
    kept = [row for row in mixed if row not in theirs]
    found = list(journal.read())
    assert [row for _, row in found] == [*kept, Erased(at_us=9, n_rows=n_rows)], (
        "erase() must remove the rows of that customer, no others, and append an Erased"
    )
    assert found[-1][0] > last, "numbers must not be given out again"
    assert journal.find("visit-1") is None, "find() must not give an erased decision"
    assert journal.find("visit-2") == others[0], "find() must give the decisions of others"
    assert other.erase(7, at_us=9) == 0, "erase() of a customer without rows must give 0"
    (after,) = list(other.read())
    assert after[1] == Erased(at_us=9, n_rows=0), "erase() must append an Erased in any case"


def _check_threads(journal: Journal, _: Journal) -> None:
    given: dict[int, Row] = {}

    def work(n: int) -> None:
        for i in range(_N_EACH):
            row = Exposed(decision_id=f"visit-{n}-{i}", at_us=i)
            given[journal.append(row)] = row
            list(journal.read(max(given) - 3))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(_N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == _N_THREADS * _N_EACH, "two rows got the same number, or one was lost"
    assert list(journal.read()) == sorted(given.items()), "rows of several threads were mixed up"


def _check_closed(journal: Journal) -> None:
    journal.append(_swapped())
    journal.close()
    journal.close()
    for name, call in (
        ("append", lambda: journal.append(_swapped())),
        ("read", lambda: list(journal.read())),
        ("find", lambda: journal.find("visit-1")),
        ("erase", lambda: journal.erase(7, at_us=9)),
    ):
        try:
            call()
        except JournalError:
            continue
        raise AssertionError(f"{name}() of a closed journal must raise JournalError")


def _some_rows() -> list[Row]:
    bare = _decided("visit-2", customer=7)._replace(
        customer=None, offer=None, price=None, slot=None, context=b"", affinity=b"", effects=b"",
        arm=-1,
    )  # fmt: skip
    return [
        _swapped(),
        *_rows_of("visit-1", customer="Zoë 💡"),
        bare,
        Voided(decision_id="visit-2", at_us=-5),
        *_rows_of("visit-3", customer=-(2**63)),
        Erased(at_us=2**62, n_rows=3),
    ]


def _swapped() -> Swapped:
    return Swapped(what="catalogue", at_us=0, version="0f", body='{"offers": []}')


def _rows_of(decision_id: str, *, customer: Id) -> list[Row]:
    return [
        _decided(decision_id, customer=customer),
        Exposed(decision_id=decision_id, at_us=1),
        Outcome(decision_id=decision_id, at_us=2, what="reward", value=-0.1),
        Withheld(decision_id=decision_id, at_us=2),
        Observed(customer=customer, item="7", at_us=3, what="view", value=1e300),
    ]


def _decided(decision_id: str, *, customer: Id) -> Decided:
    return Decided(
        decision_id=decision_id, customer=customer, placement="app", at_us=0, mode="personalised",
        arm=0, offer=981760, price=0.1 + 0.2, slot="now", action_prob=1 / 3,
        response_prob=5e-324, context=b"\x00\xff" * 8, affinity=b"\x01" * 8, eligible=b"\xa0",
        floor=0.01, unit_price=0.0, attempt=0, is_control=False, holdout_prob=0.05,
        is_measured=True, confirm=False, exposure_us=1, outcome_us=2, policy="p", model="m",
        catalogue="c", consent_epoch=3, state_seq=4, effects=b"\xfe\x00" * 4,
    )  # fmt: skip
