"""How much a customer's taste speaks for each offer: fitted factors, and what came since."""

from typing import Final

import numpy as np

from seg1._types import Float64s, Id
from seg1.interactions import Interactions
from seg1.interactions.since import Sum, added, merged
from seg1.journal import Observed
from seg1.offers import Offer
from seg1.recommend import ALSModel

__all__ = ["Affinity"]

_WEIGHTS: Final = (1e-30, 1e30)  # of an item in a history: what float32 holds


class Affinity:
    """Affinities of customers to offers under one model, in [-1, 1].

    The affinity to an offer is the predicted preference for its items, on average: about 1 for what
    the customer has again and again, 0 for what the model knows nothing of. So it means the same
    after another fit, which factors do not.

    Parameters
    ----------
    model
        The fitted recommender.
    offers
        The offers, in the order of the catalogue.
    """

    def __init__(self, model: ALSModel, offers: tuple[Offer, ...]) -> None:
        self._model = model
        self._known = model.interactions.customers
        self._offer_ids = tuple(offer.id for offer in offers)
        self._offer_factors = np.zeros((len(offers), model.n_factors))
        for place, offer in enumerate(offers):
            codes = model.items.encode(offer.items, unknown="ignore")
            known = codes[codes >= 0]
            if len(known):
                self._offer_factors[place] = model.item_factors[known].mean(axis=0)

    def knows(self, customer: Id) -> bool:
        """Whether the model was fitted on a history of this customer."""
        return customer in self._known

    def of(self, customer: Id, observed: list[Observed]) -> Float64s:
        """Give a customer's affinity to each offer, float64, shape (n_offers,).

        Observed events that are not later than what the matrix holds are in it: they count once.
        """
        if observed:
            until_us = self._model.interactions.provenance.holds_until_us
            observed = [event for event in observed if event.at_us > until_us]
        factor = self._factor(customer, observed)
        if factor is None:
            return np.zeros(len(self._offer_factors))
        # (n_offers, n_factors) @ (n_factors,) -> (n_offers,)
        affinity: Float64s = self._offer_factors @ factor
        return affinity.clip(-1.0, 1.0, out=affinity)

    def told(self, customer: Id, observed: list[Observed]) -> dict[str, object]:
        """Tell what is held and read of a customer here, as values that JSON can hold.

        The history and the factors are those of the fit; the affinities are those of now.
        """
        model, code = self._model, self._known.find(customer)
        history: list[list[object]] = []
        if code >= 0:
            items, weights = model.interactions.history(code)
            pairs = zip(model.items.decode(items), weights.tolist(), strict=True)
            history = [list(pair) for pair in pairs]
        affinity = zip(self._offer_ids, self.of(customer, observed).tolist(), strict=True)
        return {
            "version": model.version,
            "history": history,
            "factors": model.customer_factors[code].tolist() if code >= 0 else [],
            "affinity": [list(pair) for pair in affinity],
        }

    def _factor(self, customer: Id, observed: list[Observed]) -> Float64s | None:
        code = self._known.find(customer)
        if not observed:
            return None if code < 0 else self._model.customer_factors[code].astype(np.float64)
        history: dict[Id, float] = {}
        if code >= 0:
            items, weights = self._model.interactions.history(code)
            history.update(zip(self._model.items.decode(items), weights.tolist(), strict=True))
        since = _since(observed, self._model.interactions)
        history = merged(history, since, builder=self._model.interactions.builder)
        least, most = _WEIGHTS
        history = {
            item: min(weight, most)
            for item, weight in history.items()
            if weight >= least and item in self._model.items
        }
        return self._model.fold_in(history) if history else None


def _since(observed: list[Observed], interactions: Interactions) -> dict[Id, Sum]:
    """Add up observed events, as the builder of the matrix weighs and combines them."""
    builder, at_us = interactions.builder, interactions.provenance.at_us
    since: dict[Id, Sum] = {}
    for event in observed:
        weight = builder.weigh_one(event.value, kind=event.what, time_us=event.at_us, at_us=at_us)
        if weight > 0:
            old = since.get(event.item)
            since[event.item] = added(old, weight, event.at_us, builder=builder)
    return since
