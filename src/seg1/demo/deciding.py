"""One run of the engine over the contacts: decide, show, wait for the simulated answer, learn."""

import heapq
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Final

import numpy as np

from seg1._types import Bools, Float64s, Id, Int64s
from seg1.bandit import Explorer, OfferSelector, ThompsonSampling
from seg1.consent import ConsentDoor
from seg1.decide import Budget, Decision, FrequencyCap, Holdout, Personalizer
from seg1.demo.campaigns import count_campaigns
from seg1.demo.contacts import SCHEMA, Contact, list_contacts
from seg1.demo.simulator import Simulator, rates_of
from seg1.demo.story import Models, Shop
from seg1.journal import Journal
from seg1.offers import Goal, Offer, Placement
from seg1.recommend import ALSModel

__all__ = [
    "BUDGET",
    "CAP",
    "COST",
    "FLOOR",
    "HOLDOUT",
    "PLACEMENT",
    "Run",
    "World",
    "live",
    "open_engine",
    "open_world",
    "selector_of",
]

PLACEMENT: Final = Placement("visit", outcome_days=3)  # a coupon is good for three days
FLOOR: Final = 0.2  # large, so that the log can judge other policies
COST: Final = 1.0  # of a redemption: what a coupon took off is not in the extract
CAP: Final = FrequencyCap(2, days=14)
BUDGET: Final = Budget(1_200.0)
HOLDOUT: Final = Holdout(0.08, key=b"known to all: a service keeps its own secret")
_MOST_CONTACTS: Final = 3_000
_SEEN_AFTER_US: Final = 60 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """What all runs have in common.

    Attributes
    ----------
    offers
        One for each campaign.
    contacts
        In time order.
    rates
        The simulated truth, which no policy sees: how likely a household of a segment redeems an
        offer, float64, shape (n_offers, n_segments).
    n_mailed, n_redeemed
        How many real mailings and redemptions stand behind the rates.
    consent, recommender
        As for the engine.
    """

    offers: tuple[Offer, ...]
    contacts: tuple[Contact, ...]
    rates: Float64s
    n_mailed: int
    n_redeemed: int
    consent: ConsentDoor
    recommender: ALSModel

    @property
    def end_us(self) -> int:
        """A moment at which every window has closed, microseconds UTC."""
        return self.contacts[-1].at_us + PLACEMENT.outcome_us + 1


def open_world(shop: Shop, models: Models) -> World:
    """Make offers of the campaigns, and contacts of the visits after the split."""
    campaigns = count_campaigns(shop.extract, split_us=shop.now_us)
    return World(
        offers=tuple(
            Offer(f"campaign {campaign}", items=items, cost=COST)
            for campaign, items in zip(campaigns.ids, campaigns.items, strict=True)
        ),
        contacts=list_contacts(
            shop.extract,
            segment_of=campaigns.segment_of,
            from_us=shop.now_us,
            most=_MOST_CONTACTS,
        ),
        rates=rates_of(campaigns.n_mailed, campaigns.n_redeemed),
        n_mailed=int(campaigns.n_mailed.sum()),
        n_redeemed=int(campaigns.n_redeemed.sum()),
        consent=shop.consent,
        recommender=models.als,
    )


def selector_of(
    world: World,
    *,
    seed: int,
    explorer: Explorer = ThompsonSampling(),  # noqa: B008  # frozen
    floor: float = FLOOR,
) -> OfferSelector:
    """Give the selector of a run: every redemption is worth 1."""
    return OfferSelector(
        world.offers,
        context=SCHEMA,
        goal=Goal.response(),
        explorer=explorer,
        floor=floor,
        seed=seed,
    )


