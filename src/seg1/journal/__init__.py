"""Journal: what was decided, shown and answered: one append-only sequence, and the log of it."""

from seg1.journal.access import rows_of, told_rows
from seg1.journal.journal import Journal, MemoryJournal, SqliteJournal
from seg1.journal.log import DecisionLog, States
from seg1.journal.outcomes import Answered, Correction, Early, Outcomes
from seg1.journal.records import (
    Decided,
    Erased,
    Exposed,
    Observed,
    Outcome,
    Row,
    Swapped,
    Voided,
    Withheld,
)

__all__ = [
    "Answered",
    "Correction",
    "Decided",
    "DecisionLog",
    "Early",
    "Erased",
    "Exposed",
    "Journal",
    "MemoryJournal",
    "Observed",
    "Outcome",
    "Outcomes",
    "Row",
    "SqliteJournal",
    "States",
    "Swapped",
    "Voided",
    "Withheld",
    "rows_of",
    "told_rows",
]
