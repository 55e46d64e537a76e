"""Ids and codes: what is accepted, what stays, what threads see."""

import enum
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seg1._types import Id
from seg1.errors import (
    DamagedError,
    InvalidArgumentError,
    InvalidTypeError,
    UnknownIdError,
    WrongIdTypeError,
)
from seg1.events.vocabulary import (
    MAX_ID_BYTES,
    Vocabulary,
    as_id,
    first_appearance,
    id_problem,
    plain_id,
)

strings = st.text(min_size=1, max_size=60).filter(lambda s: id_problem(s) is None)
ints = st.integers(-(2**63), 2**63 - 1)
id_lists: st.SearchStrategy[list[Id]] = st.one_of(
    st.lists(strings, max_size=30), st.lists(ints, max_size=30)
)


class Tier(str, enum.Enum):  # noqa: UP042  # str() of a StrEnum would give its value
    GOLD = "gold"


class Number(enum.IntEnum):
    SEVEN = 7


@given(ids=id_lists)
@settings(max_examples=60, deadline=None)
def test_codes_round_trip(ids: list[Id]) -> None:
    vocabulary = Vocabulary()

    codes = vocabulary.encode(ids, unknown="add")

    assert vocabulary.decode(codes) == ids
    assert vocabulary.ids == tuple(dict.fromkeys(ids))
    assert codes.dtype == np.int32


@given(ids=id_lists)
@settings(max_examples=60, deadline=None)
def test_arrays_round_trip_without_pickle(ids: list[Id]) -> None:
    vocabulary = Vocabulary(ids)

    arrays = vocabulary.to_arrays("items")

    assert all(array.dtype != object for array in arrays.values())
    assert Vocabulary.from_arrays(arrays, "items").ids == vocabulary.ids


@given(first=st.lists(strings, max_size=20), second=st.lists(strings, max_size=20))
@settings(max_examples=40, deadline=None)
def test_a_second_batch_keeps_the_codes_of_the_first(first: list[Id], second: list[Id]) -> None:
    vocabulary = Vocabulary(first)
    before = vocabulary.encode(first)

    vocabulary.encode(second, unknown="add")

    assert np.array_equal(vocabulary.encode(first), before)


code_lists = st.lists(st.integers(0, 20), max_size=60)
in_order = code_lists.map(lambda codes: [list(dict.fromkeys(codes)).index(c) for c in codes])


@pytest.mark.parametrize("block_rows", [2, 2**15])
@given(codes=code_lists | in_order)
def test_first_appearance_equals_its_slow_twin(codes: list[int], block_rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seg1.events.ids._BLOCK_ROWS", block_rows)
        order = first_appearance(np.array(codes, dtype=np.int32), 21)

    assert order.tolist() == list(dict.fromkeys(codes))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "missing"),
        ("", "empty id"),
        ("é" * 129, f"id is longer than {MAX_ID_BYTES} bytes"),
        ("x" * 300, f"id is longer than {MAX_ID_BYTES} bytes"),
        ("a\ud800", "id is not valid Unicode"),
        (True, "id is a bool; ids are str or int"),
        (np.True_, f"id is a {type(np.True_).__name__}; ids are str or int"),
        (2.0, "id is a float; ids are str or int"),
        (2**63, "id does not fit into int64"),
        (np.uint64(2**63), "id does not fit into int64"),
        (b"a", "id is a bytes; ids are str or int"),
    ],
)
def test_a_bad_id_is_refused_by_its_reason(value: object, problem: str) -> None:
    assert id_problem(value) == problem

    with pytest.raises((InvalidArgumentError, InvalidTypeError)):
        as_id(value)


@pytest.mark.parametrize("value", ["x" * 256, "é" * 128, -(2**63), 2**63 - 1, np.int8(3), "a\0b"])
def test_an_id_at_the_edge_is_accepted(value: Id) -> None:
    assert id_problem(value) is None
    assert as_id(value) == value


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(7), 7),
        (np.str_("a"), "a"),
        (Tier.GOLD, "gold"),
        (Number.SEVEN, 7),
        (True, True),
        (None, None),
    ],
)
def test_a_subclass_gives_its_plain_value(value: object, plain: object) -> None:
    result = plain_id(value)

    assert result == plain
    assert type(result) is type(plain)


def test_an_enum_member_is_known_by_its_value() -> None:
    vocabulary = Vocabulary([Tier.GOLD])

    assert vocabulary.ids == ("gold",)
    assert vocabulary.find("gold") == 0


