"""Change a room in small wrong ways, one at a time, and see which changes its tests catch.

Usage: ``python benchmarks/mutants.py [--room consent] [--files codes.py ledger/words.py]
[--tests test_plan.py] [--sample N --seed S] [--minutes M] [--again OUTPUT] [--at-import]
[--json]``, on a machine that forks, with the ``test`` extra. Survivors have their reasons in
``mutants_survivors.md``.

One process collects the tests once and notes which of them run which line. For each change it forks
a child, which gives the function that changed its new code and runs the tests that reach the line,
the quickest first, until one fails. What runs at import is changed in a child that has not imported
seg1 yet. Property tests draw the same examples every time, and do not shrink what they find.
"""

import argparse
import gc
import importlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, Phase, settings

from mutations import Mutant, mutants_of, mutated, reasons

_ROOT = Path(__file__).resolve().parents[1]
_SOURCE = _ROOT / "src" / "seg1"
_HEAVY = ("numpy", "scipy.sparse", "scipy.special", "pydantic", "implicit.als", "pyarrow", "jinja2")
_MEMORY_BYTES = 6 << 30
_LEAST_S, _MOST_S = 10, 90
_CAUGHT, _SURVIVED, _AT_IMPORT = 1, 0, 70


@dataclass(frozen=True, slots=True)
class Suite:
    """Which tests there are, and where they may write."""

    tests: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class Reach:
    """Which tests run which line, how long each takes, and which lines run at import."""

    tests: dict[tuple[str, int], frozenset[str]] = field(repr=False)
    seconds: dict[str, float] = field(repr=False)

    def of(self, mutant: Mutant) -> list[str]:
        """Give the tests that may see a change, the quickest first."""
        lines = range(mutant.first_line, mutant.last_line + 1)
        return self._in_order(self.tests.get((str(mutant.path), n), ()) for n in lines)

    def of_file(self, path: Path) -> list[str]:
        """Give the tests that run any line of a file, the quickest first."""
        return self._in_order(of for (name, _), of in self.tests.items() if name == str(path))

    def _in_order(self, tests: Iterable[Iterable[str]]) -> list[str]:
        found = set(chain.from_iterable(tests)) - {""}
        return sorted(found, key=lambda test: self.seconds.get(test, 0.0))

    def is_at_import(self, mutant: Mutant) -> bool:
        """Tell whether a change has its effect while modules are imported."""
        keys = [(str(mutant.path), n) for n in range(mutant.first_line, mutant.last_line + 1)]
        return mutant.function is None or any("" in self.tests.get(key, ()) for key in keys)

    def limit_s(self, tests: Collection[str]) -> int:
        """Give the time after which a child has hung."""
        spent = sum(self.seconds.get(test, 0.0) for test in tests)
        return int(min(_MOST_S, _LEAST_S + 4 * spent))


def _in_child(work: Callable[[], int], *, limit_s: int) -> int:
    """Do something in a forked child; give its answer, `_CAUGHT` if it dies or hangs."""
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(limit_s)
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
            _silence(0, 1, 2)
            os._exit(work())
        finally:
            os._exit(_CAUGHT)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else _CAUGHT


