"""Interactions: events become a sparse matrix of customers and items."""

from seg1.interactions.builder import InteractionMatrixBuilder
from seg1.interactions.live import LiveInteractions
from seg1.interactions.matrix import Interactions, Provenance
from seg1.interactions.split import split_last, split_time

__all__ = [
    "InteractionMatrixBuilder",
    "Interactions",
    "LiveInteractions",
    "Provenance",
    "split_last",
    "split_time",
]
