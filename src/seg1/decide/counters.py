"""Stock, budgets and contact caps: counted, reserved, confirmed, released. A fold of the journal.

A decision reserves what its acceptance would use up. An acceptance confirms it; a window that
closes without one, or a decision that is taken back, releases it. So stock can never be oversold,
and a restart counts the same from the same rows.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from seg1._checks import DAY_US, check_int, check_number
from seg1._types import Bools, Id
from seg1.journal import Answered, Correction, Decided
from seg1.offers import Offer
from seg1.offers.offer import check_days

__all__ = ["Budget", "Counters", "FrequencyCap"]

_ROUNDING: Final = 1e-9  # as a share of a budget
_N_SPARE_CONTACTS: Final = 16  # as many may be taken back at once


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most so many offers to one customer in any so many days.

    Contacts are counted where a log is permitted: without one nobody's contacts are written down.

    Parameters
    ----------
    contacts
        How many, >= 1.
    days
        In how many days, > 0, at most 36,525.

    Examples
    --------
    >>> FrequencyCap(3, days=7)
    FrequencyCap(contacts=3, days=7)
    """

    contacts: int
    days: float = field(kw_only=True)

    def __post_init__(self) -> None:
        check_int(self.contacts, name="contacts", low=1)
        check_days(self.days, name="days")

    @property
    def name(self) -> str:
        """Name under which refusals are told."""
        return f"at most {self.contacts} in {self.days:g} days"


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so much cost of acceptances, over all offers of the catalogue.

    Parameters
    ----------
    amount
        In the currency of the offers' costs, > 0.

    Examples
    --------
    >>> Budget(500.0).name
    'budget'
    """

    amount: float

    def __post_init__(self) -> None:
        check_number(self.amount, name="amount", above=0)

    @property
    def name(self) -> str:
        """Name under which refusals are told."""
        return "budget"


class Counters:
    """What is reserved and used up, and who was contacted when. Changes in place, by its owner.

    Parameters
    ----------
    offers
        The offers, in the order of the catalogue.
    caps
        The caps that will be asked about; of each customer as many contacts are remembered as
        these need.
    """

    def __init__(self, offers: tuple[Offer, ...], *, caps: Sequence[FrequencyCap] = ()) -> None:
        self.offers = offers
        self._place = {_key(offer.id): place for place, offer in enumerate(offers)}
        self._cost = np.array([offer.cost for offer in offers])
        self._highest_cost = max(offer.cost for offer in offers)
        # Whole numbers; float64, because their product with the costs is then quick.
        self._stock = np.array([np.inf if o.stock is None else o.stock for o in offers])
        self._held = np.zeros(len(offers))  # reserved or used up
        self._n_out = int(np.count_nonzero(self._stock <= 0))
        self._contacts: dict[Id, list[int]] = {}  # ascending
        most = max((cap.contacts for cap in caps), default=0)
        self._n_remembered = most + _N_SPARE_CONTACTS if most else 0
        self._reserved: set[str] = set()

    @property
    def held(self) -> tuple[int, ...]:
        """How many of each offer are reserved or used up."""
        return tuple(int(n) for n in self._held)

    @property
    def spent(self) -> float:
        """Cost of all that is reserved or used up."""
        # From the counts: a sum that is added to and taken from drifts.
        return float(self._held @ self._cost)

    def told(self) -> Iterator[object]:
        """Tell all that is counted, as values that compare to the last bit."""
        yield self.held
        yield sorted(self._reserved)
        yield sorted((repr(who), at) for who, at in self._contacts.items() if at)

    def in_stock(self) -> Bools | None:
        """Say of each offer whether another acceptance can be served; None where of all."""
        return self._held < self._stock if self._n_out else None

    def within(self, budget: Budget) -> Bools | None:
        """Say of each offer whether a budget has room for it; None where of all."""
        limit, spent = budget.amount * (1.0 + _ROUNDING), self.spent
        if spent + self._highest_cost <= limit:
            return None
        affordable: Bools = (spent + self._cost <= limit) | (self._cost == 0.0)
        return affordable

    def is_capped(self, customer: Id, cap: FrequencyCap, *, at_us: int) -> bool:
        """Say whether a customer has had as many contacts as a cap allows.

        Contacts later than `at_us` count too, so that calls out of order do not slip through.
        """
        contacts = self._contacts.get(customer, ())
        first = bisect_right(contacts, at_us - round(cap.days * DAY_US))
        return len(contacts) - first >= cap.contacts

    def contacts_of(self, customer: Id) -> list[int]:
        """Give when a customer was contacted, as far back as the caps need, ascending."""
        return list(self._contacts.get(customer, ()))

    def reserve(self, row: Decided) -> None:
        """Hold back what a decision's acceptance would use up, and note the contact."""
        if row.offer is None:
            return
        self._hold(row, 1)
        self._reserved.add(row.decision_id)
        if row.customer is not None and self._n_remembered:
            contacts = self._contacts.setdefault(row.customer, [])
            insort(contacts, row.at_us)
            del contacts[: -self._n_remembered]

    def void(self, row: Decided) -> None:
        """Undo a reservation and a contact: the decision never happened."""
        if row.offer is None:
            return
        if row.decision_id in self._reserved:
            self._reserved.discard(row.decision_id)
            self._hold(row, -1)
        if row.customer is not None and row.at_us in self._contacts.get(row.customer, ()):
            self._contacts[row.customer].remove(row.at_us)

    def settle(self, answered: Answered) -> None:
        """Keep what was accepted, and release what was not; the contact stays."""
        row = answered.decided
        if row.decision_id in self._reserved:
            self._reserved.discard(row.decision_id)
            # Where no answer can come, or none may be kept, what it held stays used up.
            is_silent = row.customer is None or answered.is_withheld
            if not answered.accepted and not is_silent:
                self._hold(row, -1)

    def correct(self, change: Correction) -> None:
        """Use up what was accepted after all, or release what was not; it has been settled."""
        if change.after.decided.offer is not None:
            n = bool(change.after.accepted) - bool(change.before.accepted)
            self._hold(change.after.decided, n)

    def _hold(self, row: Decided, n: int) -> None:
        place = self._place.get(_key(row.offer))
        if place is not None:  # an offer of an earlier catalogue has no place any more
            was_out = self._held[place] >= self._stock[place]
            self._held[place] += n
            self._n_out += int(self._held[place] >= self._stock[place]) - int(was_out)


def _key(offer_id: Id | None) -> tuple[type, Id | None]:
    return type(offer_id), offer_id