def open_engine(
    world: World, selector: OfferSelector, *, journal: Journal | str | PathLike[str]
) -> Personalizer:
    """Open the engine with all its rules, on a new journal or on one that it goes on with."""
    return Personalizer(
        selector,
        consent=world.consent,
        recommender=world.recommender,
        filters=[CAP, BUDGET],
        holdout=HOLDOUT,
        journal=journal,
        placements=[PLACEMENT],
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What was decided at every contact, in time order.

    Attributes
    ----------
    offer
        Position of the offer that was shown, -1 for none; int64, shape (n_contacts,).
    eligible
        Which offers no rule refused, bool, shape (n_contacts, n_offers).
    segment
        Of the household, int64, shape (n_contacts,).
    is_personal
        Whether the decision was drawn for the household, bool, shape (n_contacts,).
    decide_us
        How long each decision took, microseconds, float64, shape (n_contacts,).
    modes, refused
        Mode to contacts; name of a rule to contacts at which it refused an offer.
    redeemed
        Households' simulated redemptions.
    """

    offer: Int64s
    eligible: Bools
    segment: Int64s
    is_personal: Bools
    decide_us: Float64s
    modes: Mapping[str, int]
    refused: Mapping[str, int]
    redeemed: Mapping[Id, int]

    @property
    def n_redeemed(self) -> int:
        """Count the simulated redemptions."""
        return sum(self.redeemed.values())


def live(engine: Personalizer, world: World, *, seed: int) -> Run:
    """Let the households come, see and redeem, in time order; the engine learns meanwhile.

    A personal decision is shown a minute later. Its redemption, where the simulator has one, is
    reported up to two days later; a coupon that nobody redeems is not reported at all.
    """
    street = _Street(engine, Simulator(rates=world.rates, seed=seed), world.offers)
    decisions, decide_us = [], []
    for contact in world.contacts:
        street.report_until(contact.at_us)
        started = time.perf_counter()
        decision = engine.decide(
            contact.household,
            placement=PLACEMENT.id,
            context=contact.context,
            at=contact.at_us,
            id=contact.id,
        )
        decide_us.append((time.perf_counter() - started) * 1e6)
        decisions.append(decision)
        street.show(decision, contact)
    street.report_until(world.end_us)
    return _run_of(decisions, world, decide_us=decide_us, redeemed=street.redeemed)


@dataclass(slots=True)
class _Street:
    """What happens between the decisions: exposures and redemptions that are due at their time."""

    engine: Personalizer
    simulator: Simulator
    offers: tuple[Offer, ...]
    redeemed: Counter[Id] = field(default_factory=Counter)
    _due: list[tuple[int, bool, str]] = field(default_factory=list)  # at, is a redemption, id

    def show(self, decision: Decision, contact: Contact) -> None:
        """Note when the customer will see a decision, and whether they will redeem."""
        if decision.mode != "personalised" or decision.offer is None:
            return
        seen_us = contact.at_us + _SEEN_AFTER_US
        heapq.heappush(self._due, (seen_us, False, decision.id))
        campaign = _position(decision.offer, self.offers)
        if self.simulator.redeems(decision.id, campaign=campaign, segment=contact.segment):
            answered_us = seen_us + self.simulator.wait_us(decision.id)
            heapq.heappush(self._due, (answered_us, True, decision.id))
            self.redeemed[contact.household] += 1

    def report_until(self, at_us: int) -> None:
        """Report what is due."""
        while self._due and self._due[0][0] <= at_us:
            due_us, is_redemption, decision_id = heapq.heappop(self._due)
            if is_redemption:
                self.engine.outcome(decision_id, accepted=True, at=due_us)
            else:
                self.engine.exposed(decision_id, at=due_us)


def _position(offer_id: Id, offers: tuple[Offer, ...]) -> int:
    return next(place for place, offer in enumerate(offers) if offer.id == offer_id)


def _run_of(
    decisions: list[Decision], world: World, *, decide_us: list[float], redeemed: Mapping[Id, int]
) -> Run:
    place_of: dict[Id | None, int] = {offer.id: place for place, offer in enumerate(world.offers)}
    eligible = np.ones((len(decisions), len(world.offers)), dtype=np.bool_)
    refused: Counter[str] = Counter()
    for row, decision in enumerate(decisions):
        refused.update(decision.refused.keys())
        for ids in decision.refused.values():
            eligible[row, [place_of[id_] for id_ in ids]] = False
    return Run(
        offer=np.array([place_of.get(decision.offer, -1) for decision in decisions]),
        eligible=eligible,
        segment=np.array([contact.segment for contact in world.contacts]),
        is_personal=np.array([decision.mode == "personalised" for decision in decisions]),
        decide_us=np.array(decide_us),
        modes=Counter(decision.mode for decision in decisions),
        refused=refused,
        redeemed=redeemed,
    )
