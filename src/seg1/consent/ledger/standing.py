"""What stands: the fold of all consent events, for one customer or for very many."""

from collections.abc import Sequence
from typing import TypeAlias

from seg1._types import Id
from seg1.consent.ledger.said import EVERYTHING, ConsentEvent
from seg1.consent.ledger.words import (
    AUTOMATED,
    GRANT,
    GRANTED,
    NO_RECORD,
    OBJECTED,
    RANK_OF_KIND,
    RESTRICTED,
    WITHDRAW,
    Word,
    code_at,
    is_on_at,
    say,
)

__all__ = ["Asked", "Standing", "stricter"]

Asked: TypeAlias = tuple[str, bool]
"""A purpose, and whether an automated decision is asked about."""

_MARKS = {"restrict", "unrestrict", "opt_out", "opt_in"}


class Standing:
    """The newest words of every customer and purpose. It does not depend on their order.

    Written under the lock of the ledger that owns it, read without one: what is read is immutable.

    Attributes
    ----------
    words
        For each purpose, the chain of words of each customer who said something about it. A word
        about everything stands in every chain of the customer, and in that of ``"*"``.
    restricted, opted_out
        Of the customers who ever restricted the use of their data, or opted out of automated
        decisions: the words about that.
    epoch
        How many events have changed something.
    """

    def __init__(self) -> None:
        self.words: dict[str, dict[Id, Word]] = {EVERYTHING: {}}
        self.restricted: dict[Id, Word] = {}
        self.opted_out: dict[Id, Word] = {}
        self.epoch = 0
        self.kind: type | None = None

    def copy(self) -> "Standing":
        """Keep what stands now, whatever is said later."""
        kept = Standing()
        kept.words = {purpose: dict(of) for purpose, of in self.words.items()}
        kept.restricted, kept.opted_out = dict(self.restricted), dict(self.opted_out)
        kept.epoch, kept.kind = self.epoch, self.kind
        return kept

    def fold(self, event: ConsentEvent) -> tuple[str, ...]:
        """Take one event in; give the purposes of the customer for which it changed something."""
        self.kind = self.kind or type(event.customer)
        changed = tuple(
            [purpose for purpose, of in self._tables(event) if self._say(event, purpose, of)]
        )
        self.epoch += bool(changed)
        return changed

    def _tables(self, event: ConsentEvent) -> list[tuple[str, dict[Id, Word]]]:
        """Name the tables that an event belongs into."""
        if event.kind in _MARKS:
            is_restriction = event.kind in ("restrict", "unrestrict")
            return [(EVERYTHING, self.restricted if is_restriction else self.opted_out)]
        if event.purpose == EVERYTHING:
            of_customer = [(p, of) for p, of in self.words.items() if event.customer in of]
            return list({EVERYTHING: self.words[EVERYTHING], **dict(of_customer)}.items())
        return [(event.purpose, self.words.setdefault(event.purpose, {}))]

    def _say(self, event: ConsentEvent, purpose: str, of: dict[Id, Word]) -> bool:
        head = of.get(event.customer)
        if head is None and purpose != EVERYTHING:
            head = self.words[EVERYTHING].get(event.customer)
        rank = RANK_OF_KIND.get(event.kind, WITHDRAW)  # what is not known counts as a refusal
        if rank == GRANT and event.purpose == EVERYTHING and event.kind not in _MARKS:
            rank = WITHDRAW  # a grant of everything is not ours, whoever wrote it
        chain = say(
            head, at_us=event.at_us, rank=rank, from_us=event.from_us, until_us=event.until_us
        )
        if chain is head:
            return False
        of[event.customer] = chain
        return True

    def chain(self, customer: Id, purpose: str) -> Word | None:
        """Give the words of a customer about a purpose, newest first."""
        word = self.words.get(purpose, self.words[EVERYTHING]).get(customer)
        return self.words[EVERYTHING].get(customer) if word is None else word

    def codes(self, customer: Id, asked: Sequence[Asked], at_us: int) -> tuple[int, ...]:
        """Answer for one customer, for each purpose that is asked about."""
        everything = self.words[EVERYTHING]
        codes: list[int] = []
        before, code = "", NO_RECORD
        for purpose, _ in asked:
            if purpose != before:
                before = purpose
                of = self.words.get(purpose)
                word = None if of is None else of.get(customer)
                if word is None:
                    word = everything.get(customer)
                # `code_at`, written out for the usual case: a grant, and nothing said later
                if word is not None and word[4] == GRANTED and word[0] <= at_us:
                    is_valid = word[2] <= at_us < word[3]
                    code = GRANTED if is_valid else code_at(word, at_us)
                else:
                    code = code_at(word, at_us)
            codes.append(code)
        if customer in self.restricted or customer in self.opted_out:
            marks = [self.mark(customer, at_us, is_decide=is_decide) for _, is_decide in asked]
            codes = [stricter(code, mark) for code, mark in zip(codes, marks, strict=True)]
        return tuple(codes)

    def marked(self, *, is_decide: bool) -> set[Id]:
        """Name those for whom `mark` may give something."""
        return {*self.restricted, *(self.opted_out if is_decide else ())}

    def mark(self, customer: Id, at_us: int, *, is_decide: bool) -> int | None:
        """Give the refusal that holds for a customer whatever the purpose, or None."""
        if is_on_at(self.restricted.get(customer), at_us):
            return RESTRICTED
        if is_decide and is_on_at(self.opted_out.get(customer), at_us):
            return AUTOMATED
        return None


def stricter(code: int, mark: int | None) -> int:
    """Let a refusal stand before what was said of a purpose, except before an objection."""
    return code if mark is None or code == OBJECTED else mark
