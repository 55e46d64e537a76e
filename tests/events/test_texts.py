"""Texts coded in numpy: whatever their bytes and hashes, the same as through a plain dict."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seg1._types import Id
from seg1.errors import BadRowError, InvalidTypeError
from seg1.events import Events, texts
from seg1.events.id_columns import IdReader
from seg1.events.problems import Column, Problems
from seg1.events.texts import TextCodes, Texts

# Pairs that differ in their last byte, in a zero at their end, or across the border of a word.
ascii_texts = st.sampled_from(
    ["", "\0", "a", "a\0", "a\0\0", "b", "x" * 7, "x" * 8, "x" * 8 + "\0", "x" * 9, "y" * 16,
     "y" * 15 + "z", "w" * 71, "w" * 72, "v" + "w" * 71]
)  # fmt: skip
N_MANY = 2**15 + 2
columns = st.lists(st.lists(ascii_texts, max_size=12), min_size=1, max_size=4)


def of_strs(column: list[str]) -> Texts:
    made = Texts.of_strs(column)
    assert made is not None
    return made


def of_arrow(column: list[str]) -> Texts:
    made = Texts.of_arrow(pa.array(["before", *column, "after"], pa.string())[1:-1])
    assert made is not None
    return made


def of_large_arrow(column: list[str]) -> Texts:
    made = Texts.of_arrow(pa.array(column, pa.large_string()))
    assert made is not None
    return made


def check_equals_a_dict(read: list[list[str]], *, is_distinct: bool) -> None:
    known, held = TextCodes(), list[str]()

    for place, column in enumerate(read):
        codes, new = known.code((of_strs, of_arrow, of_large_arrow)[place % 3](column))

        held += [column[row] for row in new.tolist()]
        assert [held[code] for code in codes.tolist()] == column

    assert set(held) == {text for column in read for text in column}
    assert not is_distinct or len(held) == len(set(held))


@given(read=columns)
def test_texts_over_several_columns_are_coded_as_by_a_dict(read: list[list[str]]) -> None:
    check_equals_a_dict(read, is_distinct=True)


@given(read=columns)
def test_texts_cut_into_blocks_are_coded_as_by_a_dict(read: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "BLOCK_ROWS", 3)

        check_equals_a_dict(read, is_distinct=True)


@given(read=columns)
def test_texts_that_all_share_a_hash_are_still_told_apart(read: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_hashed", lambda words: np.zeros(len(words), dtype=np.uint64))
        patch.setattr(texts, "_MOST_STEPS", 2)
        patch.setattr(texts, "BLOCK_ROWS", 3)

        check_equals_a_dict(read, is_distinct=False)


def test_each_of_many_texts_has_one_code_and_keeps_it_while_the_table_grows() -> None:
    names = [f"name-{n}" for n in range(100_000)]
    known = TextCodes()

    codes, new = known.code(of_strs(names))
    again, none = known.code(of_arrow(names[::-1]))

    assert np.array_equal(np.sort(codes), np.arange(100_000))
    assert np.array_equal(codes[new], np.arange(100_000))
    assert np.array_equal(again, codes[::-1])
    assert not len(none)


def test_longer_texts_that_come_later_leave_the_codes_of_the_others() -> None:
    known = TextCodes()

    before, _ = known.code(of_strs(["a", "b"]))
    known.code(of_strs(["c" * 60]))
    after, new = known.code(of_strs(["a", "b"]))

    assert np.array_equal(before, after)
    assert not len(new)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["x" * 73]), pa.array([1, 2]), pa.array([b"a"]), pa.nulls(2),
        pa.array(["a"]).dictionary_encode(),
    ],
)  # fmt: skip
def test_what_has_no_short_texts_is_left_to_arrow(column: Column) -> None:
    assert Texts.of_arrow(column) is None


@pytest.mark.parametrize("values", [["x" * 73], ["a", "é"], ["\ud800"]])
def test_strs_that_are_long_or_not_ascii_are_left_to_a_dict(values: list[str]) -> None:
    assert Texts.of_strs(values) is None


def test_an_empty_column_has_no_texts() -> None:
    for made in (of_strs([]), of_arrow([]), of_large_arrow([])):
        codes, new = TextCodes().code(made)

        assert (len(codes), len(new)) == (0, 0)


# --- as ids, beside every other way to code one

short_ids = st.sampled_from(["ana", "bo", "a\0", "a", "b", ""])
ids = st.sampled_from(["ana", "çelik", "x" * 256, "", "x" * 300, None, 5])
id_chunks = st.lists(
    st.one_of(st.lists(short_ids, max_size=8), st.lists(ids, max_size=8)), min_size=1, max_size=4
)


@given(chunks=id_chunks, n=st.integers(-1, 2))
@example(chunks=[["a", "", "bo"]], n=-1)
def test_chunks_through_numpy_or_not_give_the_same_codes(
    chunks: list[list[Id | None]], n: int
) -> None:
    slow = IdReader(Problems())
    slow_read = [slow.read(chunk) for chunk in chunks]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seg1.events.id_columns._MANY_IDS", n)
        patch.setattr("seg1.events.id_columns.BLOCK_ROWS", 5)
        # Many share a hash, so that codes are given in another order than that of arrival.
        patch.setattr(texts, "_hashed", lambda words: words[:, 0] << np.uint64(60))
        reader = IdReader(Problems())
        read = [reader.read(chunk) for chunk in chunks]

    assert reader.ids == slow.ids
    assert dict(reader.codes) == dict(slow.codes)
    for (codes, bad), (slow_codes, slow_bad) in zip(read, slow_read, strict=True):
        assert np.array_equal(codes, slow_codes)
        assert np.array_equal(bad > 0, slow_bad > 0)


def test_a_missing_text_among_many_is_missing() -> None:
    names: list[str | None] = [f"name-{n}" for n in range(N_MANY)]
    names[7] = None
    problems = Problems()

    codes, bad = IdReader(problems).read(pa.array(names))

    assert codes[:9].tolist() == [0, 1, 2, 3, 4, 5, 6, -1, 7]
    assert [problems.reasons[number] for number in bad[[7, 8]].tolist()] == ["missing", "ok"]


# --- pandas frames of objects


def frame_with(value: object, *, n_rows: int, column: str) -> pd.DataFrame:
    """Make a frame whose second row holds a value that is none of the others'."""
    ids_of: dict[str, list[object]] = {
        "customer": [f"household-{n}" for n in range(n_rows)],
        "item": [f"product-{n}" for n in range(n_rows)],
    }
    ids_of[column][1] = value
    made = {name: pd.Series(held, dtype=object) for name, held in ids_of.items()}
    return pd.DataFrame({**made, "time": range(n_rows)})


