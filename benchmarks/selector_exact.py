"""Whether logged probabilities are those that were drawn by. Run by `selector.py`.

A selector plays a simulated world and learns. By its log two fixed policies are judged that always
show one arm: "rule", an arm named by the context's numbers alone, and "best", the arm that is truly
the best. If probabilities are exact, the weight 1 / p of the rounds in which the very arm of the
policy was drawn, and 0 of all others, is 1 on average; and weighted rewards over the policy's true
value are too. A floor of 5 % bounds the weights, by 200 where one arm gets all the rest: some dozen
draws of a game then decide, and the spread over twenty games tells the error badly, the lower the
estimates the smaller. So standard errors are made of what is known before each draw, the variance
of a weight and of a weighted reward. A mean that lies more than three of them from 1 is listed in
`off`.

Slates are of three. At each place the policy is the rule among what was not yet shown, given what
was drawn before.
"""

import inspect
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import seg1
from regret_play import goal_of, offers_of, schema_of
from seg1 import bandit
from seg1.bandit import HybridLinear, LadderLinear, PerOfferLinear
from seg1.testing import worlds
from seg1.testing.worlds import World

__all__ = ["figures"]

FLOOR = 0.05
PLACES = 3

Floats = NDArray[np.float64]
Told = dict[str, tuple[float, float]]
"""Estimates that are 1 in truth, each with its variance."""


def explorers() -> dict[str, type[Any]]:
    """List every explorer that `seg1.bandit` exports."""
    public = {name: getattr(bandit, name) for name in bandit.__all__}
    return {
        name: one
        for name, one in public.items()
        if inspect.isclass(one)
        and hasattr(one, "needs_floor")
        and hasattr(one, "probabilities")
        and not getattr(one, "_is_protocol", False)
    }


def selector_of(world: World, seed: int, **parts: Any) -> seg1.OfferSelector:  # noqa: ANN401  # of OfferSelector
    """Make a selector whose arms are those of a world, with features for what arms share."""
    offers = offers_of(world, has_features=False)
    if not world.prices:
        told = np.random.default_rng(5).standard_normal((world.n_arms, 3)).tolist()
        offers = [
            seg1.Offer(offer.id, features={f"f{i}": value for i, value in enumerate(row)})
            for offer, row in zip(offers, told, strict=True)
        ]
    names = [f"n{i}" for i in range(world.contexts.shape[1])]
    return seg1.OfferSelector(
        offers,
        context=schema_of(world, names, widen=1.0),
        goal=goal_of(world),
        floor=FLOOR,
        no_offer=bool(world.prices),
        seed=seed,
        **parts,
    )


def rounds_of(world: World) -> Iterator[tuple[int, dict[str, object], int]]:
    """Go through a world: the round, its context, and when it is."""
    for t, row in enumerate(world.contexts.tolist()):
        yield t, {f"n{i}": number for i, number in enumerate(row)}, int(world.at_us[t])


def rule_of(world: World) -> NDArray[np.int64]:
    """Rank the arms in every round by the context's numbers, (n_rounds, n_arms)."""
    ranked: NDArray[np.int64] = (-world.contexts[:, : world.n_arms]).argsort(axis=1)
    return ranked


def learn(
    selector: seg1.OfferSelector, choice: bandit.Choice, amount: float, *, is_worth: bool
) -> None:
    """Learn what an arm brought; of no offer nothing."""
    if selector.learns_arm(choice.arm):
        accepted = amount > 0 if is_worth else bool(amount)
        selector.learn(choice, accepted=accepted, at=choice.at_us)


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """What a log says of a policy that shows one arm in each round."""

    world: World
    arms: NDArray[np.int64]
    chances: Floats  # of being drawn
    weights: Floats
    rewards: Floats

    @classmethod
    def of(cls, world: World) -> "Judgement":
        """Begin, with nothing known of any round."""
        n = world.n_rounds
        weights, rewards = np.zeros(n), np.zeros(n)
        return cls(
            world=world, arms=np.zeros(n, np.int64), chances=np.ones(n), weights=weights,
            rewards=rewards,
        )  # fmt: skip

    def add(self, t: int, choice: bandit.Choice, wanted: int) -> None:
        """Take in what was drawn in a round in which the policy shows `wanted`."""
        self.arms[t] = wanted
        self.chances[t] = choice.probabilities[wanted]
        if choice.arm == wanted:
            self.weights[t] = 1.0 / choice.action_prob
            self.rewards[t] = worlds.reward(self.world, t, wanted)

    def told(self, name: str) -> Told:
        """Give the mean weight, and the estimate over the truth.

        In a round with chance p the variance of the weight is ``1 / p - 1``, and that of the
        weighted reward, of mean m and either 0 or its worth, ``m worth / p - m^2``.
        """
        world, n = self.world, len(self.arms)
        means = world.means[np.arange(n), self.arms]
        truth = float(means.sum())
        spread = means * world.worth[self.arms] / self.chances - means**2
        return {
            f"{name} weight": (
                float(self.weights.mean()), float((1.0 / self.chances - 1.0).sum()) / n**2,
            ),
            f"{name} ips": (
                float(self.weights @ self.rewards) / truth, float(spread.sum()) / truth**2,
            ),
        }  # fmt: skip


