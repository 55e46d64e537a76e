"""Copies of a saved model, damaged at random: how many are loaded all the same.

Usage: ``python benchmarks/damage.py --n 20000 --json`` (last line one JSON object). A copy counts
as accepted where it loads and is not the model that was saved; as crashed where anything but a
`Seg1Error` is raised; as hanging after 20 s. All of them must be 0.
"""

import argparse
import json
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import seg1
from seg1 import persist
from seg1.errors import Seg1Error

_MANIFEST = "manifest.json"


def saved_model(folder: Path) -> None:
    """Save a small model: strings as ids, and two arrays that are equal in size."""
    rng = np.random.default_rng(1)
    table = {
        "customer": [f"customer-{c}" for c in rng.integers(0, 12, 90)],
        "item": [f"item-{i}" for i in rng.integers(0, 12, 90)],
        "time": [0] * 90,
    }
    anyone = seg1.ConsentNotNeeded("made up")
    builder = seg1.InteractionMatrixBuilder()
    interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
    seg1.ALS(factors=3).fit(interactions).save(folder)


def _any_file(files: list[Path], rng: np.random.Generator) -> Path:
    return files[rng.integers(len(files))]


def flip_bits(files: list[Path], rng: np.random.Generator) -> None:
    """Flip one to three bits of a file."""
    file = _any_file(files, rng)
    content = bytearray(file.read_bytes())
    for _ in range(rng.integers(1, 4)):
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def flip_header(files: list[Path], rng: np.random.Generator) -> None:
    """Flip a bit of the header of an array, of its padding as well."""
    file = _any_file([file for file in files if file.suffix == ".npy"], rng)
    content = bytearray(file.read_bytes())
    content[rng.integers(min(128, len(content)))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def zero_block(files: list[Path], rng: np.random.Generator) -> None:
    """Write zeros over a part, as a lost page does; where it held them already, ones."""
    file = _any_file(files, rng)
    content = bytearray(file.read_bytes())
    start = int(rng.integers(len(content)))
    stop = min(len(content), start + int(rng.integers(1, 65)))
    is_zero = not any(content[start:stop])
    content[start:stop] = (b"\1" if is_zero else b"\0") * (stop - start)
    file.write_bytes(content)


def truncate(files: list[Path], rng: np.random.Generator) -> None:
    """Cut a file off."""
    file = _any_file(files, rng)
    file.write_bytes(file.read_bytes()[: rng.integers(file.stat().st_size)])


def extend(files: list[Path], rng: np.random.Generator) -> None:
    """Append to a file."""
    file = _any_file(files, rng)
    file.write_bytes(file.read_bytes() + rng.bytes(int(rng.integers(1, 100))))


def swap(files: list[Path], rng: np.random.Generator) -> None:
    """Exchange the content of two files."""
    first, second = (files[i] for i in rng.choice(len(files), 2, replace=False))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def drop(files: list[Path], rng: np.random.Generator) -> None:
    """Remove a file."""
    _any_file(files, rng).unlink()


def rename(files: list[Path], rng: np.random.Generator) -> None:
    """Give a file another name, or that of another file."""
    file = _any_file(files, rng)
    others = [other.name for other in files if other != file]
    name = rng.choice([*others, f"x{file.name}", file.name[:-5] + "g.npy"])
    file.replace(file.with_name(str(name)))


def edit_manifest(files: list[Path], rng: np.random.Generator) -> None:
    """Change, drop or double a value of the manifest, in its own form."""
    path = next(file for file in files if file.name == _MANIFEST)
    body = json.loads(path.read_text())
    _change_one(body, rng)
    path.write_bytes(persist._as_text(body))  # noqa: SLF001  # its own form


def edit_entry_and_seal(files: list[Path], rng: np.random.Generator) -> None:
    """Change what the manifest says of an array, and seal it again as one who knows how."""
    path = next(file for file in files if file.name == _MANIFEST)
    body = json.loads(path.read_text())
    _change_one(body["arrays"], rng)
    body["sha256"] = persist._digest(body)  # noqa: SLF001  # its own seal
    path.write_bytes(persist._as_text(body))  # noqa: SLF001  # its own form


def _change_one(body: Any, rng: np.random.Generator) -> None:  # noqa: ANN401  # JSON
    places = list(_places(body))
    parent, key = places[rng.integers(len(places))]
    value, how = parent[key], rng.integers(3)
    if how == 0:
        del parent[key]
    elif how == 1 and isinstance(parent, dict):
        parent[f"{key}_"] = value
        del parent[key]
    else:
        parent[key] = _another(value, rng)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  # JSON
    for key, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(part, dict | list):
            yield from _places(part)


def _another(value: Any, rng: np.random.Generator) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, str) and value:
        at = int(rng.integers(len(value)))
        return value[:at] + chr((ord(value[at]) - 31) % 95 + 32) + value[at + 1 :]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else [value]