HOSTILE = [
    (None, "missing"),
    (float("nan"), "missing"),
    (pd.NA, "missing"),
    (pd.NaT, "missing"),
    ("", "empty id"),
    ("canary" * 50, "id is longer than 256 bytes"),
    ("canary\ud800", "id is not valid Unicode"),
    (True, "id is a bool; ids are str or int"),
    (1.0, "id is a float; ids are str or int"),
    (["canary"], "id is a list; ids are str or int"),
    (1, "ids of both kinds"),
]


@pytest.mark.parametrize("column", ["customer", "item"])
@pytest.mark.parametrize("n_rows", [3, N_MANY])
@pytest.mark.parametrize(("value", "reason"), HOSTILE)
def test_a_hostile_object_of_a_frame_is_refused_by_row_and_column(
    value: object, reason: str, n_rows: int, column: str
) -> None:
    frame = frame_with(value, n_rows=n_rows, column=column)

    with pytest.raises(BadRowError) as caught:
        Events.from_table(frame)
    kept = Events.from_table(frame, bad_rows="drop")

    error = caught.value
    assert (error.row, error.column, error.reason) == (1, column, reason)
    assert "canary" not in str(error)
    assert dict(kept.dropped) == {f"{column}: {reason}": 1}
    assert kept.time_us.tolist() == [0, *range(2, n_rows)]


@pytest.mark.parametrize("n_rows", [3, N_MANY])
def test_bytes_among_the_strs_of_a_frame_are_refused(n_rows: int) -> None:
    with pytest.raises(InvalidTypeError, match="column 'item': a column of ids holds binary"):
        Events.from_table(frame_with(b"canary", n_rows=n_rows, column="item"))


def test_a_frame_of_objects_gives_what_rows_and_arrow_give() -> None:
    n_rows = 70_000
    frame = frame_with("household-new", n_rows=n_rows, column="customer")
    frame["item"] = np.array([f"é-{n % 40_000}" for n in range(n_rows)], dtype=object)

    read = Events.from_table(frame)
    others = [
        Events.from_table(pa.Table.from_pandas(frame)),
        Events.from_table({name: frame[name].tolist() for name in frame}),
        Events.from_rows(frame.to_dict("records")),
    ]

    for other in others:
        assert read.customers.ids == other.customers.ids
        assert read.items.ids == other.items.ids
        assert np.array_equal(read.customer_index, other.customer_index)
        assert np.array_equal(read.item_index, other.item_index)
