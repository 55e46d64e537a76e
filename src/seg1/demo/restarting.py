"""Restart and replay: what the engine knows is the fold of its journal, and this shows it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from seg1.decide import Personalizer, replay
from seg1.decide.replay import Replayed
from seg1.demo.deciding import CAP, World, selector_of
from seg1.journal import Decided

__all__ = ["Restart", "fingerprint", "restart"]


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
        `fingerprint` of the engine that was closed.
    seed
        Of the selector that decided.
    """
    return Restart(
        is_identical=fingerprint(engine, world) == known,
        n_rows=sum(1 for _ in engine.journal.read()),
        n_learned=engine.n_learned,
        replayed=replay(engine.journal, selector_of(world, seed=seed)),
    )


def fingerprint(engine: Personalizer, world: World) -> str:
    """Name all that an engine knows by a hash: equal where the states are equal to the bit.

    Sums of the posterior, counters, the answer to each decision, and who is capped at the end.
    """
    digest = hashlib.sha256()
    for part in _known(engine, world):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _known(engine: Personalizer, world: World) -> Iterator[bytes]:
    state = engine._core.state  # noqa: SLF001  # a proof looks inside; no public name shows it all
    for name, array in sorted(state.posterior.to_arrays().items()):
        yield f"{name} {array.dtype} {array.shape}".encode() + array.tobytes()
    yield repr((state.n_rows, state.n_learned, state.catalogue_in_force)).encode()
    yield repr((state.counters.held, state.counters.spent, state.outcomes.now_us)).encode()
    for _, row in engine.journal.read():
        if isinstance(row, Decided):
            id_ = row.decision_id
            answer = state.outcomes.answer_of(id_, "accepted")
            yield repr((state.outcomes.status(id_), answer)).encode()
    for household in sorted({str(contact.household) for contact in world.contacts}):
        yield repr(state.counters.is_capped(int(household), CAP, at_us=world.end_us)).encode()
