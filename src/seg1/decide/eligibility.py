"""Which offers may be shown, and why the others may not: filters, asked in order."""

import logging
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, Protocol, runtime_checkable

import numpy as np

from seg1._types import Bools, Id
from seg1.errors import InvalidTypeError, PluginError
from seg1.offers import Offer

__all__ = [
    "AudienceFilter",
    "Eligibility",
    "ImpersonalFilter",
    "OfferFilter",
    "PlacementFilter",
    "Request",
    "StaticRules",
    "ValidityFilter",
    "also_refused",
    "check_filter",
    "eligible_offers",
]

log = logging.getLogger(__name__)

_NEARLY: Final = 0.8  # of the letters of a placement, in their order
_MOST_LOOKED_AT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Request:
    """What a decision is asked for.

    Attributes
    ----------
    customer, placement, at_us
        For whom, where, and when (microseconds UTC).
    context
        The features that consent permits, as given.
    """

    customer: Id
    placement: str
    at_us: int
    context: Mapping[str, object] = field(default_factory=dict)


@runtime_checkable
class OfferFilter(Protocol):
    """A rule of the service's own; nothing of seg1 needs importing to write one.

    A filter that raises refuses all offers. The fallback, for whom nothing personal may be read,
    asks only those with ``impersonal = True``, with an empty context and "" for the customer.

    Examples
    --------
    >>> import numpy as np
    >>> class NoAlcoholBeforeNoon:
    ...     name = "no alcohol before noon"
    ...     impersonal = True
    ...
    ...     def allow(self, request, offers):
    ...         is_late = request.at_us // 3_600_000_000 % 24 >= 12
    ...         return np.array([is_late or offer.group != "alcohol" for offer in offers])
    >>> request = Request(customer=7, placement="app", at_us=9 * 3_600_000_000)
    >>> NoAlcoholBeforeNoon().allow(request, [Offer("tea"), Offer("wine", group="alcohol")])
    array([ True, False])
    """

    @property
    def name(self) -> str:
        """A short name, under which refusals are told."""
        ...

    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:
        """Say of each offer whether it may be shown: bool, shape (n_offers,)."""
        ...


class ValidityFilter:
    """Offers are shown in [valid_from, valid_until) only."""

    name = "validity"

    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:
        """Compare the moment with each offer's validity."""
        spans = (offer.valid_us for offer in offers)
        return _mask(start <= request.at_us < end for start, end in spans)


class PlacementFilter:
    """Offers stand in their own placements only."""

    name = "placement"

    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:
        """Look for the placement in each offer's."""
        return _mask(o.placements is None or request.placement in o.placements for o in offers)


class AudienceFilter:
    """Asks the personal rule of each offer that has one; a rule that fails refuses."""

    name = "audience"

    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:
        """Ask each offer's audience."""
        return _mask(_is_in_audience(offer, request) for offer in offers)


class ImpersonalFilter:
    """Offers with a personal rule are not for whom nothing personal may be read."""

    name = "audience"

    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:  # noqa: ARG002  # the contract's
        """Refuse each offer that has an audience."""
        return _mask(offer.audience is None for offer in offers)


def _is_in_audience(offer: Offer, request: Request) -> bool:
    if offer.audience is None:
        return True
    try:
        answer = offer.audience(request.customer, request.context)
    except Exception as error:  # noqa: BLE001  # fail closed: a rule may raise anything
        kind = type(error).__name__
        log.warning("the audience of offer %r failed (%s): it is not shown", offer.id, kind)
        return False
    return isinstance(answer, bool | np.bool_) and bool(answer)


