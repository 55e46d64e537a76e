"""What learning before a window closes gains: the engine and its fold. Run by `regret_more.py`."""

import heapq
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

import seg1
from regret_play import WINDOW_US, goal_of, offers_of, schema_of
from seg1.decide import EarlyAnswers
from seg1.decide.state import State
from seg1.journal import Decided, MemoryJournal, Outcome
from seg1.offers import Placement
from seg1.testing import worlds
from seg1.testing.worlds import World

__all__ = ["WINDOW_DAYS", "early_bias_pct", "engine_share", "even_arms"]

WINDOW_DAYS: Final = {"delayed": 7, "newarm": 28, "drift": 28}
"""Windows of the worlds in which an engine that waits is held against one that does not."""

_DAY_US: Final = 86_400 * 1_000_000


def even_arms(world: World, *, seed: int) -> list[int]:
    """Draw an arm for each round, evenly."""
    arms: list[int] = (
        np.random.default_rng([seed, 3]).integers(world.n_arms, size=world.n_rounds).tolist()
    )
    return arms


def _delays_of(world: World) -> NDArray[np.int64]:
    if world.delay_us is None:
        raise RuntimeError("answers of this world are not delayed")
    return world.delay_us


def early_bias_pct(world: World, *, seed: int) -> float:
    """Fold even draws and their answers as an engine does; give the bias in percent.

    Each round is predicted by what is known before it, from the 15th day on.
    """
    selector, names = _selector_of(world, seed=seed)
    state = State(
        selector, catalogue="c", n_features=selector.schema.n_features, delay_model=EarlyAnswers()
    )
    delays = _delays_of(world)
    truth = world.means * (delays <= WINDOW_US).mean()
    begin_us = int(world.at_us[0]) + 14 * _DAY_US
    coming: list[tuple[int, str]] = []
    wrong, whole = 0.0, 0.0
    for t, arm in enumerate(even_arms(world, seed=seed)):
        at_us = int(world.at_us[t])
        while coming and coming[0][0] <= at_us:
            answered_us, name = heapq.heappop(coming)
            state.fold(Outcome(decision_id=name, at_us=answered_us, what="accepted", value=1.0))
        x = selector.schema.encode(dict(zip(names, world.contexts[t].tolist(), strict=True)))
        if at_us >= begin_us:
            wrong += float((state.posterior.belief(x).mean - truth[t]).sum())
            whole += float(truth[t].sum())
        state.fold(_decided(f"{t}", x, arm=arm, offer=selector.arms.arms[arm].offer, at_us=at_us))
        if world.rewards[t, arm] > 0 and delays[t] <= WINDOW_US:
            heapq.heappush(coming, (at_us + int(delays[t]), f"{t}"))
    return 100.0 * wrong / whole


def _decided(
    name: str, x: NDArray[np.float64], *, arm: int, offer: int | str | None, at_us: int
) -> Decided:
    return Decided(
        decision_id=name, customer=name, placement="web", at_us=at_us, mode="personalised",
        arm=arm, offer=offer, price=None, slot=None, action_prob=0.1, response_prob=0.0,
        context=x.astype("<f8").tobytes(), affinity=b"", eligible=b"", floor=0.0, unit_price=0.0,
        attempt=0, is_control=False, holdout_prob=0.0, is_measured=True, confirm=False,
        exposure_us=_DAY_US, outcome_us=WINDOW_US, policy="", model="", catalogue="c",
        consent_epoch=0, state_seq=0,
    )  # fmt: skip


def engine_share(name: str, seed: int, *, rounds: int) -> dict[str, float]:
    """Let two engines decide in a world whose answers come late; give their regret shares.

    Answers take ``exp(1.5 N(0, 1))`` days; what comes after the window is never told.
    """
    made = getattr(worlds, name)(seed, rounds)
    if made.delay_us is None:
        z = np.random.default_rng([seed, 9]).standard_normal(rounds)
        made = replace(made, delay_us=(np.exp(1.5 * z) * _DAY_US).astype(np.int64))
    models = {"waiting": None, "early_answers": EarlyAnswers()}
    return {
        word: worlds.regret_share(made, _decided_for(made, WINDOW_DAYS[name], model, seed=seed))
        for word, model in models.items()
    }


def _decided_for(
    world: World, window_days: int, model: EarlyAnswers | None, *, seed: int
) -> NDArray[np.int64]:
    selector, names = _selector_of(world, seed=seed)
    place = {offer.id: k for k, offer in enumerate(selector.arms.offers)}
    delays = _delays_of(world)
    coming: list[tuple[int, int]] = []
    chosen = np.empty(world.n_rounds, np.int64)
    with seg1.Personalizer(
        selector,
        consent=seg1.ConsentNotNeeded("simulated"),
        journal=MemoryJournal(),
        placements=[Placement("web", outcome_days=window_days, confirm=False)],
        delay_model=model,
    ) as engine:
        for t, at_us in enumerate(world.at_us.tolist()):
            while coming and coming[0][0] <= at_us:
                answered_us, then = heapq.heappop(coming)
                engine.outcome(f"{then}", accepted=True, at=answered_us)
            context = dict(zip(names, world.contexts[t].tolist(), strict=True))
            d = engine.decide(t, placement="web", context=context, at=at_us, id=f"{t}")
            if d.offer is None:
                raise RuntimeError("no offer is no arm here")
            chosen[t] = place[d.offer]
            if world.rewards[t, chosen[t]] > 0 and delays[t] <= window_days * _DAY_US:
                heapq.heappush(coming, (at_us + int(delays[t]), t))
    return chosen


def _selector_of(world: World, *, seed: int) -> tuple[seg1.OfferSelector, list[str]]:
    names = [f"n{i}" for i in range(world.contexts.shape[1])]
    selector = seg1.OfferSelector(
        offers_of(world, has_features=False),
        context=schema_of(world, names, widen=1.0),
        goal=goal_of(world),
        no_offer=False,
        seed=seed,
    )
    return selector, names