def judged(
    name: str, parts: Callable[[], dict[str, Any]], *, rounds: int, seed: int, draw_seed: int
) -> Told:
    """Play, and judge both policies."""
    world: World = getattr(worlds, name)(seed, rounds)
    selector = selector_of(world, draw_seed, **parts())
    policies = {"rule": rule_of(world)[:, 0], "best": world.best}
    judgements = {policy: Judgement.of(world) for policy in policies}
    for t, context, at_us in rounds_of(world):
        choice = selector.choose(context, id=t, at=at_us)
        learn(selector, choice, worlds.reward(world, t, choice.arm), is_worth=bool(world.prices))
        for policy, arms in policies.items():
            judgements[policy].add(t, choice, int(arms[t]))
    told: Told = {}
    for policy, judgement in judgements.items():
        told |= judgement.told(policy)
    return told


def judged_slates(
    name: str, parts: Callable[[], dict[str, Any]], *, rounds: int, seed: int, draw_seed: int
) -> Told:
    """Play slates, and judge the rule at each place; the first place is what is learned."""
    world: World = getattr(worlds, name)(seed, rounds)
    selector = selector_of(world, draw_seed, **parts())
    ranked = rule_of(world)
    judgements = [Judgement.of(world) for _ in range(PLACES)]
    for t, context, at_us in rounds_of(world):
        slate = selector.choose(context, id=t, at=at_us, n=PLACES)
        if len(slate) != PLACES:
            raise RuntimeError("a slate is too short")
        shown: set[int] = set()
        for place, choice in enumerate(slate):
            wanted = next(arm for arm in ranked[t].tolist() if arm not in shown)
            judgements[place].add(t, choice, wanted)
            shown.add(choice.arm)
        first = slate[0]
        learn(selector, first, worlds.reward(world, t, first.arm), is_worth=False)
    told: Told = {}
    for place, judgement in enumerate(judgements):
        told |= judgement.told(f"place {place + 1}")
    return told


def _parts(explorer: str, posterior: Callable[[], Any]) -> dict[str, Any]:
    return {"explorer": explorers()[explorer](), "posterior": posterior()}


def games() -> Mapping[str, Callable[..., Told]]:
    """Name what is judged: called with `rounds=`, `seed=` and `draw_seed=`."""
    every = {
        f"{name} per_offer": partial(judged, "drift", partial(_parts, name, PerOfferLinear))
        for name in explorers()
    }
    thompson = partial(_parts, "ThompsonSampling")
    joint = {
        "ThompsonSampling hybrid": partial(judged, "drift", partial(thompson, HybridLinear)),
        "ThompsonSampling ladder": partial(judged, "price_ladder", partial(thompson, LadderLinear)),
    }
    slates = {
        f"slate of ThompsonSampling {name}": partial(
            judged_slates, "drift", partial(thompson, posterior)
        )
        for name, posterior in (("per_offer", PerOfferLinear), ("hybrid", HybridLinear))
    }
    return every | joint | slates


def figures(*, seeds: int, rounds: int, workers: int) -> dict[str, Any]:
    """Judge every explorer, and slates; means over seeds with their standard errors.

    Returns
    -------
    dict
        `exactness` by game, and `off`: what lies more than three standard errors from 1.
    """
    played = list(product(games(), range(seeds)))
    work = partial(_played, rounds)
    with ProcessPoolExecutor(workers, initializer=partial(threadpool_limits, 1)) as pool:
        told = dict(zip(played, pool.map(work, played), strict=True))
    exactness = {
        game: {
            key: _mean_and_se([told[game, seed][key] for seed in range(seeds)])
            for key in told[game, 0]
        }
        for game in games()
    }
    off = [
        f"{game} {key}"
        for game, keys in exactness.items()
        for key, (mean, se) in keys.items()
        if abs(mean - 1.0) > 3.0 * se
    ]
    return {"exactness": exactness, "off": off, "seeds": seeds, "rounds": rounds}


def _played(rounds: int, game: tuple[str, int]) -> Told:
    name, seed = game
    # Draws of their own: with the same ones all would be off together.
    draw_seed = zlib.crc32(f"{name} {seed}".encode())
    return games()[name](rounds=rounds, seed=seed, draw_seed=draw_seed)


def _mean_and_se(of_seeds: list[tuple[float, float]]) -> tuple[float, float]:
    estimates, variances = np.array(of_seeds).T
    se = float(variances.sum()) ** 0.5 / len(of_seeds)
    return round(float(estimates.mean()), 4), round(se, 4)