DAMAGES: tuple[Callable[[list[Path], np.random.Generator], None], ...] = (
    flip_bits, flip_header, zero_block, truncate, extend, swap, drop, rename, edit_manifest,
    edit_entry_and_seal,
)  # fmt: skip


def content_of(model: seg1.ALSModel) -> tuple[object, ...]:
    """Give all that a model holds, to the last bit."""
    arrays, meta = model.interactions.to_saved()
    own = (model.customer_factors, model.item_factors, model.gram_diagonal, model.by_norm.factors)
    rows = (model.by_norm.minus_norms, model.by_norm.item_index, model.by_norm.position)
    held = [*arrays.values(), *own, *rows]
    return (json.dumps(meta, sort_keys=True), model.config, *(array.tobytes() for array in held))


def _verdict(folder: Path, wanted: tuple[object, ...]) -> str:
    try:
        signal.alarm(20)
        is_same = content_of(seg1.ALSModel.load(folder, verify=True)) == wanted
    except Seg1Error:
        return "refused"
    except TimeoutError:
        return "hung"
    except Exception as error:  # noqa: BLE001  # what a crash is
        return f"crashed: {type(error).__name__}"
    finally:
        signal.alarm(0)
    return "same" if is_same else "accepted"


def _time_out(*_: object) -> None:
    raise TimeoutError


def verdicts(*, n: int, seed: int = 1) -> Counter[tuple[str, str]]:
    """Damage n copies; count (damage, what came of it)."""
    signal.signal(signal.SIGALRM, _time_out)
    rng = np.random.default_rng(seed)
    told: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        whole, hurt = Path(temporary, "whole"), Path(temporary, "hurt")
        saved_model(whole)
        before = {file.name: file.read_bytes() for file in whole.iterdir()}
        wanted = content_of(seg1.ALSModel.load(whole))
        for k in range(n):
            shutil.rmtree(hurt, ignore_errors=True)
            hurt.mkdir()
            for name, content in before.items():
                (hurt / name).write_bytes(content)
            damage = DAMAGES[k % len(DAMAGES)]
            damage(sorted(hurt.iterdir()), rng)
            told[damage.__name__, _verdict(hurt, wanted)] += 1
    return told


def figures(*, n: int = 20_000) -> dict[str, float]:
    """Count what came of n damaged copies."""
    told: Counter[str] = Counter()
    for (_, verdict), count in verdicts(n=n).items():
        told[verdict.partition(":")[0]] += count
    return {
        "mutated": n,
        "mutated_accepted": told["accepted"] + told["crashed"] + told["hung"],
        "mutated_refused": told["refused"],
        "mutated_loaded_unchanged": told["same"],
    }


def main() -> None:
    """Damage, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    for (damage, verdict), count in sorted(verdicts(n=1_000).items()):
        print(f"{damage:20} {verdict:10} {count}")
    print(json.dumps(figures(n=arguments.n), indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
