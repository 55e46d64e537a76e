"""Policies of other libraries, played in the worlds of `seg1.testing.worlds`. Run by `regret.py`.

Each takes what its library would be given in service: Vowpal Wabbit's contextual bandit with action
features (`--cb_explore_adf`, context and arm crossed), MABWiser's disjoint linear models with a
constant beside the context, gittins with named features. Learning is after every answer.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import gittins
import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from vowpalwabbit import Workspace

from regret_play import Policy
from seg1.testing.worlds import World

__all__ = ["PEERS", "SLOW", "VW_GRID"]


class VowpalWabbit:
    """`--cb_explore_adf` with text examples; the arm is drawn from the probabilities it gives."""

    def __init__(self, world: World, *, seed: int, options: str) -> None:
        self._workspace = Workspace(f"--quiet --cb_explore_adf -q ca {options}")
        self._rng = np.random.default_rng([seed, 1])
        self._available = world.available
        self._shared = [f"shared |c {_told(x)}" for x in world.contexts.tolist()]
        features = np.empty((world.n_arms, 0)) if world.features is None else world.features
        self._arms = [f"|a arm{k} {_told(f)}" for k, f in enumerate(features.tolist())]
        self._shown: dict[int, tuple[list[str], int, float]] = {}

    def choose(self, t: int) -> int:
        """Ask for probabilities, and draw."""
        arms = np.flatnonzero(self._available[t])
        lines = [self._shared[t], *(self._arms[k] for k in arms.tolist())]
        p = np.array(self._workspace.predict(lines))
        place = int(self._rng.choice(len(arms), p=p / p.sum()))
        self._shown[t] = (lines, place, float(p[place]))
        return int(arms[place])

    def learn(self, t: int, amount: float) -> None:
        """Label the line of the arm shown: action, cost, probability."""
        lines, place, p = self._shown.pop(t)
        lines[place + 1] = f"0:{-amount:.6g}:{p:.6g} {lines[place + 1]}"
        self._workspace.learn(lines)


class Gittins:
    """The library's own engine, with room for 2^18 weights: with 2^8 it missed more."""

    def __init__(self, world: World, *, seed: int) -> None:
        self._state = gittins.create(bits=18, horizon=1e9)
        self._seed, self._available = seed, world.available
        self._seconds = (world.at_us / 1e6).tolist()
        self._contexts = [_named(x) for x in world.contexts.tolist()]
        features = np.empty((world.n_arms, 0)) if world.features is None else world.features
        self._arms = [(f"arm{k}", _named(f)) for k, f in enumerate(features.tolist())]
        self._shown: dict[int, str] = {}

    def choose(self, t: int) -> int:
        """Ask for a decision; the salt is what it draws by."""
        arms = np.flatnonzero(self._available[t]).tolist()
        candidates, salt = [self._arms[k] for k in arms], f"{self._seed}-{t}"
        record = gittins.decide(self._state, self._contexts[t], candidates, self._seconds[t], salt)
        self._shown[t] = record.decision_id
        return int(arms[record.chosen])

    def learn(self, t: int, amount: float) -> None:
        """Resolve the decision."""
        gittins.learn(self._state, self._shown.pop(t), amount, self._seconds[t])


class MabWiser:
    """A linear model for each arm, with the library's defaults; arms are added as they come."""

    def __init__(self, world: World, *, seed: int, policy: Any) -> None:  # noqa: ANN401  # untyped
        self._available = world.available
        self._contexts = np.column_stack([np.ones(world.n_rounds), world.contexts])
        self._arms = np.flatnonzero(world.available[0]).tolist()
        self._mab = MAB(list(self._arms), policy, seed=seed)
        self._rng = np.random.default_rng([seed, 2])
        self._shown: dict[int, int] = {}
        self._has_learned = False

    def choose(self, t: int) -> int:
        """Ask for the best arm; at random, before any answer."""
        for k in np.flatnonzero(self._available[t]).tolist():
            if k not in self._arms:
                self._arms.append(k)
                self._mab.add_arm(k)
        arm = (
            self._mab.predict(self._contexts[t : t + 1])
            if self._has_learned
            else self._rng.choice(self._arms)
        )
        self._shown[t] = int(arm)
        return int(arm)

    def learn(self, t: int, amount: float) -> None:
        """Fit on one row more."""
        self._mab.partial_fit([self._shown.pop(t)], [amount], self._contexts[t : t + 1])
        self._has_learned = True


def _told(numbers: list[float]) -> str:
    return " ".join(f"{i}:{number:.6g}" for i, number in enumerate(numbers))


def _named(numbers: list[float]) -> dict[str, float]:
    return {f"f{i}": number for i, number in enumerate(numbers)}


VW_GRID: dict[str, str] = {
    f"squarecb gamma_scale {gamma} learning_rate {rate}": (
        f"--squarecb --gamma_scale {gamma} --learning_rate {rate}"
    )
    for gamma, rate in product((3, 10, 30), (0.5, 1.5, 4))
}
"""What the best tuned Vowpal Wabbit is chosen from: options by name."""

PEERS: dict[str, Callable[..., Policy]] = {
    "vw": partial(VowpalWabbit, options=""),
    "vw_squarecb": partial(VowpalWabbit, options="--squarecb"),
    "gittins": Gittins,
    "mabwiser_linucb": partial(MabWiser, policy=LearningPolicy.LinUCB()),
    "mabwiser_lints": partial(MabWiser, policy=LearningPolicy.LinTS()),
    **{name: partial(VowpalWabbit, options=options) for name, options in VW_GRID.items()},
}
"""Policies by name, made of a world and `seed=`."""

SLOW = ("mabwiser_linucb", "mabwiser_lints")
"""Those that take a millisecond or more a round, and so get fewer seeds."""
