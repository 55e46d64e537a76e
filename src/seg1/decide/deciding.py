"""One decision, from what is permitted to what is released."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from seg1._types import Bools, Float64s, Id
from seg1.bandit import OfferSelector
from seg1.bandit.context import own_features
from seg1.bandit.customers.effects import effects_of_arms
from seg1.consent import Permits
from seg1.decide.choosing import (
    Chosen,
    Limits,
    choose_arm,
    choose_control,
    choose_fallback,
    choose_nothing,
)
from seg1.decide.core import BIT, Core, has_lost, may_decide, objects
from seg1.decide.decision import Decision
from seg1.decide.eligibility import (
    AudienceFilter,
    ImpersonalFilter,
    OfferFilter,
    Request,
    StaticRules,
    eligible_offers,
)
from seg1.decide.holdout import Holdout
from seg1.decide.rows import Inputs, check_owner, decided_row, show, show_stored
from seg1.journal import Decided
from seg1.offers import Catalogue

if TYPE_CHECKING:
    from seg1.decide.affinity import Affinity

__all__ = ["Deciding"]

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_HOLDOUT: Final = BIT["measure"] | BIT["log"]
_WHY: Final = {
    "personalised": "drawn from the probabilities of the eligible arms",
    "control": "held out: no offer",
    "none": "no offer is allowed",
}


class Deciding:
    """What decides: rules, selector and recommender in force, over the engine's core.

    Attributes
    ----------
    selector, version
        The selector's configuration, and the version of its offers, goal and features. `policy`
        names what else the probabilities follow from.
    affinity, model
        The recommender in force and its version; None and "" without one. Another may be put in
        their place, under the core's lock.
    """

    def __init__(
        self,
        core: Core,
        selector: OfferSelector,
        *,
        catalogue: Catalogue,
        version: str,
        policy: str,
        limits: Limits,
        filters: Sequence[OfferFilter],
        holdout: Holdout | None,
    ) -> None:
        self.selector = selector
        self.version = version
        self.affinity: Affinity | None = None
        self.model = ""
        self._core = core
        self._offers = selector.arms.offers
        self._catalogue = catalogue
        self._policy = policy
        self._limits = limits
        self._static = StaticRules(self._offers, declared=[p.id for p in catalogue.placements])
        has_audience = any(offer.audience is not None for offer in self._offers)
        self._personal: tuple[OfferFilter, ...] = (
            (AudienceFilter(), *filters) if has_audience else tuple(filters)
        )
        self._impersonal: tuple[OfferFilter, ...] = (
            ImpersonalFilter(),
            *(f for f in filters if getattr(f, "impersonal", False) is True),
        )
        self._holdout = holdout
        self._retention_us = core.consent.retention_us("features")

    def decide(self, request: Request, *, decision_id: str) -> Decision:
        """Decide personally where that is permitted, else as the fallback."""
        permits = self._core.ask(request.customer, request.at_us)
        if not may_decide(permits):
            return self._fall_back(request, permits, decision_id=decision_id)
        return self._personally(request, permits, decision_id=decision_id)

    def again(self, request: Request, *, decision_id: str) -> Decision | None:
        """Give what was decided before under an id that the caller has chosen, or None.

        Raises
        ------
        InvalidArgumentError
            For an id that stands for another customer's decision.
        """
        stored = self._core.journal.find(decision_id)
        if stored is None:
            return None
        check_owner(stored, request.customer)
        with self._core.lock:
            if self._core.state.outcomes.status(decision_id) == "voided":
                return None
        return self._show_again(stored, request)

    def _show_again(self, stored: Decided, request: Request) -> Decision:
        """Release a stored decision once more: under the consent of now, not of then."""
        check_owner(stored, request.customer)
        with self._core.stripe(request.customer):
            permits = self._core.ask(request.customer, request.at_us)
            if may_decide(permits):
                released_seq = self._core.next_release()
                return show_stored(stored, request.customer, released_seq=released_seq)
        return self._fall_back(request, permits, decision_id=stored.decision_id)

    def _personally(self, request: Request, permits: Permits, *, decision_id: str) -> Decision:
        """Score, draw, write, and release."""
        request = self._masked(request, permits)
        context = self.selector.schema.encode(request.context)
        eligibility = eligible_offers(
            request, self._offers, self._personal, start=self._static.of(request)
        )
        # Scored, drawn and written under one lock: no counter moves between mask and reservation,
        # so no draw has ever to be thrown away.
        with self._core.lock:
            stored = self._core.state.outcomes.decision(decision_id)
            if stored is None:
                allowed, refused = self._limits.narrow(
                    eligibility, self._core.state.counters, request.customer, at_us=request.at_us
                )
                inputs = self._inputs(request, permits, context)
                chosen = self._choose(request, inputs, decision_id=decision_id, allowed=allowed)
                row = self._write(request, chosen, decision_id=decision_id, inputs=inputs)
        if stored is not None:  # another thread has decided under this id meanwhile
            return self._show_again(stored, request)
        return self._release(request, row, permits, decision_id=decision_id, refused=refused)

    def _masked(self, request: Request, permits: Permits) -> Request:
        """Take away from the context what may not be read: it counts as missing."""
        if not permits.bits & BIT["features"]:
            return replace(request, context=_NOTHING)
        denied = self._core.consent.denied_features(permits)
        if not denied:
            return request
        context = {name: value for name, value in request.context.items() if name not in denied}
        return replace(request, context=context)

    def _inputs(self, request: Request, permits: Permits, context: Float64s) -> Inputs:
        has_draw = self._holdout is not None and permits.bits & _HOLDOUT == _HOLDOUT
        return Inputs(
            context=context,
            affinity=self._affinity_of(request, permits),
            effects=self._effects_of(request, permits, context),
            permits=permits,
            holdout_prob=self._holdout.share if has_draw and self._holdout is not None else 0.0,
            policy=self._policy,
            model=self.model,
            catalogue=self.version,
            state_seq=self._core.state.n_rows,
        )

    def _affinity_of(self, request: Request, permits: Permits) -> Float64s:
        if self.affinity is None:
            return np.zeros(0)
        if not permits.bits & BIT["features"]:
            return np.zeros(len(self._offers))
        observed = self._core.state.observed.get(request.customer, [])
        if self._retention_us is not None:
            observed = [e for e in observed if e.at_us >= request.at_us - self._retention_us]
        return self.affinity.of(request.customer, observed)

    def _effects_of(self, request: Request, permits: Permits, context: Float64s) -> Float64s:
        history = self._core.state.history
        if history is None:
            return np.zeros(0)
        if not permits.bits & BIT["features"]:
            return np.zeros(len(self._offers) + 1)
        return history.effects(request.customer, context)

    def _choose(
        self, request: Request, inputs: Inputs, *, decision_id: str, allowed: Bools
    ) -> Chosen:
        holdout = self._holdout if inputs.holdout_prob else None
        if holdout is not None and holdout.is_control(request.customer):
            return choose_control(self.selector, allowed)
        return choose_arm(
            self.selector,
            self._core.state,
            inputs.context,
            own=own_features(inputs.affinity, self.selector.arms),
            effects=effects_of_arms(inputs.effects, self.selector.arms),
            decision_id=decision_id,
            allowed=allowed,
        )

    def _write(
        self, request: Request, chosen: Chosen, *, decision_id: str, inputs: Inputs
    ) -> Decided:
        row = decided_row(
            request,
            chosen,
            decision_id=decision_id,
            selector=self.selector,
            placement=self._catalogue.placement(request.placement),
            inputs=inputs,
        )
        self._core.append(row)
        return row

    def _release(
        self,
        request: Request,
        row: Decided,
        permits: Permits,
        *,
        decision_id: str,
        refused: Mapping[str, tuple[Id, ...]],
    ) -> Decision:
        """Ask again under the customer's stripe: a withdrawal comes wholly before, or after."""
        with self._core.stripe(request.customer):
            now = self._core.ask(request.customer, request.at_us)
            if not has_lost(permits, now):
                return show(
                    row, request, decision_id=decision_id, reason=_WHY[row.mode], refused=refused,
                    released_seq=self._core.next_release(),
                )  # fmt: skip
        self._core.void(row)
        return self._fall_back(request, now, decision_id=decision_id)

    def _fall_back(self, request: Request, permits: Permits, *, decision_id: str) -> Decision:
        """Decide without anything personal: no context, no history, no rule about the person.

        Who objects to marketing is shown nothing.
        """
        request = replace(request, context=_NOTHING)
        eligibility = eligible_offers(
            replace(request, customer=""),
            self._offers,
            self._impersonal,
            start=self._static.of(request),
        )
        nothing = np.zeros(0)
        with self._core.lock:
            allowed, refused = self._limits.narrow(
                eligibility, self._core.state.counters, None, at_us=request.at_us
            )
            if objects(permits):
                chosen = choose_nothing(self.selector)
            else:
                chosen = choose_fallback(self.selector, decision_id=decision_id, allowed=allowed)
            row = self._write(
                request, chosen, decision_id=decision_id,
                inputs=Inputs(
                    context=nothing, affinity=nothing, effects=nothing, permits=None,
                    holdout_prob=0.0, policy=self._policy, model="", catalogue=self.version,
                    state_seq=self._core.state.n_rows,
                ),
            )  # fmt: skip
        return show(
            row, request, decision_id=decision_id,
            reason=f"consent: {self._core.why_not(request.customer, permits)}", refused=refused,
            released_seq=self._core.next_release(),
        )  # fmt: skip
