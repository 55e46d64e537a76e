"""One household withdraws and has its rows erased: what changes at once, and what stays."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from seg1._types import Id
from seg1.decide import Decision, Personalizer
from seg1.demo.contacts import Contact
from seg1.demo.deciding import PLACEMENT, Run, World

__all__ = ["Leaving", "leave"]

_MINUTE_US = 60 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What a household was to the engine, and what is left of it.

    Attributes
    ----------
    household
        Its id.
    n_redeemed
        Its simulated redemptions.
    decision
        The very next decision after it withdrew.
    n_rows_before, n_rows_after
        Rows of the journal before the erasure and after it, the note of the erasure among them.
    n_own_before, n_own_after
        Its decisions, as plain SQL finds them in the file.
    n_learned_before, n_learned_after
        Decisions that the engine has learned from.
    n_erased, residual
        What the erasure said: rows removed, and what still holds something of the household.
    """

    household: Id
    n_redeemed: int
    decision: Decision
    n_rows_before: int
    n_rows_after: int
    n_own_before: int
    n_own_after: int
    n_learned_before: int
    n_learned_after: int
    n_erased: int
    residual: tuple[str, ...]


def leave(engine: Personalizer, world: World, run: Run, *, file: Path) -> Leaving:
    """Let the household that redeemed most withdraw, ask once more, and erase it.

    Parameters
    ----------
    engine
        The engine, on its journal's file.
    world, run
        What was decided there.
    file
        The journal's file, to be read with plain SQL.
    """
    contact = _who_leaves(world, run)
    who, at_us = contact.household, world.end_us + _MINUTE_US
    engine.withdraw(who, at=at_us)
    decision = engine.decide(who, placement=PLACEMENT.id, context=contact.context, at=at_us)
    n_rows, n_own, n_learned = _count(engine), _count_own(file, who), engine.n_learned
    erasure = engine.erase(who, at=at_us + _MINUTE_US)
    return Leaving(
        household=who,
        n_redeemed=run.redeemed.get(who, 0),
        decision=decision,
        n_rows_before=n_rows,
        n_rows_after=_count(engine),
        n_own_before=n_own,
        n_own_after=_count_own(file, who),
        n_learned_before=n_learned,
        n_learned_after=engine.n_learned,
        n_erased=erasure.n_rows,
        residual=erasure.residual,
    )


def _who_leaves(world: World, run: Run) -> Contact:
    """Pick, of the contacts with a personal decision, the household's that redeemed most."""
    personal = [
        contact
        for contact, is_personal in zip(world.contacts, run.is_personal, strict=True)
        if is_personal
    ]
    return max(personal, key=lambda contact: run.redeemed.get(contact.household, 0))


def _count(engine: Personalizer) -> int:
    return sum(1 for _ in engine.journal.read())


def _count_own(file: Path, household: Id) -> int:
    with closing(sqlite3.connect(file)) as connection:
        query = "select count(*) from decisions where customer = ?"
        (n,) = connection.execute(query, (household,)).fetchone()
    return int(n)
