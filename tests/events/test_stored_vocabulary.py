"""A vocabulary that was saved: mapped, found by its index, growing, erased, damaged."""

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
from seg1.events.ids import id_problem
from seg1.events.index import Index, hash_ints, hash_strings
from seg1.events.stored import StoredInts, StoredStrings
from seg1.events.vocabulary import Vocabulary

strings = st.text(min_size=1, max_size=20).filter(lambda s: id_problem(s) is None)
ints = st.integers(-(2**63), 2**63 - 1)
id_lists: st.SearchStrategy[list[Id]] = st.one_of(
    st.lists(strings, max_size=30), st.lists(ints, max_size=30)
)
FEW: dict[str, list[Id]] = {
    "str": ["ana", "an", "ça", "a\0b", "x" * 256],
    "int": [7, 0, -1, 2**63 - 1],
}
KINDS = ["str", "int"]


def stored(ids: list[Id], *, verify: bool = False) -> Vocabulary:
    return Vocabulary.from_arrays(Vocabulary(ids).to_arrays("x"), "x", verify=verify)


@given(ids=id_lists, others=id_lists, verify=st.booleans())
@settings(deadline=None)
def test_a_stored_vocabulary_answers_as_the_one_that_was_saved(
    ids: list[Id],
    others: list[Id],
    verify: bool,  # noqa: FBT001  # hypothesis passes it by name
) -> None:
    plain = Vocabulary(ids)

    mapped = stored(ids, verify=verify)

    assert (mapped.ids, mapped.kind, len(mapped)) == (plain.ids, plain.kind, len(plain))
    codes = np.arange(len(plain))
    assert mapped.decode(codes) == plain.decode(codes)
    assert [mapped.find(i) for i in ids] == [plain.find(i) for i in ids]
    assert mapped.encode(ids).tolist() == plain.encode(ids).tolist()
    alike = [i for i in others if plain.kind in (None, type(i).__name__)]
    assert [mapped.find(i) for i in alike] == [plain.find(i) for i in alike]
    assert [i in mapped for i in others] == [i in plain for i in others]


@given(ids=id_lists, more=st.lists(strings, max_size=20), n_erased=st.integers(0, 10))
@settings(deadline=None)
def test_growing_and_erasing_go_on_after_saving_as_they_would_have_before(
    ids: list[Id], more: list[Id], n_erased: int
) -> None:
    more = more if all(isinstance(i, str) for i in ids) else [5, 6, 7]
    plain, mapped = Vocabulary(ids), stored(ids)

    for vocabulary in (plain, mapped):
        vocabulary.encode(more, unknown="add")
        vocabulary.erase(list(dict.fromkeys([*ids, *more]))[-n_erased:])
        vocabulary.encode(more, unknown="add")
    again = Vocabulary.from_arrays(mapped.to_arrays("x"), "x")

    assert plain.ids == mapped.ids == again.ids
    assert plain.n_erased == mapped.n_erased == again.n_erased
    assert mapped.encode(more).tolist() == plain.encode(more).tolist()
    assert again.encode(more).tolist() == plain.encode(more).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_is_saved_again_as_it_lies(kind: str) -> None:
    arrays = Vocabulary(FEW[kind]).to_arrays("x")

    again = Vocabulary.from_arrays(arrays, "x", verify=False).to_arrays("x")

    assert list(again) == list(arrays)
    large = [name for name in arrays if name != "x_index_key"]
    assert all(np.shares_memory(again[name], arrays[name]) for name in large)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_saved_before_there_was_an_index_still_loads(kind: str) -> None:
    arrays = Vocabulary(FEW[kind]).to_arrays("x", index=False)

    for verify in (True, False):
        loaded = Vocabulary.from_arrays(arrays, "x", verify=verify)

        assert list(loaded.ids) == FEW[kind]
        assert loaded.encode(FEW[kind]).tolist() == list(range(len(FEW[kind])))


@pytest.mark.parametrize("kind", KINDS)
def test_asking_a_stored_vocabulary_for_the_other_kind_is_refused(kind: str) -> None:
    mapped = stored(FEW[kind])
    other = 5 if kind == "str" else "five"

    with pytest.raises(WrongIdTypeError):
        mapped.find(other)
    with pytest.raises(WrongIdTypeError):
        mapped.erase([other])


