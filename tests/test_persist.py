"""Persistence: whole or refused; never half, never silently another."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seg1 import persist
from seg1.errors import DamagedError, InvalidArgumentError

Arrays = dict[str, NDArray[Any]]

EVERY_DTYPE: Arrays = {
    "floats": np.array([[1.5, -0.0], [np.inf, np.nan]], np.float32),
    "doubles": np.array([np.pi, 1e-310]),
    "ints": np.array([1, -(2**31)], np.int32),
    "longs": np.array([[[2**62]]], np.int64),
    "bytes_signed": np.array([-128, 127], np.int8),
    "bytes_plain": np.array([0, 255], np.uint8),
    "bits": np.array([True, False]),
    "point": np.array(7.0),
    "no_bit": np.array(False),  # noqa: FBT003
    "empty": np.zeros(0, np.int32),
    "empty_wide": np.zeros((3, 0, 2), np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(10, dtype=np.int64)[::3],
    "big_endian": np.arange(3, dtype=">i4"),
    "large": np.arange(100_000, dtype=np.float64),
}
META = {"text": "ñ", "list": [1, 2.5, None, True], "nested": {"a": {}}}


def save_small(folder: Path, *, value: float = 1.0) -> None:
    persist.save(folder, kind="note", arrays={"ones": np.full(3, value)}, meta={"value": value})


def loaded_value(folder: Path) -> float:
    saved = persist.load(folder, kind="note")
    assert saved.arrays["ones"].tolist() == [saved.meta["value"]] * 3
    return float(saved.meta["value"])


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest as one would who knows how it is sealed."""
    path = folder / "manifest.json"
    body = json.loads(path.read_text())
    change(body)
    body["sha256"] = persist._digest(body)
    path.write_bytes(persist._as_text(body))


@pytest.mark.parametrize("verify", [True, False])
def test_every_dtype_and_shape_comes_back_bit_for_bit(tmp_path: Path, verify: bool) -> None:  # noqa: FBT001
    persist.save(tmp_path / "all", kind="note", arrays=EVERY_DTYPE, meta=META)

    saved = persist.load(tmp_path / "all", kind="note", verify=verify)

    assert saved.meta == META
    assert list(saved.arrays) == sorted(EVERY_DTYPE)
    for name, array in EVERY_DTYPE.items():
        back = saved.arrays[name]
        assert back.shape == array.shape
        assert back.dtype == array.dtype.newbyteorder("<")
        assert back.tobytes() == array.astype(back.dtype).tobytes()
        assert not back.flags.writeable


@pytest.mark.parametrize("verify", [True, False])
def test_arrays_are_mapped_and_not_read_into_memory(tmp_path: Path, verify: bool) -> None:  # noqa: FBT001
    save_small(tmp_path / "note")

    ones = persist.load(tmp_path / "note", kind="note", verify=verify).arrays["ones"]

    assert isinstance(ones.base, np.memmap)


def test_the_files_are_plain_npy_files(tmp_path: Path) -> None:
    persist.save(tmp_path / "all", kind="note", arrays=EVERY_DTYPE, meta={})

    for file in (tmp_path / "all").glob("*.npy"):
        name = file.name.rsplit("-", 1)[0]
        assert np.array_equal(
            np.load(file, allow_pickle=False), EVERY_DTYPE[name], equal_nan=name == "floats"
        )


def test_saving_again_replaces_and_leaves_no_old_file(tmp_path: Path) -> None:
    save_small(tmp_path / "note", value=1.0)

    save_small(tmp_path / "note", value=2.0)

    assert loaded_value(tmp_path / "note") == 2.0
    assert len(list((tmp_path / "note").iterdir())) == 2


def test_a_file_that_is_not_ours_stays(tmp_path: Path) -> None:
    save_small(tmp_path / "note")
    (tmp_path / "note" / "README.txt").write_text("mine")

    save_small(tmp_path / "note", value=2.0)

    assert (tmp_path / "note" / "README.txt").read_text() == "mine"


def fail_in(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, at_call: int) -> None:
    """Let one call of a function raise as a full disk does; earlier ones go through."""
    real, calls = getattr(owner, name), []

    def failing(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == at_call:
            raise OSError(28, "no space left on device")
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, failing)


FAILURES = [(os, "fsync", 1), (os, "fsync", 2), (os, "fsync", 3), (Path, "replace", 1),
            (Path, "replace", 2), (Path, "replace", 3), (np.lib.format, "write_array", 1),
            (np.lib.format, "write_array", 2)]  # fmt: skip


