"""A small engine that the tests of this room share: three offers, a ledger, a journal in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike

from seg1 import Consent, ConsentLedger, ConsentNotNeeded, ContextSchema, Goal, Offer, OfferSelector
from seg1._types import Id
from seg1.bandit import PartialPooling, ThompsonSampling
from seg1.decide import (
    Budget,
    Decision,
    EarlyAnswers,
    FrequencyCap,
    Holdout,
    OfferFilter,
    Personalizer,
)
from seg1.decide.state import State
from seg1.journal import Decided, Erased, Journal, MemoryJournal, Row
from seg1.offers import Placement
from seg1.recommend import ALSModel

DAY = 86_400 * 1_000_000
T0 = 1_700_000_000 * 1_000_000
ANYONE = ConsentNotNeeded("made up")
PURPOSES = ("profiling", "offers", "measurement")
SCHEMA = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app", "till"]})
TEA, CAKE, WINE = Offer("tea"), Offer("cake", cost=0.5), Offer("wine", cost=2.0)
OFFERS = (TEA, CAKE, WINE)
CONTEXT = {"hour": 9.0, "channel": "app"}


def ledger_of(*customers: Id, purposes: Sequence[str] = PURPOSES) -> ConsentLedger:
    ledger = ConsentLedger()
    for customer in customers:
        ledger.grant(customer, purposes, at=T0 - DAY, until=T0 + 1_000 * DAY)
    return ledger


def consent_of(ledger: ConsentLedger) -> Consent:
    return Consent.for_purposes(ledger, train=PURPOSES[0], decide=PURPOSES[1], measure=PURPOSES[2])


def without(stage: str, ledger: ConsentLedger) -> Consent:
    """A policy in which everything but one stage is permitted to whom the ledger knows."""
    stages = ("ingest", "train", "candidates", "features", "decide", "log", "measure")
    return Consent({("offers", s): ledger for s in stages if s != stage})


def selector_of(
    offers: Sequence[Offer] = OFFERS, *, goal: Goal | None = None, no_offer: bool = True
) -> OfferSelector:
    return OfferSelector(
        offers,
        context=SCHEMA,
        goal=goal or Goal.response(),
        explorer=ThompsonSampling(scale=0.5, optimism=0),  # so that a few contacts try every arm
        seed=3,
        no_offer=no_offer,
    )


def engine_of(
    offers: Sequence[Offer] = OFFERS,
    *,
    consent: Consent | ConsentNotNeeded = ANYONE,
    journal: Journal | str | PathLike[str] | None = None,
    selector: OfferSelector | None = None,
    filters: Sequence[OfferFilter | FrequencyCap | Budget] = (),
    holdout: Holdout | None = None,
    placements: Sequence[Placement] = (),
    recommender: ALSModel | None = None,
    history: PartialPooling | None = None,
    segment: str | None = None,
    delay_model: EarlyAnswers | None = None,
) -> Personalizer:
    return Personalizer(
        selector or selector_of(offers),
        consent=consent,
        journal=MemoryJournal() if journal is None else journal,
        filters=filters,
        holdout=holdout,
        placements=placements,
        recommender=recommender,
        history=history,
        segment=segment,
        delay_model=delay_model,
    )


def decide(
    engine: Personalizer, customer: Id = 1, *, at: int = T0, key: str | None = None
) -> Decision:
    return engine.decide(customer, placement="app", context=CONTEXT, at=at, id=key)


def rows_of(engine: Personalizer) -> list[Row]:
    return [row for _, row in engine.journal.read()]


def decided_rows(engine: Personalizer) -> list[Decided]:
    return [row for row in rows_of(engine) if isinstance(row, Decided)]


def state_of(engine: Personalizer) -> State:
    return engine._core.state


def told_state(state: State, *, is_counting_rows: bool = True) -> dict[str, object]:
    """All that a state knows, as values that compare to the last bit."""
    arrays = state.posterior.to_arrays()
    outcomes, counters, history = state.outcomes, state.counters, state.history
    pooled = {} if history is None else history.to_arrays()
    return {
        "posterior": {name: (array.dtype, array.tobytes()) for name, array in arrays.items()},
        "history": {name: (array.dtype, array.tobytes()) for name, array in pooled.items()},
        "of_customers": None if history is None else history.told(),
        "held": counters.held,
        "spent": counters.spent,
        "contacts": {customer: at for customer, at in counters._contacts.items() if at},
        "reserved": counters._reserved,
        "open": outcomes._open,
        "closed": outcomes._closed,
        "voided": outcomes._voided,
        "now_us": outcomes.now_us,
        "observed": state.observed,
        "n_learned": state.n_learned,
        "catalogue": state.catalogue_in_force,
        "n_rows": state.n_rows if is_counting_rows else 0,
    }


class HookedJournal:
    """A journal that calls somebody right after a decision was written, before its release."""

    def __init__(self, journal: Journal, hook: Callable[[Decided], None]) -> None:
        self._journal = journal
        self.hook = hook

    @property
    def journal_id(self) -> str:
        return self._journal.journal_id

    def append(self, row: Row) -> int:
        seq = self._journal.append(row)
        if isinstance(row, Decided):
            self.hook(row)
        return seq

    def read(self, after: int = 0) -> Iterator[tuple[int, Row]]:
        return self._journal.read(after)

    def find(self, decision_id: str) -> Decided | None:
        return self._journal.find(decision_id)

    def erase(self, customer: Id, *, at_us: int) -> int:
        return self._journal.erase(customer, at_us=at_us)

    def close(self) -> None:
        self._journal.close()


def without_erased(rows: Sequence[Row]) -> list[Row]:
    return [replace(row, n_rows=0) if isinstance(row, Erased) else row for row in rows]
