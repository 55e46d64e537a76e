"""A policy, compiled: the distinct questions it asks, and how their answers make a stage's verdict.

Filters of ours answer alike at every stage (a ledger: at all but *decide*), so they are asked once
a purpose. Answers are codes; what the same codes mean for each stage is folded once and remembered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, cast

import numpy as np

from seg1._types import Id
from seg1.consent.codes import (
    FAILED,
    LATE,
    NEGATED,
    RANKS,
    UNRANKED,
    VALUES,
    VETO_REASONS,
    Codes,
    code_of,
    codes_of,
    verdict_of,
    verdicts_of,
)
from seg1.consent.filters import Composed, ConsentFilter, guarded_check
from seg1.consent.ledger.ledger import ConsentLedger
from seg1.consent.ledger.snapshot import LedgerSnapshot
from seg1.consent.ledger.standing import Asked
from seg1.consent.scalar import (
    EVERY_WORD,
    Scalar,
    checked_words,
    guarded_ask_one,
    guarded_check_one,
    log_failure,
)
from seg1.consent.verdicts import ALLOW, DENY, UNKNOWN, Ask, Customers, Reason, Verdicts

__all__ = ["OwnRight", "Plan", "Rules"]

Rules: TypeAlias = Mapping[str, Sequence[tuple[str, ConsentFilter]]]
"""For each stage, in order: (purpose, filter), all of which must permit it."""

_NO_POLICY: Final = code_of(UNKNOWN, Reason.NO_POLICY)
_OWN_RIGHT: Final = code_of(ALLOW, Reason.OWN_RIGHT)
_VETO_CODES: Final = frozenset(code_of(DENY, reason) for reason in VETO_REASONS)
_FAILURES: Final = frozenset((FAILED, LATE))
_new: Final = tuple.__new__  # twice as quick as Ask(...), and that in the quickest loop
_MOST_KNOWN: Final = 4_096
# Exactly these: a subclass may answer otherwise, and is asked like any other filter.
_LEDGERS: Final = (ConsentLedger, LedgerSnapshot)


class OwnRight:
    """Permits everybody: what is the customer's own right. No veto stands against it."""

    name = "own right"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:  # noqa: ARG002  # the contract's
        """Permit everybody."""
        return Verdicts.uniform(ALLOW, Reason.OWN_RIGHT, n=len(customers))


class Branch(NamedTuple):
    """A composition: "all_of", "any_of" or "not_" of nodes."""

    word: str
    parts: tuple["int | Branch", ...]


Node: TypeAlias = int | Branch
"""The number of a question, or a composition of nodes."""


class Question(NamedTuple):
    """What a filter is asked: once for all places of a policy where the answer is the same."""

    source: ConsentFilter
    ask_one: Scalar | None
    purpose: str
    stage: str


@dataclass(frozen=True, slots=True)
class Program:
    """How the answers make the verdict of one stage.

    Attributes
    ----------
    tree
        What must permit the stage; None where it needs nobody's word.
    vetoes
        Filters of which each must let it pass.
    told
        The questions of both.
    closing
        Of these, the ones whose failure is a veto that failed.
    otherwise
        Code of the verdict where there is no tree.
    """

    tree: Node | None
    vetoes: tuple[Node, ...]
    told: tuple[int, ...]
    closing: frozenset[int]
    otherwise: int = _NO_POLICY

    def of_one(self, codes: Mapping[int, int]) -> int:
        """Fold the answers about one customer."""
        if self.tree is None:
            return self.otherwise
        found = _fold_one(self.tree, codes)
        refusals = [_fold_one(veto, codes) for veto in self.vetoes]
        refusals += [codes[i] for i in self.told if self._is_veto(i, codes[i])]
        worst = min(refusals, key=_RANKS.__getitem__, default=found)
        return worst if _VALUES[worst] < ALLOW and _VALUES[worst] <= _VALUES[found] else found

    def _is_veto(self, question: int, code: int) -> bool:
        return code in _VETO_CODES or (code in _FAILURES and question in self.closing)

    def of_many(self, codes: Mapping[int, Codes], *, n: int) -> Codes:
        """Fold the answers about n customers."""
        if self.tree is None:
            return np.full(n, self.otherwise, dtype=np.uint8)
        found = _fold_many(self.tree, codes)
        ranks = np.full(n, RANKS.max(), dtype=np.uint8)
        for veto in self.vetoes:
            np.minimum(ranks, RANKS[_fold_many(veto, codes)], out=ranks)
        for i in self.told:
            table = _CLOSING_RANKS if i in self.closing else _VETO_RANKS
            np.minimum(ranks, table[codes[i]], out=ranks)
        worst = UNRANKED[ranks]
        is_refused = (VALUES[worst] < ALLOW) & (VALUES[worst] <= VALUES[found])
        return np.where(is_refused, worst, found)


