"""Events: who did what, when: ids coded once, columns from any table."""

from seg1.events.row import EventRow
from seg1.events.table import Events
from seg1.events.vocabulary import Vocabulary

__all__ = ["EventRow", "Events", "Vocabulary"]
