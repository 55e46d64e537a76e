"""The small wrong changes that `mutants` makes to a module, and the reasons for those not caught.

Left alone: docstrings, annotations, decorators, ``__all__``, protocols, and what a message says
(the argument of a raise or of a log line).
"""

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutant", "mutants_of", "mutated", "reasons"]

_REASONS = Path(__file__).with_name("mutants_survivors.md")

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True, eq=False)
class Mutant:
    """One change: where it stands and what it is.

    Attributes
    ----------
    tree
        The whole module, unchanged.
    holder, field, place
        The node that holds what changes, the field, and the place there if that is a list.
    new
        What stands there instead.
    path, first_line, last_line
        The lines of the statement around it: a test that runs none of them cannot see it.
    line
        The text of the line.
    change
        The change in words.
    function
        First line and name of the outermost function around it; None for what runs at import.
    """

    tree: ast.Module
    holder: ast.AST
    field: str
    place: int | None
    new: ast.AST
    path: Path
    first_line: int
    last_line: int
    line: str
    change: str
    function: tuple[int, str] | None


@contextmanager
def mutated(mutant: Mutant) -> Iterator[ast.Module]:
    """Make the change in the tree, and take it back."""
    old = getattr(mutant.holder, mutant.field)
    new: object = mutant.new
    if mutant.place is not None:
        new = [*old[: mutant.place], mutant.new, *old[mutant.place + 1 :]]
    setattr(mutant.holder, mutant.field, new)
    yield mutant.tree
    setattr(mutant.holder, mutant.field, old)


def reasons() -> set[tuple[str, str, str]]:
    """Read the survivors that have a reason: file, line, change."""
    found, name = set(), ""
    for line in _REASONS.read_text().splitlines():
        if line.startswith("## "):
            name = line.removeprefix("## ").strip()
        elif line.startswith("- "):
            text, *changes = re.findall(r"``(.+?)``", line)
            found |= {(name, text, change) for change in changes}
    return found


def mutants_of(path: Path) -> list[Mutant]:
    """Find every change that can be made to a module."""
    text = path.read_text()
    return list(_Finder(path, text).visit_all())


@dataclass(frozen=True, slots=True)
class _Around:
    # What is known of the place of a node: its statement and the function it runs in.
    first_line: int
    last_line: int
    function: tuple[int, str] | None


class _Finder:
    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines, self.tree = path, text.splitlines(), ast.parse(text)

    def visit_all(self) -> Iterator[Mutant]:
        yield from self._below(self.tree, _Around(1, 1, None))

    def _below(self, node: ast.AST, around: _Around) -> Iterator[Mutant]:
        for field, value in ast.iter_fields(node):
            if _is_left_alone(node, field):
                continue
            places = value if isinstance(value, list) else [value]
            inner = _within(node, field, around)
            for place, child in enumerate(places):
                if isinstance(child, ast.AST) and not _is_word_of_ours(child):
                    at = place if isinstance(value, list) else None
                    yield from self._at(node, field, at, child, inner)

    def _at(
        self, holder: ast.AST, field: str, place: int | None, child: ast.AST, around: _Around
    ) -> Iterator[Mutant]:
        around = _beside(child, around)
        is_test = field in {"test", "ifs"}
        for change, new in _changes(child, is_test=is_test):
            ast.copy_location(new, child)
            ast.fix_missing_locations(new)
            first = getattr(child, "lineno", around.first_line)
            yield Mutant(
                self.tree, holder, field, place, new, self.path, around.first_line,
                around.last_line, self.lines[first - 1].strip(), change, around.function,
            )  # fmt: skip
        yield from self._below(child, around)


def _is_left_alone(node: ast.AST, field: str) -> bool:
    is_message = isinstance(node, ast.Raise)
    is_log = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log.")
    return is_message or is_log or field in {"decorator_list", "annotation", "returns", "bases"}


def _is_word_of_ours(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    if isinstance(node, ast.ClassDef):
        return any(ast.unparse(base) == "Protocol" for base in node.bases)
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) == "TypeAlias"
    names = node.targets if isinstance(node, ast.Assign) else []
    return any(ast.unparse(name) in {"__all__", "__slots__", "log"} for name in names)


def _within(node: ast.AST, field: str, around: _Around) -> _Around:
    is_function = isinstance(node, ast.FunctionDef) and field == "body"
    if around.function is None and is_function and isinstance(node, ast.FunctionDef):
        lines = [node.lineno, *(found.lineno for found in node.decorator_list)]
        return _Around(around.first_line, around.last_line, (min(lines), node.name))
    return around


def _beside(node: ast.AST, around: _Around) -> _Around:
    if not isinstance(node, ast.stmt):
        return around
    body = getattr(node, "body", None)
    last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
    return _Around(node.lineno, max(node.lineno, last), around.function)


def _changes(node: ast.AST, *, is_test: bool) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.stmt):
        yield from _statement_changes(node)
    elif isinstance(node, ast.expr):
        found = [*_expression_changes(node), *_atom_changes(node)]
        if is_test:
            found += [ast.Constant(value=True), ast.Constant(value=False)]
        by_text = {ast.unparse(new): new for new in found}
        old = ast.unparse(node)
        yield from ((f"{old} -> {text}", new) for text, new in by_text.items() if text != old)


def _statement_changes(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Return) and node.value is not None:
        if not isinstance(node.value, ast.Constant):
            yield "return None", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr | ast.Raise | ast.AugAssign) or (
        isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name)
    ):
        yield "removed", ast.Pass()
    elif isinstance(node, ast.Continue):
        yield "continue -> break", ast.Break()
    elif isinstance(node, ast.Break):
        yield "break -> continue", ast.Continue()


def _expression_changes(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare):
        for place, compared in enumerate(node.ops):
            for word in _COMPARED[type(compared)]:
                ops = [*node.ops[:place], word(), *node.ops[place + 1 :]]
                yield ast.Compare(node.left, ops, node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for place in range(len(node.values)):
            left = [*node.values[:place], *node.values[place + 1 :]]
            yield ast.BoolOp(node.op, left) if len(left) > 1 else copy(left[0])
    elif isinstance(node, ast.UnaryOp):
        yield copy(node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)
    elif isinstance(node, ast.IfExp):
        yield from (copy(node.body), copy(node.orelse))


def _atom_changes(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Name) and node.id in _NAMES:
        yield ast.Name(_NAMES[node.id], node.ctx)
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, float):
        yield ast.Constant(value * 2 + 1)
    elif isinstance(value, str):
        yield ast.Constant(f"{value}X" if value else "X")
    elif isinstance(value, bytes):
        yield ast.Constant(value + b"X")