def _fold_one(node: Node, codes: Mapping[int, int]) -> int:
    if isinstance(node, int):
        return codes[node]
    parts = [_fold_one(part, codes) for part in node.parts]
    if node.word == "not_":
        return int(NEGATED[parts[0]])
    # Of equal verdicts both give the first: its reason is told.
    pick = min if node.word == "all_of" else max
    return pick(parts, key=_VALUES.__getitem__)


def _fold_many(node: Node, codes: Mapping[int, Codes]) -> Codes:
    if isinstance(node, int):
        return codes[node]
    first, *others = (_fold_many(part, codes) for part in node.parts)
    if node.word == "not_":
        return NEGATED[first]
    for part in others:
        difference = VALUES[part] - VALUES[first]
        first = np.where(difference < 0 if node.word == "all_of" else difference > 0, part, first)
    return first


_VALUES: Final = tuple(VALUES.tolist())
_RANKS: Final = tuple(RANKS.tolist())


def _veto_ranks(of: frozenset[int]) -> Codes:
    """Give the rank of the codes that are vetoes, and the highest, that of none, to the others."""
    is_veto = np.isin(np.arange(len(RANKS)), list(of))
    return np.where(is_veto, RANKS, RANKS.max())


_VETO_RANKS: Final = _veto_ranks(_VETO_CODES)
_CLOSING_RANKS: Final = _veto_ranks(_VETO_CODES | _FAILURES)


