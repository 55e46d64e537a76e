"""A column of ids, as codes in order of arrival."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from seg1._types import Id, Int8s, Int32s, Int64s
from seg1.errors import InvalidTypeError
from seg1.events.ids import MAX_ID_BYTES, id_problem, plain_id
from seg1.events.problems import Column, Problems, Value, is_arrow
from seg1.events.texts import BLOCK_ROWS, TextCodes, Texts

__all__ = ["IdReader"]

# What a dict of few ids, or Arrow's table of them, holds in the cache is found sooner there.
_MANY_IDS = 2**14
_SAMPLE_ROWS = 2**15


class IdReader:
    """Codes ids in order of arrival, over any number of chunks of one column."""

    def __init__(self, problems: Problems) -> None:
        self.ids: list[Id] = []
        self._problems = problems
        self._codes: defaultdict[Id, int] = defaultdict(None)
        # Texts that were met have a code there, and by it what they are here.
        self._texts = TextCodes()
        self._text_codes: Int32s = np.empty(0, dtype=np.int32)
        self._text_problems: Int8s = np.empty(0, dtype=np.int8)

    @property
    def codes(self) -> Mapping[Id, int]:
        """Ids and their codes, ascending."""
        return self._codes

    def read(self, column: Column) -> tuple[Int32s, Int8s]:
        """Return codes (-1 where an id is bad) and problems, both of shape (n_rows,)."""
        if is_arrow(column):
            return self._read_arrow(column)
        if not isinstance(column, list):
            values = np.asarray(column)
            if len(values) and values.dtype.kind not in "iuUTO":  # np.array([]) holds no floats
                raise _no_ids(values.dtype, is_float=values.dtype.kind == "f")
            column = values.tolist()
        return self._read_values(column)

    def _read_arrow(self, column: Column) -> tuple[Int32s, Int8s]:
        _check_arrow_ids(column.type)
        if column.null_count:
            return self._read_with_missing(column)
        texts = Texts.of_arrow(column) if _is_varied(column) else None
        if texts is not None:
            return self._read_texts(texts, lambda rows: _as_list(column.take(_as_arrow(rows))))
        encoded = column.dictionary_encode()
        codes, problems = self._read_each(_as_list(encoded.dictionary))
        return _of_rows(codes, problems, encoded.indices.to_numpy(zero_copy_only=False))

    def _read_with_missing(self, column: Column) -> tuple[Int32s, Int8s]:
        is_there = column.is_valid().to_numpy(zero_copy_only=False)
        codes = np.full(len(column), -1, dtype=np.int32)
        problems = np.full(len(column), self._problems.number("missing"), dtype=np.int8)
        codes[is_there], problems[is_there] = self._read_arrow(column.drop_null())
        return codes, problems

    def _read_values(self, values: list[Value]) -> tuple[Int32s, Int8s]:
        parts = [
            self._read_block(values[start : start + BLOCK_ROWS])
            for start in range(0, max(1, len(values)), BLOCK_ROWS)
        ]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([codes for codes, _ in parts]), np.concatenate([p for _, p in parts])

    def _read_block(self, values: list[Value]) -> tuple[Int32s, Int8s]:
        if len(self.ids) > _MANY_IDS and set(map(type, values)) == {str}:
            texts = Texts.of_strs(values)
            if texts is not None:
                return self._read_texts(texts, lambda rows: [values[row] for row in rows.tolist()])
        return self._read_each(values)

    def _read_texts(
        self, texts: Texts, values_of: Callable[[Int64s], list[Value]]
    ) -> tuple[Int32s, Int8s]:
        """Code texts; only those not met before are looked at as values."""
        rows, new = self._texts.code(texts)
        order = np.argsort(new)
        codes, problems = self._read_each(values_of(new[order]))
        self._text_codes = np.append(self._text_codes, codes[np.argsort(order)])
        self._text_problems = np.append(self._text_problems, problems[np.argsort(order)])
        return _of_rows(self._text_codes, self._text_problems, rows)

    def _read_each(self, values: list[Value]) -> tuple[Int32s, Int8s]:
        kinds = set(map(type, values))
        codes = None
        if kinds in ({str}, {int}) and self._fits(values[0]):
            codes = self._read_plain(values)
        if codes is None:
            codes = np.fromiter(map(self._code, values), np.int32, count=len(values))
        problems: Int8s = np.zeros(len(values), dtype=np.int8)
        for row in np.flatnonzero(codes < 0).tolist():
            problems[row] = self._problems.number(id_problem(values[row]) or "ids of both kinds")
        return codes, problems

    def _read_plain(self, values: list[Id]) -> Int32s | None:
        """Code ids of the right kind, one look each; None, and nothing added, where one is bad."""
        n_before = len(self._codes)
        self._codes.default_factory = count(n_before).__next__
        codes = np.fromiter(map(self._codes.__getitem__, values), np.int32, count=len(values))
        self._codes.default_factory = None
        new = list(islice(reversed(self._codes), len(self._codes) - n_before))[::-1]
        if new and not _are_plain(new) and any(id_problem(value) for value in new):
            for value in new:
                del self._codes[value]
            return None
        self.ids.extend(new)
        return codes

    def _code(self, value: Value) -> int:
        if type(value) is not str and type(value) is not int:
            value = plain_id(value)
        # 1.0 and True equal 1 as keys of a dict: only a true str or int is looked up.
        code = self._codes.get(value) if type(value) in (str, int) else -1
        if code is None:
            if id_problem(value) is not None or not self._fits(value):
                return -1
            code = self._codes[value] = len(self.ids)
            self.ids.append(value)
        return code

    def _fits(self, value: Id) -> bool:
        return not self.ids or type(self.ids[0]) is type(value)


def _are_plain(values: list[Value]) -> bool:
    """Tell whether strs are ASCII of 1 to 256 bytes: nearly always, and quick to see."""
    return (
        type(values[0]) is str
        and "".join(values).isascii()
        and all(values)
        and max(map(len, values)) <= MAX_ID_BYTES
    )


def _is_varied(column: Column) -> bool:
    """Guess from its begin whether a column holds many distinct values."""
    if len(column) <= _SAMPLE_ROWS:
        return False
    return 2 * len(column.slice(0, _SAMPLE_ROWS).unique()) >= _SAMPLE_ROWS


def _of_rows(codes: Int32s, problems: Int8s, rows: NDArray[np.integer]) -> tuple[Int32s, Int8s]:
    """Give each row the code and the problem of its value."""
    is_good = not problems.any()
    return codes.take(rows), np.zeros(len(rows), np.int8) if is_good else problems.take(rows)


def _as_arrow(rows: Int64s) -> Column:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    return pa.array(rows)


def _as_list(dictionary: Column) -> list[Value]:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    if dictionary.null_count or pa.types.is_null(dictionary.type):
        values: list[Value] = dictionary.to_pylist()
    else:
        values = dictionary.to_numpy(zero_copy_only=False).tolist()  # a tenth of the time
    return values


def _check_arrow_ids(kind: Column) -> None:
    import pyarrow as pa  # noqa: PLC0415  # only where the caller's table has brought it

    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = str(held) in ("string", "large_string", "string_view")
    if not (is_text or pa.types.is_integer(held) or pa.types.is_null(held)):
        raise _no_ids(held, is_float=pa.types.is_floating(held))


def _no_ids(kind: object, *, is_float: bool) -> InvalidTypeError:
    why = " (pandas makes floats of ints with gaps)" if is_float else ""
    return InvalidTypeError(
        f"a column of ids holds {kind}{why}; ids are str or int: convert it to a nullable int or "
        "to str first"
    )