@pytest.mark.parametrize(("owner", "name", "at_call"), FAILURES)
def test_a_failure_while_writing_leaves_the_former_version_and_no_stray_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, at_call: int
) -> None:
    folder = tmp_path / "note"
    arrays = {"ones": np.full(3, 1.0), "more": np.arange(2)}
    persist.save(folder, kind="note", arrays=arrays, meta={"value": 1.0})
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    fail_in(monkeypatch, owner, name, at_call=at_call)

    # "more" is as it was: its file must outlive the clearing up.
    with pytest.raises(OSError, match="no space left"):
        persist.save(
            folder, kind="note", arrays=arrays | {"ones": np.full(3, 2.0)}, meta={"value": 2.0}
        )

    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert loaded_value(folder) == 1.0


@pytest.mark.parametrize(("owner", "name", "at_call"), FAILURES)
def test_a_failure_while_first_writing_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, at_call: int
) -> None:
    fail_in(monkeypatch, owner, name, at_call=at_call)

    with pytest.raises(OSError, match="no space left"):
        persist.save(
            tmp_path / "note", kind="note", arrays={"a": np.ones(1), "b": np.ones(2)}, meta={}
        )

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_new", [True, False])
def test_an_interrupt_right_after_the_manifest_took_force_leaves_the_new_version(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_new: bool,  # noqa: FBT001
) -> None:
    if not is_new:
        save_small(tmp_path / "note", value=1.0)
    real = persist._replace

    def interrupted(path: Path, content: bytes) -> None:
        real(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(persist, "_replace", interrupted)

    with pytest.raises(KeyboardInterrupt):
        save_small(tmp_path / "note", value=2.0)

    assert loaded_value(tmp_path / "note") == 2.0


def test_a_file_that_cannot_be_removed_does_not_make_a_save_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_small(tmp_path / "note", value=1.0)

    def held(path: Path, *, missing_ok: bool = False) -> None:  # noqa: ARG001
        if path.suffix == ".npy":
            raise PermissionError(13, "a reader has it mapped")

    monkeypatch.setattr(Path, "unlink", held)
    save_small(tmp_path / "note", value=2.0)

    assert loaded_value(tmp_path / "note") == 2.0


def test_a_load_that_is_overtaken_by_a_save_gives_the_new_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_small(tmp_path / "note", value=1.0)
    real, reads = persist._read_manifest, []

    def overtaken(folder: Path) -> Any:  # noqa: ANN401
        manifest = real(folder)
        reads.append(1)
        if len(reads) == 1:
            save_small(folder, value=2.0)
        return manifest

    monkeypatch.setattr(persist, "_read_manifest", overtaken)
    value = loaded_value(tmp_path / "note")

    assert value == 2.0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"objects": np.array([{}], dtype=object)}, "cannot save array 'objects' of dtype object"),
        ({"words": np.array(["a"])}, "cannot save array 'words'"),
        ({"half": np.ones(1, np.float16)}, "cannot save array 'half'"),
        ({"../up": np.ones(1)}, r"cannot save array '\.\./up'"),
        ({"Upper": np.ones(1)}, "cannot save array 'Upper'"),
        ({"": np.ones(1)}, "cannot save array ''"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_left(
    tmp_path: Path, arrays: Arrays, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        persist.save(tmp_path / "note", kind="note", arrays=arrays, meta={})

    assert list(tmp_path.iterdir()) == []


def deep(n: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(n):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    "meta",
    [{"a": np.float32(1)}, {"a": float("nan")}, {"a": {1, 2}}, {"a": deep(200_000)}],
    ids=["numpy", "nan", "set", "deep"],
)
def test_meta_that_is_no_json_is_refused(tmp_path: Path, meta: dict[str, Any]) -> None:
    save_small(tmp_path / "note", value=1.0)

    with pytest.raises(InvalidArgumentError, match="JSON values only"):
        persist.save(tmp_path / "note", kind="note", arrays={}, meta=meta)

    assert loaded_value(tmp_path / "note") == 1.0


def test_meta_that_no_load_would_read_is_refused(tmp_path: Path) -> None:
    save_small(tmp_path / "note", value=1.0)

    with pytest.raises(InvalidArgumentError, match="must fit into 16777216 bytes"):
        persist.save(tmp_path / "note", kind="note", arrays={}, meta={"a": "x" * 2**24})

    assert loaded_value(tmp_path / "note") == 1.0


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"a":' * 100_000, "is no JSON"),
        (b"9" * 10_000, "is no JSON"),
        (b"[]", "does not have its form"),
        (b"null", "does not have its form"),
        (b'{"format": "seg1"}', "does not have its form"),
        (b" " * (2**24 + 1), "is larger than 16777216 bytes"),
    ],
    ids=[
        "empty",
        "not utf-8",
        "deep list",
        "deep dict",
        "long int",
        "list",
        "null",
        "bare",
        "huge",
    ],
)
def test_a_manifest_of_another_form_is_refused(
    tmp_path: Path,
    content: bytes,
    message: str,
    verify: bool,  # noqa: FBT001
) -> None:
    save_small(tmp_path / "note")
    (tmp_path / "note" / "manifest.json").write_bytes(content)

    with pytest.raises(DamagedError, match=message):
        persist.load(tmp_path / "note", kind="note", verify=verify)