class Plan:
    """The questions of a policy, and the program of each stage.

    Parameters
    ----------
    rules
        For each stage what must permit it.
    vetoes
        What is asked beside, for each stage and purpose.

    Attributes
    ----------
    questions
        The distinct questions.
    programs
        For each stage how their answers are folded.
    """

    def __init__(self, rules: Rules, vetoes: Sequence[ConsentFilter]) -> None:
        self.questions: list[Question] = []
        self._numbers: dict[tuple[int, str, str], int] = {}
        self.programs = {stage: self._program(stage, of, vetoes) for stage, of in rules.items()}
        self._reads, self._asks, self._order = _sorted(self.questions)
        self._known: dict[tuple[int, ...], tuple[int, tuple[Reason, ...]]] = {}

    def ask(self, customer: Id, at_us: int) -> tuple[int, tuple[Reason, ...], int]:
        """Answer for one customer and all stages: bits, reasons, epoch."""
        codes: tuple[int, ...] = ()
        epoch = 0
        for ledger, asked in self._reads:
            try:
                found, of = ledger.read(customer, asked, at_us)
            except Exception as error:  # noqa: BLE001  # fail closed: its store may raise anything
                log_failure(ledger, error)
                found, of = (FAILED,) * len(asked), 0
            codes, epoch = codes + found, epoch + of
        if self._asks:
            found, of = self._ask_others(customer, at_us)
            codes, epoch = codes + found, epoch + of
        known = self._known.get(codes)
        if known is None:
            known = self._learn(codes)
        return known[0], known[1], epoch

    def _ask_others(self, customer: Id, at_us: int) -> tuple[tuple[int, ...], int]:
        codes, epoch = [], 0
        for source, ask_one, purpose, stage in self._asks:
            ask = _new(Ask, (purpose, stage, at_us))
            if ask_one is None:
                code, of = guarded_check_one(source, customer, ask)
                epoch += of
            else:
                code = guarded_ask_one(source, ask_one, customer, ask)
            codes.append(code)
        return tuple(codes), epoch

    def _learn(self, codes: tuple[int, ...]) -> tuple[int, tuple[Reason, ...]]:
        """Fold answers that have not come together before, and remember what they mean."""
        by_question = dict(zip(self._order, codes, strict=True))
        verdicts = [verdict_of(program.of_one(by_question)) for program in self.programs.values()]
        bits = sum(verdict.allowed << i for i, verdict in enumerate(verdicts))
        known = bits, tuple(verdict.reason for verdict in verdicts)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[codes] = known
        return known

    def check(self, customers: Customers, *, stage: str, at_us: int) -> Verdicts:
        """Answer for many customers and one stage."""
        program = self.programs[stage]
        answers = {
            i: guarded_check(
                self.questions[i].source, customers, Ask(self.questions[i].purpose, stage, at_us)
            )
            for i in program.told
        }
        codes = {i: codes_of(answer) for i, answer in answers.items()}
        epoch = sum(answer.epoch for answer in answers.values())
        return verdicts_of(program.of_many(codes, n=len(customers)), epoch=epoch)

    def _program(
        self,
        stage: str,
        rules: Sequence[tuple[str, ConsentFilter]],
        vetoes: Sequence[ConsentFilter],
    ) -> Program:
        if not rules:
            return Program(None, (), (), frozenset())
        if all(isinstance(source, OwnRight) for _, source in rules):
            return Program(None, (), (), frozenset(), otherwise=_OWN_RIGHT)
        tree = Branch("all_of", tuple(self._node(f, purpose, stage) for purpose, f in rules))
        beside = tuple(self._node(f, purpose, stage) for purpose, _ in rules for f in vetoes)
        told = tuple(dict.fromkeys(i for node in (tree, *beside) for i in _numbers(node)))
        closing = frozenset(
            i for i in told if getattr(self.questions[i].source, "may_veto", False) is True
        )
        return Program(tree, beside, told, closing)

    def _node(self, source: ConsentFilter, purpose: str, stage: str) -> Node:
        if isinstance(source, Composed):
            return Branch(
                source.word, tuple(self._node(part, purpose, stage) for part in source.filters)
            )
        key = (id(source), *_words_of(source, purpose, stage))
        if key not in self._numbers:
            self._numbers[key] = len(self.questions)
            ask_one = getattr(source, "ask_one", None)
            self.questions.append(Question(source, ask_one, purpose, stage))
        return self._numbers[key]


_Read: TypeAlias = tuple[ConsentLedger | LedgerSnapshot, list[Asked]]


def _sorted(questions: Sequence[Question]) -> tuple[list[_Read], list[Question], list[int]]:
    """Give what each ledger is asked at one look, the other questions, and the order of both."""
    places: dict[int, list[int]] = {}
    for place, question in enumerate(questions):
        key = id(question.source) if type(question.source) in _LEDGERS else 0
        places.setdefault(key, []).append(place)
    others = places.pop(0, [])
    reads: list[_Read] = []
    for of in places.values():
        asked = [(questions[i].purpose, questions[i].stage == "decide") for i in of]
        reads.append((cast("ConsentLedger", questions[of[0]].source), asked))
    order = [place for of in places.values() for place in of] + others
    return reads, [questions[place] for place in others], order


def _words_of(source: ConsentFilter, purpose: str, stage: str) -> tuple[str, str]:
    """Give purpose and stage as far as an answer depends on them."""
    if type(source) in _LEDGERS:
        return purpose, "decide" if stage == "decide" else ""
    words = checked_words(getattr(source, "depends_on", EVERY_WORD))
    return purpose if "purpose" in words else "", stage if "stage" in words else ""


def _numbers(node: Node) -> Iterator[int]:
    if isinstance(node, int):
        yield node
    else:
        for part in node.parts:
            yield from _numbers(part)
