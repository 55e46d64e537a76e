"""Restart and replay: what the engine knows is the fold of its journal, and this shows it."""

from dataclasses import dataclass

from seg1.decide import Personalizer, replay
from seg1.decide.replay import Replayed
from seg1.demo.deciding import World, selector_of

__all__ = ["Restart", "restart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """What a restart showed.

    Attributes
    ----------
    is_identical
        Whether the state folded from the file is that of the engine which wrote it, to the bit.
    n_rows, n_learned
        Rows of the journal that were folded, and decisions learned from.
    replayed
        Decisions drawn again.
    """

    is_identical: bool
    n_rows: int
    n_learned: int
    replayed: Replayed


def restart(engine: Personalizer, world: World, *, known: str, seed: int) -> Restart:
    """Compare an engine that was just opened with the one that wrote its file, and replay.

    Parameters
    ----------
    engine
        The engine, opened again.
    known
        `Personalizer.fingerprint` of the engine that was closed.
    seed
        Of the selector that decided.
    """
    return Restart(
        is_identical=engine.fingerprint() == known,
        n_rows=sum(1 for _ in engine.journal.read()),
        n_learned=engine.n_learned,
        replayed=replay(engine.journal, selector_of(world, seed=seed)),
    )
