"""A small made-up shop that the tests of this room share."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg1 import Consent, ConsentNotNeeded, Events, InteractionMatrixBuilder
from seg1._types import Id
from seg1.consent import Ask, Customers
from seg1.interactions import Interactions

ANYONE = ConsentNotNeeded("made up")
NOBODY = Consent({})


class Permitting:
    """A filter that permits some customers, and refuses all others."""

    name = "permitting"

    def __init__(self, permitted: Collection[Id]) -> None:
        self.permitted = permitted

    def check(self, customers: Customers, ask: Ask) -> NDArray[np.int8]:  # noqa: ARG002
        return np.array([1 if i in self.permitted else -1 for i in customers.ids()], np.int8)


def permitting(*permitted: Id) -> Consent:
    return Consent({("offers", "candidates"): Permitting(permitted)})


def interactions_of(
    pairs: Collection[tuple[Id, Id]], *, values: Collection[float] | None = None
) -> Interactions:
    table: dict[str, Any] = {
        "customer": [customer for customer, _ in pairs],
        "item": [item for _, item in pairs],
        "time": [0] * len(pairs),
        "value": [1.0] * len(pairs) if values is None else list(values),
    }
    events = Events.from_table(table, value="value")
    return InteractionMatrixBuilder(transform="identity").build(events, consent=ANYONE, at=0)


def interactions_of_every_length(seed: int, *, n_items: int, longest: int) -> Interactions:
    """Customer n has n items, for n from 1 to `longest`."""
    rng = np.random.default_rng(seed)
    pairs: list[tuple[Id, Id]] = [
        (customer, f"item-{item}")
        for customer in range(1, longest + 1)
        for item in rng.choice(n_items, customer, replace=False).tolist()
    ]
    return interactions_of(pairs, values=rng.uniform(0.1, 5.0, len(pairs)).tolist())


def random_interactions(
    seed: int, *, n_customers: int = 40, n_items: int = 25, n_events: int = 400
) -> Interactions:
    """Customers are 0, 1, ...; items "item-0", "item-1", ...; the first of each are popular."""
    rng = np.random.default_rng(seed)
    customers = (rng.random(n_events) ** 2 * n_customers).astype(int).tolist()
    items = (rng.random(n_events) ** 2 * n_items).astype(int).tolist()
    pairs: list[tuple[Id, Id]] = [
        (customer, f"item-{item}") for customer, item in zip(customers, items, strict=True)
    ]
    return interactions_of(pairs, values=rng.uniform(0.1, 5.0, n_events).tolist())
