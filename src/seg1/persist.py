"""Arrays and a checked manifest in a folder. Knows no model; nothing is ever pickled.

The folder holds plain ``.npy`` files, named after their content, and ``manifest.json``. The
manifest is replaced last and in one step: until then a reader sees the former version, whole.
Any number of processes may load; one at a time may save.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seg1._checks import read_only
from seg1.errors import DamagedError, InvalidArgumentError

__all__ = ["FORMAT_VERSION", "Saved", "load", "save"]

FORMAT_VERSION: Final = 2  # what is written
_READABLE: Final = (1, 2)  # 1: models without what a load can work out again
_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 16 * 2**20
_ARRAY_FILE = re.compile(r"[a-z0-9_]{1,64}-[0-9a-f]{16}\.npy")
_DTYPES = ("<f4", "<f8", "<i4", "<i8", "|i1", "|u1", "|b1")


class _ArrayEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    file: str = Field(pattern=f"^{_ARRAY_FILE.pattern}$")
    dtype: Literal["<f4", "<f8", "<i4", "<i8", "|i1", "|u1", "|b1"]
    shape: list[Annotated[int, Field(ge=0)]]
    n_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    format: Literal["seg1"]
    format_version: int
    kind: str
    arrays: dict[str, _ArrayEntry]
    meta: dict[str, Any]  # Any: whatever JSON the model wrote; it checks its own
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """What a folder holds.

    Attributes
    ----------
    arrays
        Read-only arrays by name, mapped from disk.
    meta
        The JSON that was saved beside them.
    format_version
        Of the seg1 that saved it, in `FORMAT_VERSION`.
    """

    arrays: Mapping[str, NDArray[Any]]  # Any: each array has a dtype of its own
    meta: Mapping[str, Any]
    format_version: int = FORMAT_VERSION


def save(
    path: str | PathLike[str],
    *,
    kind: str,
    arrays: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
) -> None:
    """Write arrays and JSON into a folder, replacing what it held, in one step.

    Parameters
    ----------
    path
        The folder; made where missing. Its parent must exist.
    kind
        What it is ("als"); `load` must ask for the same.
    arrays
        Arrays by name, lower case; of float32, float64, int32, int64, int8, uint8 or bool.
    meta
        JSON values.

    Raises
    ------
    InvalidArgumentError
        For a dtype, a name or a value that cannot be kept.
    OSError
        Where the folder cannot be written. What stood there before stands there still.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder, kind="note", arrays={"ones": np.ones(2)}, meta={"by": "me"})
    ...     load(folder, kind="note").arrays["ones"].tolist()
    [1.0, 1.0]
    """
    folder = Path(path)
    is_new = not folder.exists()
    folder.mkdir(exist_ok=True)
    before = {file.name for file in folder.iterdir()}
    written: list[str] = []
    try:
        entries = {
            name: _write_array(folder, name, array, written) for name, array in arrays.items()
        }
        _replace(folder / _MANIFEST, _manifest_text(kind, entries, meta))
    except BaseException:
        # An interrupt may come after the manifest took force: what it names stays as well.
        _remove(folder, set(written) - before - _named(folder))
        if is_new:
            with contextlib.suppress(OSError):  # not empty: the manifest took force
                folder.rmdir()
        raise
    _remove(folder, before - {str(entry["file"]) for entry in entries.values()})


def load(path: str | PathLike[str], *, kind: str, verify: bool = True) -> Saved:
    """Read what `save` wrote, as read-only arrays mapped from disk.

    Parameters
    ----------
    path
        The folder.
    kind
        What is expected there.
    verify
        Hash every array before use. A second worker on one machine may pass False: the manifest
        and the sizes are checked all the same.

    Raises
    ------
    DamagedError
        Where anything is missing, changed, of another kind, or of a format not known here.
    """
    folder = Path(path)
    manifest = _read_manifest(folder)
    while True:
        if manifest.kind != kind:
            raise DamagedError(f"the folder holds {manifest.kind!r}, not {kind!r}")
        try:
            arrays = {
                name: _read_array(folder, entry, verify=verify)
                for name, entry in manifest.arrays.items()
            }
        except DamagedError:
            newer = _read_manifest(folder)
            if newer.sha256 == manifest.sha256:
                raise
            manifest = newer  # saved over while we read: the files of the former one are gone
        else:
            return Saved(arrays, manifest.meta, manifest.format_version)


class _Hashing:
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.n_bytes = 0

    def write(self, part: bytes) -> int:
        self.sha256.update(part)
        self.n_bytes += len(part)
        return self._file.write(part)


def _write_array(
    folder: Path, name: str, array: NDArray[Any], written: list[str]
) -> dict[str, object]:
    stored = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    if stored.dtype.str not in _DTYPES or not re.fullmatch(r"[a-z0-9_]{1,64}", name):
        raise InvalidArgumentError(f"cannot save array {name!r} of dtype {array.dtype}")
    partial = folder / f".{name}-{secrets.token_hex(8)}.partial"
    written.append(partial.name)
    with partial.open("wb") as file:
        hashing = _Hashing(file)
        np.lib.format.write_array(hashing, stored, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    digest = hashing.sha256.hexdigest()
    final = f"{name}-{digest[:16]}.npy"
    written.append(final)
    partial.replace(folder / final)
    return {
        "file": final,
        "dtype": stored.dtype.str,
        "shape": list(stored.shape),
        "n_bytes": hashing.n_bytes,
        "sha256": digest,
    }


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}-{secrets.token_hex(8)}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _manifest_text(
    kind: str, entries: Mapping[str, Mapping[str, object]], meta: Mapping[str, Any]
) -> bytes:
    body: dict[str, Any] = {
        "format": "seg1",
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "arrays": entries,
        "meta": dict(meta),
    }
    try:
        body["sha256"] = _digest(body)
        text = _as_text(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError("meta must hold JSON values only") from error
    if len(text) > _MAX_MANIFEST_BYTES:
        raise InvalidArgumentError(f"meta must fit into {_MAX_MANIFEST_BYTES} bytes of JSON")
    return text


def _named(folder: Path) -> set[str]:
    """Give the array files that the manifest in force names."""
    try:
        return {entry.file for entry in _read_manifest(folder).arrays.values()}
    except DamagedError:
        return set()


def _remove(folder: Path, names: set[str]) -> None:
    for name in names:
        if _ARRAY_FILE.fullmatch(name) or name.endswith(".partial"):
            # Windows keeps a file that a reader has mapped: it goes with the next save.
            with contextlib.suppress(OSError):
                (folder / name).unlink(missing_ok=True)


def _as_text(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, indent=1, sort_keys=True).encode()


def _digest(body: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in body.items() if key != "sha256"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_manifest(folder: Path) -> _Manifest:
    try:
        with (folder / _MANIFEST).open("rb") as file:
            text = file.read(_MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise DamagedError(
            f"cannot read {_MANIFEST} in {str(folder)!r}: {type(error).__name__}; give the folder "
            "that was saved to"
        ) from error
    if len(text) > _MAX_MANIFEST_BYTES:
        raise DamagedError(f"{_MANIFEST} is larger than {_MAX_MANIFEST_BYTES} bytes")
    try:
        body = json.loads(text)
        _check_version(body)
        manifest = _Manifest.model_validate(body)
        is_as_written = (_digest(body), _as_text(body)) == (manifest.sha256, text)
    except (ValueError, RecursionError) as error:  # ValidationError and bad JSON are ValueErrors
        kind = "does not have its form" if isinstance(error, ValidationError) else "is no JSON"
        raise DamagedError(f"{_MANIFEST} {kind}") from error
    if not is_as_written:
        raise DamagedError(f"{_MANIFEST} was changed after it was written")
    return manifest


def _check_version(body: object) -> None:
    """Tell a format of another version from one that is damaged: its form may be another."""
    version = body.get("format_version") if isinstance(body, dict) else None
    if type(version) is int and version not in _READABLE:
        raise DamagedError(
            f"{_MANIFEST} has format version {version}; this seg1 reads 1 to {FORMAT_VERSION}: "
            "use the seg1 that wrote it, or fit again"
        )


def _read_array(folder: Path, entry: _ArrayEntry, *, verify: bool) -> NDArray[Any]:
    try:
        with (folder / entry.file).open("rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest() if verify else entry.sha256
            _check_same((n_bytes, digest), (entry.n_bytes, entry.sha256), entry)
            return _map_array(file, entry)
    except DamagedError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise DamagedError(f"cannot read {entry.file}: {type(error).__name__}") from error


def _map_array(file: BinaryIO, entry: _ArrayEntry) -> NDArray[Any]:
    """Map the array of a .npy whose header says what the manifest says; nothing is parsed."""
    dtype, shape = np.dtype(entry.dtype), tuple(entry.shape)
    n_header = max(entry.n_bytes - math.prod(shape) * dtype.itemsize, 0)
    wanted = f"{{'descr': {entry.dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    file.seek(0)
    header = file.read(n_header)
    _check_same((header[:6], header[10:].rstrip()), (b"\x93NUMPY", wanted.encode()), entry)
    if 0 in shape:  # no bytes that could be mapped
        return read_only(np.empty(shape, dtype))
    mapped = np.memmap(file, dtype=dtype, mode="r", offset=n_header, shape=shape)
    return mapped.view(np.ndarray)  # a plain array is quicker to index


def _check_same(found: object, wanted: object, entry: _ArrayEntry) -> None:
    if found != wanted:
        raise DamagedError(f"{entry.file} was changed after it was written")