@pytest.mark.parametrize("value", ["", "x" * 257, "\ud800"])
def test_what_is_no_id_is_refused_by_a_stored_vocabulary_too(value: str) -> None:
    with pytest.raises(InvalidArgumentError):
        stored(FEW["str"]).find(value)


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_an_erased_id_is_found_nowhere_and_its_code_is_never_used_again(
    kind: str,
    is_stored: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    ids = FEW[kind]
    vocabulary = stored(ids) if is_stored else Vocabulary(ids)

    n_erased = vocabulary.erase([ids[1], ids[1]])

    assert n_erased == vocabulary.n_erased == 1
    assert vocabulary.find(ids[1]) == -1
    assert ids[1] not in vocabulary
    assert vocabulary.ids[1] == ""
    assert vocabulary.is_live(np.arange(len(ids))).tolist() == [c != 1 for c in range(len(ids))]
    with pytest.raises(UnknownIdError, match="1 of 2 codes are of erased ids, the first at pos"):
        vocabulary.decode([0, 1])
    assert vocabulary.erase([ids[1]]) == 0
    assert vocabulary.encode([ids[1]], unknown="add").tolist() == [len(ids)]
    assert vocabulary.decode([len(ids)]) == [ids[1]]


@pytest.mark.parametrize("is_stored", [True, False])
def test_an_erased_id_is_neither_in_memory_nor_in_what_is_saved(
    is_stored: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    ids: list[Id] = ["tea", "canary-17", "milk"]
    vocabulary = stored(ids) if is_stored else Vocabulary(ids)

    vocabulary.erase(["canary-17"])

    held: list[object] = [vocabulary._ids, vocabulary._codes, vocabulary._erased]
    if vocabulary._stored is not None:
        held += [bytes(vocabulary._stored._text), vocabulary._stored.ids()]  # type: ignore[union-attr]  # strings
    assert "canary" not in str(held)
    saved = b"".join(array.tobytes() for array in vocabulary.to_arrays("x").values())
    assert b"canary" not in saved
    assert Vocabulary.from_arrays(vocabulary.to_arrays("x"), "x").find("milk") == 2


def test_an_erased_int_is_neither_in_memory_nor_in_what_is_saved() -> None:
    vocabulary = stored([5, 123_456_789, 0])

    vocabulary.erase([123_456_789])

    assert vocabulary._stored is not None
    assert list(vocabulary._stored._view) == [5, 0, 0]  # type: ignore[union-attr]  # ints
    assert vocabulary.to_arrays("x")["x_ids"].tolist() == [5, 0, 0]
    again = Vocabulary.from_arrays(vocabulary.to_arrays("x"), "x")
    assert (again.find(0), again.find(123_456_789), again.ids) == (2, -1, (5, "", 0))


def test_an_erased_neighbour_in_the_index_hides_no_id() -> None:
    mapped = stored([3, 0])  # in one bucket; 0 stands where 3 was

    mapped.erase([3])

    assert (mapped.find(0), mapped.find(3)) == (1, -1)


def test_when_every_id_is_erased_the_kind_stays() -> None:
    vocabulary = stored(["tea"])
    vocabulary.erase(["tea"])

    again = Vocabulary.from_arrays(vocabulary.to_arrays("x"), "x")

    assert (again.kind, len(again), again.n_erased) == ("str", 1, 1)


def test_erasing_with_a_bad_id_among_them_erases_none() -> None:
    vocabulary = Vocabulary(["tea", "milk"])

    with pytest.raises(InvalidArgumentError):
        vocabulary.erase(["tea", ""])
    with pytest.raises(InvalidTypeError, match="ids must be several"):
        vocabulary.erase("tea")

    assert vocabulary.ids == ("tea", "milk")


@given(ids=id_lists, attempt=st.integers(0, 255))
@settings(deadline=None)
def test_many_are_hashed_as_one_is(ids: list[Id], attempt: int) -> None:
    arrays = Vocabulary(ids).to_arrays("x")
    key = bytes([attempt]) * 16
    index = Index._of(key, np.array([0, 0], np.int32), np.zeros(0, np.int32))
    asked: list[int] = []
    object.__setattr__(index, "_starts", _Asked(asked))

    for value in Vocabulary(ids).ids:
        index.places_of_bytes(value.encode()) if isinstance(value, str) else index.places_of_int(
            value
        )

    if "x_ids" in arrays:
        hashed = hash_ints(arrays["x_ids"], key=key)
    else:
        hashed = hash_strings(arrays["x_utf8"], arrays["x_offsets"], key=key)
    assert asked == [int(value) for value in hashed & np.uint64(2**32 - 1)]


class _Asked:
    """Starts of 2 ** 32 buckets, all empty, that note which was asked for."""

    def __init__(self, asked: list[int]) -> None:
        self.asked = asked
        self.is_second = False

    def __len__(self) -> int:
        return 2**32 + 1

    def __getitem__(self, bucket: int) -> int:
        if not self.is_second:
            self.asked.append(bucket)
        self.is_second = not self.is_second
        return 0


def test_ids_of_one_making_share_no_buckets() -> None:
    many = {
        "one after the other": list(range(20_000)),
        "far apart": [n << 40 for n in range(20_000)],
        "alike": [f"customer-{n:09d}" for n in range(20_000)],
    }

    for ids in many.values():
        starts = Vocabulary(ids).to_arrays("x")["x_index_starts"]  # type: ignore[arg-type]  # of one kind
        assert np.diff(starts).max() <= 12


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_follows_from_all_ids_together(kind: str) -> None:
    ids = FEW[kind]
    keys = {
        Vocabulary(some).to_arrays("x")["x_index_key"].tobytes()
        for some in (ids, ids[:-1], ids[::-1], ids)
    }

    assert len(keys) == 3


def test_a_key_that_crowds_a_bucket_is_changed_for_another() -> None:
    keys: list[bytes] = []

    def hashed(key: bytes) -> NDArray[np.uint64]:
        keys.append(key)
        return np.zeros(100, np.uint64) if len(keys) < 3 else np.arange(100, dtype=np.uint64)

    index = Index.of(b"content", hashed, np.arange(100))

    assert len(set(keys)) == 3
    assert index.key == keys[-1]


WRONG: list[tuple[str, object]] = [
    ("index_key", np.zeros(15, np.uint8)),
    ("index_key", np.zeros(16, np.int8)),
    ("index_starts", np.zeros(5, np.int32)),
    ("index_starts", np.zeros((9, 1), np.int32)),
    ("index_starts", np.zeros(9, np.int64)),
    ("index_codes", np.zeros(4, np.int32)),
    ("index_codes", np.zeros(5, np.float32)),
    ("offsets", np.array([0, 3, 5, 8, 11, 200])),
    ("offsets", np.array([1, 3, 5, 8, 11, 267])),
    ("offsets", np.array([0.0, 3, 5, 8, 11, 267])),
    ("utf8", np.zeros(0, np.uint8)),
    ("erased", np.array([5], np.int32)),
    ("erased", np.array([-1], np.int32)),
    ("erased", np.array([1, 1], np.int32)),
    ("erased", np.array([1], np.int64)),
    ("erased", np.array([1], np.int32)),
]


@pytest.mark.parametrize(("name", "array"), WRONG)
@pytest.mark.parametrize("verify", [True, False])
def test_arrays_of_the_wrong_form_are_refused_even_unverified(
    name: str,
    array: NDArray[Any],
    verify: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    arrays = {**Vocabulary(FEW["str"]).to_arrays("x"), f"x_{name}": array}

    with pytest.raises(DamagedError):
        Vocabulary.from_arrays(arrays, "x", verify=verify)


@pytest.mark.parametrize("part", ["key", "starts", "codes"])
def test_an_index_without_one_of_its_parts_is_refused(part: str) -> None:
    arrays = Vocabulary(FEW["int"]).to_arrays("x")
    del arrays[f"x_index_{part}"]

    with pytest.raises(DamagedError, match="the index of the x vocabulary"):
        Vocabulary.from_arrays(arrays, "x", verify=False)


def with_its_index(made: StoredInts | StoredStrings) -> dict[str, NDArray[Any]]:
    return {**made.to_arrays("x"), **made.index.to_arrays("x")}


def of_text(text: bytes, ends: list[int], erased: list[int]) -> dict[str, NDArray[Any]]:
    utf8 = np.frombuffer(text, dtype=np.uint8)
    gone = np.array(erased, dtype=np.int32)
    return with_its_index(StoredStrings.of(utf8, np.array(ends), gone))


def of_ints(values: list[int], erased: list[int]) -> dict[str, NDArray[Any]]:
    return with_its_index(StoredInts.of(np.array(values), np.array(erased, dtype=np.int32)))


def test_what_the_next_test_lays_out_is_accepted_where_it_is_whole() -> None:
    assert Vocabulary.from_arrays(of_text(b"aab", [0, 2, 2, 3], [1]), "x").ids == ("aa", "", "b")
    assert Vocabulary.from_arrays(of_ints([5, 0, 0], [1]), "x").ids == (5, "", 0)


@pytest.mark.parametrize(
    "arrays",
    [
        of_text(b"aaaa", [0, 2, 4], []),
        of_text(b"a\xc3\xa9b", [0, 2, 4], []),
        of_text(b"aab\xff", [0, 2, 4], []),
        of_text(b"a" * 257 + b"b", [0, 257, 258], []),
        of_text(b"aab", [0, 2, 2, 3], []),
        of_text(b"aab", [0, 2, 3], [1]),
        of_ints([5, 6, 5], []),
        of_ints([5, 6], [1]),
    ],
)
def test_ids_that_are_none_are_refused_though_their_index_fits(
    arrays: dict[str, NDArray[Any]],
) -> None:
    with pytest.raises(DamagedError):
        Vocabulary.from_arrays(arrays, "x")


@pytest.mark.parametrize(
    "arrays",
    [
        {**Vocabulary(["aa", "bb"]).to_arrays("x"), "x_utf8": np.frombuffer(b"aaaa", np.uint8)},
        {**Vocabulary([5, 6]).to_arrays("x"), "x_ids": np.array([5, 5])},
        {**Vocabulary(["aa", "bb"]).to_arrays("x"), "x_utf8": np.frombuffer(b"aab\xff", np.uint8)},
        {**Vocabulary(["aa", "bb"]).to_arrays("x"), "x_utf8": np.frombuffer(b"a\xc3\xa9b", "u1")},
        {**Vocabulary(["aa", "bb"]).to_arrays("x"), "x_offsets": np.array([0, 5, 4])},
        {**Vocabulary(["aa", "bb"]).to_arrays("x"), "x_offsets": np.array([0, 4, 4])},
        {**Vocabulary(["a" * 9, "b" * 250]).to_arrays("x"), "x_offsets": np.array([0, 1, 259])},
    ],
)
def test_ids_that_are_none_are_refused_where_they_are_verified(
    arrays: dict[str, NDArray[Any]],
) -> None:
    with pytest.raises(DamagedError):
        Vocabulary.from_arrays(arrays, "x")


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_of_an_index_ever_gives_a_wrong_code(kind: str) -> None:
    ids: list[Id] = [f"id-{n}" if kind == "str" else n * 3 for n in range(40)]
    whole = Vocabulary(ids).to_arrays("x")
    rng = np.random.default_rng(3)

    for _ in range(300):
        name = f"x_index_{rng.choice(['key', 'starts', 'codes'])}"
        bent = whole[name].copy()
        bent[rng.integers(len(bent))] = rng.choice([-5, -1, 0, 1, 9, 39, 40, 127])  # wraps in a key
        arrays = {**whole, name: bent}
        loose = Vocabulary.from_arrays(arrays, "x", verify=False)

        found = [_find(loose, value) for value in ids]

        assert all(code in (-1, right) for right, code in enumerate(found))
        if not np.array_equal(bent, whole[name]):
            with pytest.raises(DamagedError):
                Vocabulary.from_arrays(arrays, "x")


def test_a_bucket_that_holds_everything_is_told_and_not_searched() -> None:
    arrays = Vocabulary(range(200)).to_arrays("x")
    starts = np.zeros_like(arrays["x_index_starts"])
    starts[1::2] = 200

    loose = Vocabulary.from_arrays({**arrays, "x_index_starts": starts}, "x", verify=False)

    for value in range(200):
        with pytest.raises(DamagedError, match="the index of a vocabulary does not fit it"):
            loose.find(value)


def _find(vocabulary: Vocabulary, value: Id) -> int:
    try:
        return vocabulary.find(value)
    except DamagedError:
        return -1


def test_offsets_that_lie_within_are_told_when_they_are_read() -> None:
    arrays = Vocabulary(["aa", "bb", "cc"]).to_arrays("x")

    for ends in ([0, -1, 4, 6], [0, 9, 4, 6], [0, 2, 2, 6]):
        loose = Vocabulary.from_arrays({**arrays, "x_offsets": np.array(ends)}, "x", verify=False)
        with pytest.raises(DamagedError):
            loose.decode([0, 1, 2])
        assert _find(loose, "bb") == -1


def test_bytes_that_are_no_text_are_told_when_they_are_read() -> None:
    arrays = Vocabulary(["aa"]).to_arrays("x")
    arrays["x_utf8"] = np.frombuffer(b"\xff\xfe", np.uint8)
    loose = Vocabulary.from_arrays(arrays, "x", verify=False)

    for read in (lambda: loose.decode([0]), lambda: loose.ids):
        with pytest.raises(DamagedError, match="not UTF-8") as caught:
            read()
        assert caught.value.__suppress_context__