@pytest.mark.parametrize("unknown", ["error", "ignore", "add"])
def test_the_other_kind_of_id_is_refused_and_nothing_is_added(unknown: str) -> None:
    vocabulary = Vocabulary(["canary-id"])

    with pytest.raises(WrongIdTypeError, match="holds str ids") as caught:
        vocabulary.encode([77], unknown=unknown)  # type: ignore[arg-type]  # one of the three

    assert "canary" not in str(caught.value)
    assert vocabulary.ids == ("canary-id",)


def test_ids_of_both_kinds_are_refused_together() -> None:
    with pytest.raises(WrongIdTypeError, match="both str and int"):
        Vocabulary(["a", 1])


def test_a_bad_id_among_good_ones_adds_none() -> None:
    vocabulary = Vocabulary(["a"])

    with pytest.raises(InvalidArgumentError, match="empty id"):
        vocabulary.encode(["b", ""], unknown="add")

    assert vocabulary.ids == ("a",)


def test_unknown_ids_are_counted_and_not_shown() -> None:
    vocabulary = Vocabulary(["a"])

    with pytest.raises(UnknownIdError) as caught:
        vocabulary.encode(["a", "canary", "canary-2"])

    assert str(caught.value).startswith("2 of 3 ids are unknown, the first at position 1;")
    assert "canary" not in str(caught.value)


def test_unknown_ids_are_minus_one_where_they_are_ignored() -> None:
    assert Vocabulary([5]).encode([5, 6], unknown="ignore").tolist() == [0, -1]


def test_an_unknown_word_for_unknown_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="unknown must be one of error, ignore, add"):
        Vocabulary().encode([], unknown="drop")  # type: ignore[arg-type]  # the point


def test_one_str_in_the_place_of_ids_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="ids must be several"):
        Vocabulary("milk")


def test_a_full_vocabulary_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg1.events.vocabulary._MAX_CODES", 2)
    vocabulary = Vocabulary(["a", "b"])

    with pytest.raises(InvalidArgumentError, match="a vocabulary holds at most 2 ids"):
        vocabulary.encode(["c"], unknown="add")

    assert vocabulary.ids == ("a", "b")


def test_find_tells_known_from_unknown_and_refuses_the_other_kind() -> None:
    vocabulary = Vocabulary(["milk"])

    assert (vocabulary.find("milk"), vocabulary.find("tea")) == (0, -1)
    with pytest.raises(WrongIdTypeError):
        vocabulary.find(1)


def test_membership_never_raises() -> None:
    vocabulary = Vocabulary([1])

    assert 1 in vocabulary
    assert np.int64(1) in vocabulary
    strangers: list[object] = [True, 1.0, "1", None, [], "", 2]
    assert not any(stranger in vocabulary for stranger in strangers)


def test_kind_follows_the_ids() -> None:
    assert Vocabulary().kind is None
    assert Vocabulary([1]).kind == "int"
    assert Vocabulary(["1"]).kind == "str"


def test_repr_shows_counts_and_no_ids() -> None:
    assert repr(Vocabulary(["canary"])) == "Vocabulary(1 ids of kind str)"


@pytest.mark.parametrize("codes", [[2], [-1], [0, 5]])
def test_a_code_never_given_out_is_refused(codes: list[int]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"codes must lie in \[0, 2\)"):
        Vocabulary(["a", "b"]).decode(codes)


def test_decode_takes_any_iterable() -> None:
    assert Vocabulary(["a", "b"]).decode(code for code in (1, 0)) == ["b", "a"]


def test_take_gives_new_codes_in_the_order_asked() -> None:
    taken = Vocabulary(["a", "b", "c"]).take(np.array([2, 0]))

    assert taken.encode(["c", "a"]).tolist() == [0, 1]


def test_the_first_codes_alone_keep_their_ids_and_what_is_erased() -> None:
    saved = Vocabulary.from_arrays(Vocabulary(["a", "b", "c"]).to_arrays("x"), "x")
    for vocabulary in (Vocabulary(["a", "b", "c"]), saved):
        vocabulary.erase(["b", "c"])
        vocabulary.encode(["d"], unknown="add")

        first = vocabulary.first(2)

        assert (first.ids, first.kind, first.n_erased) == (("a", ""), "str", 1)
        assert [first.find(i) for i in "abcd"] == [0, -1, -1, -1]
        assert first.encode(["d"], unknown="add").tolist() == [2]
        assert len(vocabulary) == 4


def test_take_refuses_a_code_twice() -> None:
    with pytest.raises(InvalidArgumentError, match="distinct"):
        Vocabulary(["a", "b"]).take(np.array([1, 1]))


