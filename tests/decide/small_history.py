"""An engine that keeps response histories, and what the tests of it ask."""

from typing import Any

import numpy as np
from small_engine import (
    DAY,
    T0,
    engine_of,
    selector_of,
    state_of,
)  # fmt: skip

from seg1._types import Float64s, Id
from seg1.bandit import PartialPooling
from seg1.decide import Decision, Personalizer
from seg1.decide.history import ResponseHistory
from seg1.journal import Decided, Journal

POOLING = PartialPooling()
WINDOW = 7 * DAY
LATER = T0 + 40 * DAY


def visit(
    engine: Personalizer,
    customer: Id,
    *,
    at: int,
    likes: Id | None = None,
    channel: str = "app",
    key: str | None = None,
) -> Decision:
    """Decide, show, and answer: accepted where it is what the customer likes."""
    context = {"hour": 9.0, "channel": channel}
    key = key or f"{customer!r}-{at}-{channel}"  # draws are keyed: they come out the same each time
    d = engine.decide(customer, placement="app", context=context, at=at, id=key)
    if d.logged and d.mode == "personalised":
        engine.exposed(d.id, at=at)
        if d.offer is not None and d.offer == likes:
            engine.outcome(d.id, accepted=True, at=at + 1)
    return d


def liked_by(customer: int) -> str:
    return "tea" if customer % 2 else "cake"


def lively(journal: Journal | None = None, **settings: object) -> Personalizer:
    """An engine that has seen twenty customers, of two tastes, for a month."""
    given: dict[str, object] = {"history": POOLING, "segment": "channel", **settings}
    engine = engine_of(journal=journal, selector=selector_of(no_offer=False), **given)  # type: ignore[arg-type]  # passed on
    for n in range(400):
        customer = n % 20
        visit(engine, customer, at=T0 + n * DAY // 13, likes=liked_by(customer), key=f"visit-{n}")
    return engine


def effects_in(row: Decided) -> Float64s:
    return np.frombuffer(row.effects)


def history_in(engine: Personalizer) -> ResponseHistory:
    history = state_of(engine).history
    assert history is not None
    return history


def n_held(engine: Personalizer, customer: Id) -> int:
    return sum(held["n_rows"] for held in answers_of(engine, customer))


def answers_of(engine: Personalizer, customer: Id) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = history_in(engine).told_of(customer, set())["answers"]
    return told


def let_close(engine: Personalizer, at: int = LATER) -> None:
    engine.observe(99, item="milk", at=at)


def reopened(journal: Journal, **settings: object) -> Personalizer:
    given: dict[str, object] = {"history": POOLING, "segment": "channel", **settings}
    return engine_of(journal=journal, selector=selector_of(no_offer=False), **given)  # type: ignore[arg-type]  # passed on