def _silence(*streams: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        os.dup2(nowhere, stream)


class _Plugin:
    """Runs inside pytest: choose the tests, and stop at the first that fails."""

    def __init__(self, run: Callable[[list[pytest.Item]], None]) -> None:
        self.run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Load the settings of property tests, after the tests' own and before they are read."""
        settings.register_profile(
            "mutants",
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run in place of pytest's own loop."""
        self.run(session.items)
        return True


class _Stop:
    """End the child at the first test that fails."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(_CAUGHT)


def _run_items(items: Sequence[pytest.Item], *, before: Callable[[str], None] | None = None) -> int:
    items[0].config.pluginmanager.register(_Stop())
    for item, following in zip(items, [*items[1:], None], strict=True):
        if before is not None:
            before(item.nodeid)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return _SURVIVED


def _start_pytest(run: Callable[[list[pytest.Item]], None], *, suite: Suite) -> int:
    options = ["-p", "no:cacheprovider", "-c", str(_ROOT / "pyproject.toml")]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options += ["--rootdir", str(_ROOT), f"--basetemp={suite.folder / 'tests'}"]
    return int(pytest.main([*options, *suite.tests], plugins=[_Plugin(run)]))


def _reach_of(items: Sequence[pytest.Item], coverage: Coverage, *, folder: Path) -> Reach:
    """Run every test once in a child and note its lines; refuse tests that fail unchanged."""
    seconds: dict[str, float] = {}
    noted = folder / "reach.json"

    def start(test: str) -> None:
        seconds[test] = -time.perf_counter()
        coverage.switch_context(test)

    def work() -> int:
        for item in items:
            _run_items([item], before=start)
            seconds[item.nodeid] += time.perf_counter()
        coverage.stop()
        noted.write_text(json.dumps([_lines(coverage), seconds]))
        return _SURVIVED

    if _in_child(work, limit_s=600) != _SURVIVED:
        raise SystemExit("the tests fail without any change")
    lines, seconds = json.loads(noted.read_text())
    return Reach({(path, n): frozenset(tests) for path, n, tests in lines}, seconds)


def _lines(coverage: Coverage) -> list[tuple[str, int, list[str]]]:
    found = coverage.get_data()
    return [
        (path, number, tests)
        for path in found.measured_files()
        for number, tests in found.contexts_by_lineno(path).items()
    ]


def _functions() -> dict[tuple[str, int, str], list[FunctionType]]:
    """Find our functions that live in this process, by file, line and name."""
    found = defaultdict(list)
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename.startswith(str(_SOURCE)):
            code = thing.__code__
            found[code.co_filename, code.co_firstlineno, code.co_name].append(thing)
    return found


def _code_of(mutant: Mutant) -> CodeType:
    with mutated(mutant) as tree:
        return compile(tree, str(mutant.path), "exec", dont_inherit=True)


def _inner_code(code: CodeType, function: tuple[int, str]) -> CodeType | None:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if (inner.co_firstlineno, inner.co_name) == function:
                return inner
            deeper = _inner_code(inner, function)
            if deeper is not None:
                return deeper
    return None


@dataclass(slots=True)
class _Worker:
    """Once pytest has collected the tests, tells the outcome of each mutant."""

    mutants: Sequence[Mutant]
    coverage: Coverage
    suite: Suite
    tell: Callable[[int, int, list[str]], None]
    only_at_import: bool

    def run(self, items: list[pytest.Item]) -> None:
        reach = _reach_of(items, self.coverage, folder=self.suite.folder)
        self.coverage.stop()
        functions, by_id = _functions(), {item.nodeid: item for item in items}
        gc.collect()
        gc.freeze()
        for place, mutant in enumerate(self.mutants):
            if reach.is_at_import(mutant):
                self.tell(place, _AT_IMPORT, reach.of_file(mutant.path))
            elif not self.only_at_import:
                tests = reach.of(mutant)
                outcome = _try_code(mutant, [by_id[test] for test in tests], functions, reach)
                self.tell(place, outcome, tests)


def _try_code(
    mutant: Mutant,
    items: Sequence[pytest.Item],
    functions: dict[tuple[str, int, str], list[FunctionType]],
    reach: Reach,
) -> int:
    function = mutant.function
    code = _inner_code(_code_of(mutant), function) if function else None
    if not items:
        return _SURVIVED
    if function is None or code is None:
        raise RuntimeError(f"no code for {mutant.line!r}")
    live = functions[str(mutant.path), *function]

    def work() -> int:
        for found in live:
            found.__code__ = code
        return _run_items(items)

    return _in_child(work, limit_s=reach.limit_s([item.nodeid for item in items]))


def _try_import(path: Path, code: CodeType, tests: Sequence[str], *, suite: Suite) -> int:
    """Run tests in a child that imports this code in place of a module's own."""

    def run(items: list[pytest.Item]) -> None:
        if items[0].session.testsfailed:  # a file of tests cannot be imported any more
            os._exit(_CAUGHT)
        by_id = {item.nodeid: item for item in items}
        os._exit(_run_items([by_id[test] for test in tests if test in by_id]))

    def work() -> int:
        _import_instead(path, code)
        _start_pytest(run, suite=suite)
        return _CAUGHT  # the tests could not be collected

    return _in_child(work, limit_s=_MOST_S)


def _import_instead(path: Path, code: CodeType) -> None:
    true = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        return code if self.path == str(path) else true(self, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]  # this child's


def _outcomes(
    mutants: Sequence[Mutant], *, suite: Suite, only_at_import: bool
) -> Iterator[tuple[Mutant, int]]:
    """Give each mutant and whether it was caught, those of import last."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os._exit(_work(mutants, writer, suite=suite, only_at_import=only_at_import))
    os.close(writer)
    later = []
    with os.fdopen(reader) as told:
        for line in told:
            place, outcome, tests = json.loads(line)
            if outcome == _AT_IMPORT:
                later.append((mutants[place], tests))
            else:
                yield mutants[place], outcome
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the tests could not be run")
    random.Random(len(later)).shuffle(later)  # noqa: S311  # what --minutes cuts off is a sample
    for place, (mutant, tests) in enumerate(later):
        if not place:
            _check_import(mutant.path, tests, suite=suite)
        yield mutant, _try_import(mutant.path, _code_of(mutant), tests, suite=suite)


def _check_import(path: Path, tests: Sequence[str], *, suite: Suite) -> None:
    """Refuse to go on where an unchanged module fails too: then every change would seem caught."""
    code = compile(path.read_text(), str(path), "exec", dont_inherit=True)
    if _try_import(path, code, tests, suite=suite) != _SURVIVED:
        raise SystemExit(f"the tests of {path.name} fail without any change")


def _work(mutants: Sequence[Mutant], writer: int, *, suite: Suite, only_at_import: bool) -> int:
    _silence(0, 1)
    coverage = Coverage(data_file=None, include={str(m.path) for m in mutants}, config_file=False)
    coverage.start()

    def tell(place: int, outcome: int, tests: list[str]) -> None:
        os.write(writer, f"{json.dumps([place, outcome, tests])}\n".encode())

    worker = _Worker(mutants, coverage, suite, tell, only_at_import)
    return _start_pytest(worker.run, suite=suite)


def _shown(mutant: Mutant) -> str:
    name = mutant.path.relative_to(_SOURCE)
    return f"{name}:{mutant.first_line} ``{mutant.line}``, ``{mutant.change}``"


def measure(
    mutants: Sequence[Mutant], *, tests: Sequence[Path], minutes: float, only_at_import: bool
) -> dict[str, object]:
    """Try mutants; print each that survives without a reason, and give the counts."""
    end = time.monotonic() + 60 * minutes
    known, per_file = reasons(), defaultdict[str, Counter[str]](Counter)
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(tuple(str(path) for path in tests), Path(folder))
        tried = _outcomes(mutants, suite=suite, only_at_import=only_at_import)
        for mutant, outcome in tried:
            name = str(mutant.path.relative_to(_SOURCE))
            is_known = (name, mutant.line, mutant.change) in known
            per_file[name]["mutants"] += 1
            per_file[name]["caught" if outcome else "survivors"] += 1
            per_file[name]["survivors_unexplained"] += not outcome and not is_known
            if not outcome and not is_known:
                print(_shown(mutant))
            if time.monotonic() > end:
                break
    words = ("mutants", "caught", "survivors", "survivors_unexplained")
    told = {name: {word: counts[word] for word in words} for name, counts in per_file.items()}
    totals = {word: sum(counts[word] for counts in told.values()) for word in words}
    return {**totals, "not_tried": len(mutants) - totals["mutants"], "per_file": told}


def main() -> None:
    """Read the options, choose the mutants and tell what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--room", default="consent", help="a package of seg1")
    parser.add_argument("--files", nargs="+", help="modules of the room, as in ledger/words.py")
    parser.add_argument("--tests", nargs="+", help="files of the room's tests; all, unless told")
    parser.add_argument("--sample", type=int, help="how many mutants of each module, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="output of a run: try what it printed alone")
    parser.add_argument("--minutes", type=float, default=1e9, help="when to stop")
    parser.add_argument("--at-import", action="store_true", help="only what runs at import")
    parser.add_argument("--json", action="store_true", help="the counts as JSON, in one last line")
    options = parser.parse_args()
    os.nice(15)
    sys.path.insert(0, str(_ROOT / "src"))
    for name in _HEAVY:
        importlib.import_module(name)
    chosen = random.Random(options.seed)  # noqa: S311  # a sample, no secret
    room, tests = _SOURCE / options.room, _ROOT / "tests" / options.room
    paths = [room / name for name in options.files or ()] or sorted(room.rglob("*.py"))
    mutants = []
    for path in paths:
        found = mutants_of(path)
        mutants += chosen.sample(found, min(options.sample or len(found), len(found)))
    if options.again:
        printed = {line.rstrip() for line in options.again.read_text().splitlines()}
        mutants = [mutant for mutant in mutants if _shown(mutant) in printed]
    # Folders, for examples: pytest loads a module that is named in a way of its own.
    run = [tests / name for name in options.tests or [""]] + sorted({path.parent for path in paths})
    counts = measure(mutants, tests=run, minutes=options.minutes, only_at_import=options.at_import)
    print(json.dumps(counts) if options.json else json.dumps(counts, indent=2))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream
    main()