def _utf8(blob: bytes, offsets: object) -> dict[str, NDArray[Any]]:
    return {"x_utf8": np.frombuffer(blob, dtype=np.uint8), "x_offsets": np.array(offsets)}


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"x_utf8": np.zeros(0, dtype=np.uint8)},
        {"x_ids": np.array([1, 1])},
        {"x_ids": np.array([1.5])},
        {"x_ids": np.array([[1]])},
        {"x_ids": np.array([2**63], dtype=np.uint64)},
        _utf8(b"aab", [0, 1, 2, 3]),
        _utf8(b"ab", [0, 1]),
        _utf8(b"ab", [1, 2]),
        _utf8(b"ab", [0, 0, 2]),
        _utf8(b"abc", [0, -1, 3]),
        _utf8(b"abc", [0, 2, 1, 3]),
        _utf8(b"ab", [0.0, 2.0]),
        _utf8(b"ab", [[0, 2]]),
        _utf8(b"\xff\xfe", [0, 2]),
        _utf8(b"a" * 300, [0, 300]),
        _utf8(b"", []),
    ],
)
def test_damaged_arrays_are_refused(arrays: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(DamagedError):
        Vocabulary.from_arrays(arrays, "x")


def test_threads_read_whole_entries_while_one_adds() -> None:
    vocabulary = Vocabulary()
    batches = [[f"id-{batch}-{n}" for n in range(50)] for batch in range(100)]
    wrong: list[object] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            for value in ("id-0-0", "id-50-7", "id-99-49"):
                code = vocabulary.find(value) if vocabulary.kind else -1
                if code >= 0 and vocabulary.decode([code]) != [value]:
                    wrong.append(code)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    for batch in batches:
        vocabulary.encode(batch, unknown="add")
    is_done.set()
    for thread in readers:
        thread.join()

    assert not wrong
    assert len(vocabulary) == 5_000


def test_threads_that_add_the_same_ids_agree_on_their_codes() -> None:
    vocabulary = Vocabulary()
    ids = [f"id-{n}" for n in range(2_000)]
    answers: list[list[int]] = []

    def add() -> None:
        answers.append(vocabulary.encode(ids, unknown="add").tolist())

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [list(range(2_000))] * 4
    assert vocabulary.ids == tuple(ids)


def test_an_id_that_two_threads_add_at_once_is_held_once() -> None:
    other_waits = threading.Event()

    class TellingLock:
        """A lock that tells when somebody has to wait for it."""

        def __init__(self) -> None:
            self._lock = threading.Lock()

        def __enter__(self) -> None:
            if not self._lock.acquire(blocking=False):
                other_waits.set()
                self._lock.acquire()

        def __exit__(self, *_: object) -> None:
            self._lock.release()

    class Slow(Vocabulary):
        """The first to add starts another who adds the same, and lets it come as far as it can."""

        other: threading.Thread | None = None

        def _extend(self, new: list[Id]) -> None:
            if new and self.other is None:
                self.other = threading.Thread(target=add)
                self.other.start()
                assert other_waits.wait(timeout=30), "the other never came to the lock"
            super()._extend(new)

    def add() -> None:
        vocabulary.encode(["tea"], unknown="add")

    vocabulary = Slow()
    vocabulary._lock = TellingLock()  # type: ignore[assignment]  # it is entered and left alone

    add()

    assert vocabulary.other is not None
    vocabulary.other.join()
    assert vocabulary.ids == ("tea",)


def test_an_id_can_be_decoded_from_the_moment_it_has_a_code() -> None:
    class Codes(dict[Id, int]):
        def update(self, pairs: Iterable[tuple[Id, int]]) -> None:  # type: ignore[override]  # as it is called
            for value, code in pairs:
                self[value] = code
                decoded.extend(vocabulary.decode([code]))

    decoded: list[Id] = []
    vocabulary = Vocabulary(["tea"])
    vocabulary._codes = Codes(vocabulary._codes)

    vocabulary.encode(["milk", "eggs"], unknown="add")

    assert decoded == ["milk", "eggs"]


def test_a_copy_goes_on_by_itself() -> None:
    whole = Vocabulary(["a", "b"])
    mapped = Vocabulary.from_arrays(whole.to_arrays("x"), "x")

    for vocabulary in (whole, mapped):
        copy = vocabulary.copy()
        copy.encode(["c"], unknown="add")
        copy.erase(["a"])

        assert (copy.ids, vocabulary.ids) == (("", "b", "c"), ("a", "b"))
        assert (copy.find("a"), vocabulary.find("a"), vocabulary.find("c")) == (-1, 0, -1)


def test_taking_all_in_their_order_gives_a_vocabulary_that_goes_on_by_itself() -> None:
    vocabulary = Vocabulary(["a", "b"])

    taken = vocabulary.take(np.array([0, 1]))
    taken.encode(["c"], unknown="add")

    assert (taken.ids, vocabulary.ids) == (("a", "b", "c"), ("a", "b"))