def _mask(values: Iterable[bool]) -> Bools:
    return np.fromiter(values, dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Eligibility:
    """Which offers are left, and which filter refused which.

    Attributes
    ----------
    allowed
        bool, shape (n_offers,).
    refused
        Filter name to the ids of the offers it was the first to refuse.
    """

    allowed: Bools
    refused: Mapping[str, tuple[Id, ...]]


class StaticRules:
    """Validity and placement, worked out once for each placement and span between validity edges.

    Parameters
    ----------
    offers
        The offers, in the order of the catalogue.
    declared
        Placements that are known beside those that offers name.
    """

    def __init__(self, offers: Sequence[Offer], *, declared: Iterable[str] = ()) -> None:
        self._offers = offers
        self._edges = sorted({edge for offer in offers for edge in offer.valid_us})
        self._named = frozenset(name for offer in offers for name in offer.placements or ())
        self._looked_at = {*self._named, *declared}
        self._names = tuple(sorted(self._looked_at))
        self._known: dict[tuple[int, str | None], Eligibility] = {}

    def of(self, request: Request) -> Eligibility:
        """Say what these two rules leave."""
        # Placements that no offer names are alike: so there are only so many keys.
        placement = request.placement if request.placement in self._named else None
        if placement is None and request.placement not in self._looked_at:
            self._look_at(request.placement)
        key = (bisect_right(self._edges, request.at_us), placement)
        known = self._known.get(key)
        if known is None:
            known = eligible_offers(request, self._offers, _STATIC)
            self._known[key] = known
        return known

    def _look_at(self, placement: str) -> None:
        """Log, once, a placement that is written nearly as a known one."""
        if len(self._looked_at) >= _MOST_LOOKED_AT:
            return
        self._looked_at.add(placement)
        for near in get_close_matches(placement, self._names, n=1, cutoff=_NEARLY):
            log.warning(
                "placement %r is not declared, and %r is: it has the default windows, and only the "
                "offers that stand in every placement",
                placement,
                near,
            )


def eligible_offers(
    request: Request,
    offers: Sequence[Offer],
    filters: Sequence[OfferFilter],
    *,
    start: Eligibility | None = None,
) -> Eligibility:
    """Ask all filters; an offer is left where none refuses it.

    Parameters
    ----------
    request
        What is asked for.
    offers
        The offers, in the order of the catalogue.
    filters
        Asked in order; one that raises refuses all offers.
    start
        What earlier rules left; None for everything.

    Raises
    ------
    PluginError
        For an answer that is no bool array of shape (n_offers,); names the filter.
    """
    allowed = np.ones(len(offers), dtype=np.bool_) if start is None else start.allowed
    refused = {} if start is None else dict(start.refused)
    for offer_filter in filters:
        answer = _asked(offer_filter, request, offers)
        newly = np.flatnonzero(allowed & ~answer).tolist()
        if newly:
            also_refused(refused, offer_filter.name, [offers[place].id for place in newly])
            allowed = allowed & answer
    return Eligibility(allowed, refused)


def _asked(offer_filter: OfferFilter, request: Request, offers: Sequence[Offer]) -> Bools:
    try:
        answer = offer_filter.allow(request, offers)
    except Exception as error:  # noqa: BLE001  # fail closed: a rule may raise anything
        name, kind = offer_filter.name, type(error).__name__
        log.warning("offer filter %r failed (%s): it refuses all offers", name, kind)
        return np.zeros(len(offers), dtype=np.bool_)
    if (
        not isinstance(answer, np.ndarray)
        or answer.dtype != np.bool_
        or answer.shape != (len(offers),)
    ):
        raise PluginError(
            f"offer filter {offer_filter.name!r} must answer with a bool array of shape "
            f"({len(offers)},)"
        )
    return answer


def also_refused(refused: dict[str, tuple[Id, ...]], name: str, ids: Sequence[Id]) -> None:
    """Note ids under a rule's name, behind those of another rule of that name."""
    refused[name] = (*refused.get(name, ()), *ids)


def check_filter(offer_filter: OfferFilter) -> OfferFilter:
    """Accept a filter; say what is missing where it is something else."""
    if isinstance(offer_filter, type) or not isinstance(offer_filter, OfferFilter):
        kind = type(offer_filter).__name__
        raise InvalidTypeError(
            "filters must be FrequencyCap, Budget, or have a name and allow(request, offers); "
            f"got {offer_filter.__name__ if isinstance(offer_filter, type) else kind}"
        )
    if not isinstance(offer_filter.name, str) or not offer_filter.name:
        raise InvalidTypeError("the name of an offer filter must be a non-empty str")
    return offer_filter


_STATIC: Final[tuple[OfferFilter, ...]] = (ValidityFilter(), PlacementFilter())