def entry(body: dict[str, Any]) -> dict[str, Any]:
    ones: dict[str, Any] = body["arrays"]["ones"]
    return ones


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.update(format_version=3), r"format version 3; this seg1 reads 1 to 2: use"),
        (lambda b: b.update(format_version=0), r"format version 0; this seg1 reads 1 to 2: use"),
        (lambda b: b.update(format_version=3, new="field"), "format version 3"),
        (lambda b: b.update(format_version=True), "does not have its form"),
        (lambda b: b.update(format="other"), "does not have its form"),
        (lambda b: b.update(kind="als"), "the folder holds 'als', not 'note'"),
        (lambda b: b.update(extra=1), "does not have its form"),
        (lambda b: entry(b).update(file="../../etc/passwd"), "does not have its form"),
        (lambda b: entry(b).update(file="/etc/passwd"), "does not have its form"),
        (lambda b: entry(b).update(file="ones-0123456789abcdef.npy\n"), "does not have its form"),
        (lambda b: entry(b).update(file="a/ones-0123456789abcdef.npy"), "does not have its form"),
        (lambda b: entry(b).update(file="ones-0123456789abcdef.npy"), "cannot read ones-"),
        (lambda b: entry(b).update(dtype="|O"), "does not have its form"),
        (lambda b: entry(b).update(dtype="<f4"), "was changed after it was written"),
        (lambda b: entry(b).update(shape=[1, 3]), "was changed after it was written"),
        (lambda b: entry(b).update(shape=[-3]), "does not have its form"),
        (lambda b: entry(b).update(shape=[10**30]), "was changed after it was written"),
        (lambda b: entry(b).update(shape=[0, 10**30]), "was changed after it was written"),
        (lambda b: entry(b).update(n_bytes=1), "was changed after it was written"),
        (lambda b: entry(b).pop("sha256"), "does not have its form"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    message: str,
    verify: bool,  # noqa: FBT001
) -> None:
    save_small(tmp_path / "note")
    rewrite(tmp_path / "note", change)

    with pytest.raises(DamagedError, match=message):
        persist.load(tmp_path / "note", kind="note", verify=verify)


def test_a_manifest_of_the_same_content_and_other_bytes_is_refused(tmp_path: Path) -> None:
    save_small(tmp_path / "note")
    path = tmp_path / "note" / "manifest.json"
    path.write_text(path.read_text() + "\n")

    with pytest.raises(DamagedError, match=r"manifest\.json was changed after it was written"):
        persist.load(tmp_path / "note", kind="note")


def test_a_manifest_of_the_same_form_and_other_content_is_refused(tmp_path: Path) -> None:
    save_small(tmp_path / "note")
    path = tmp_path / "note" / "manifest.json"
    path.write_text(path.read_text().replace('"value": 1.0', '"value": 2.0'))

    for verify in (True, False):
        with pytest.raises(DamagedError, match="was changed after it was written"):
            persist.load(tmp_path / "note", kind="note", verify=verify)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x80\x04\x95pickle", b"x" * 4096])
def test_something_else_in_the_place_of_an_array_is_refused(tmp_path: Path, content: bytes) -> None:
    save_small(tmp_path / "note")
    file = next((tmp_path / "note").glob("*.npy"))
    file.write_bytes(content)

    for verify in (True, False):
        with pytest.raises(DamagedError, match="was changed after it was written"):
            persist.load(tmp_path / "note", kind="note", verify=verify)


def test_a_header_that_asks_for_objects_is_never_unpickled(tmp_path: Path) -> None:
    save_small(tmp_path / "note")
    file = next((tmp_path / "note").glob("*.npy"))
    file.write_bytes(file.read_bytes().replace(b"'<f8'", b"'|O' "))

    with pytest.raises(DamagedError, match="was changed after it was written"):
        persist.load(tmp_path / "note", kind="note", verify=False)


def test_a_header_too_long_for_any_memory_is_refused(tmp_path: Path) -> None:
    save_small(tmp_path / "note")
    file = next((tmp_path / "note").glob("*.npy"))
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, %d), }\n" % 10**30
    file.write_bytes(b"\x93NUMPY\x01\x00\x00\x00" + header)
    rewrite(
        tmp_path / "note",
        lambda body: entry(body).update(n_bytes=10 + len(header), shape=[0, 10**30]),
    )

    with pytest.raises(DamagedError, match="cannot read ones-"):
        persist.load(tmp_path / "note", kind="note", verify=False)


def test_a_folder_that_is_missing_or_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(DamagedError, match=r"cannot read manifest\.json"):
            persist.load(path, kind="note")


def test_a_missing_parent_is_told_by_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_small(tmp_path / "none" / "note")
