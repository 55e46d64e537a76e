"""How long a choice and its answer take, ours and other libraries'. Run by `selector.py`.

Each gets what a caller has: the context as a dict, and gives back what must be kept to learn from.
Contexts have 13 fields (32 features of ours), offers 8 features; what can be prepared once for all
contexts is. Peers are Vowpal Wabbit's contextual bandit with context and offer crossed
(`--cb_explore_adf --squarecb -q ca`, text examples, an arm drawn from its probabilities), gittins
with named features, and MABWiser's LinUCB, which knows no features of offers. Ours has its
defaults: `HybridLinear` and Thompson sampling. All have learned the same number of answers before.
Figures are the fastest tenth: on a busy machine a long call is interrupted more than a short one,
and a median would flatter ours.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import gittins
import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from vowpalwabbit import Workspace

import seg1
from selector_times import BLOCK, CHANNELS, N_TRAINED, NOW_US, contexts, offers, timed, trained

__all__ = ["figures"]

Context = dict[str, object]


class Paired(Protocol):
    """What is timed: a choice, and the answer to it."""

    def choose(self, context: Context, k: int) -> Any:  # noqa: ANN401  # each has its own record
        """Choose for a context; give what `learn` needs."""
        ...

    def learn(self, record: Any, *, accepted: bool) -> None:  # noqa: ANN401  # as above
        """Learn the answer."""
        ...


class Ours:
    """`seg1.OfferSelector` with its defaults."""

    def __init__(self, shown: list[seg1.Offer]) -> None:
        self._selector, _ = trained(shown)
        self._at_us = NOW_US + 31 * 86_400 * 1_000_000

    def choose(self, context: Context, k: int) -> seg1.bandit.Choice:
        """Choose an offer."""
        return self._selector.choose(context, id=k, at=self._at_us)

    def learn(self, record: seg1.bandit.Choice, *, accepted: bool) -> None:
        """Learn the answer."""
        self._selector.learn(record, accepted=accepted, at=self._at_us)


class VowpalWabbit:
    """The contextual bandit with action features."""

    def __init__(self, shown: list[seg1.Offer]) -> None:
        self._workspace = Workspace("--quiet --cb_explore_adf --squarecb -q ca")
        self._arms = [f"|a arm{k} {_told(of.features)}" for k, of in enumerate(shown)]
        self._rng = np.random.default_rng(1)
        for k, context in enumerate(contexts(N_TRAINED, seed=4)):
            self.learn(self.choose(context, k), accepted=k % 5 == 0)

    def choose(self, context: Context, k: int) -> tuple[list[str], int, float]:  # noqa: ARG002  # no id
        """Ask for probabilities, and draw."""
        lines = [f"shared |c {_told(context)}", *self._arms]
        p = np.array(self._workspace.predict(lines))
        place = int((p.cumsum() / p.sum()).searchsorted(self._rng.random()))
        return lines, place, float(p[place])

    def learn(self, record: tuple[list[str], int, float], *, accepted: bool) -> None:
        """Label the line of the arm shown: action, cost, probability."""
        lines, place, p = record
        lines[place + 1] = f"0:{-float(accepted):g}:{p:.6g} {lines[place + 1]}"
        self._workspace.learn(lines)


class Gittins:
    """The library's own engine."""

    def __init__(self, shown: list[seg1.Offer]) -> None:
        self._state = gittins.create(bits=18, horizon=1e9)
        self._arms = [(f"arm{k}", dict(of.features)) for k, of in enumerate(shown)]
        for k, context in enumerate(contexts(N_TRAINED, seed=4)):
            self.learn(self.choose(context, k), accepted=k % 5 == 0)

    def choose(self, context: Context, k: int) -> str:
        """Ask for a decision; a category is a feature of its own name."""
        told = {
            (name if isinstance(value, float) else f"{name}={value}"): (
                value if isinstance(value, float) else 1.0
            )
            for name, value in context.items()
        }
        record = gittins.decide(self._state, told, self._arms, NOW_US / 1e6, str(k))
        return str(record.decision_id)

    def learn(self, record: str, *, accepted: bool) -> None:
        """Resolve the decision."""
        gittins.learn(self._state, record, float(accepted), NOW_US / 1e6)


class MabWiser:
    """A linear model for each arm."""

    def __init__(self, shown: list[seg1.Offer]) -> None:
        n_arms = len(shown)
        self._mab = MAB(list(range(n_arms)), LearningPolicy.LinUCB(), seed=1)
        rows = np.vstack([_row(context) for context in contexts(N_TRAINED, seed=4)])
        rng = np.random.default_rng(2)
        decisions = rng.integers(n_arms, size=N_TRAINED)
        self._mab.fit(decisions, (rng.random(N_TRAINED) < 0.2).astype(float), rows)

    def choose(self, context: Context, k: int) -> tuple[int, Any]:  # noqa: ARG002  # no id
        """Ask for the best arm."""
        row = _row(context)
        return int(self._mab.predict(row)), row

    def learn(self, record: tuple[int, Any], *, accepted: bool) -> None:
        """Fit on one row more."""
        arm, row = record
        self._mab.partial_fit([arm], [float(accepted)], row)


def _told(features: Any) -> str:  # noqa: ANN401  # a mapping of names to numbers, or a name
    return " ".join(
        f"{name}:{value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in features.items()
    )


def _row(context: Context) -> Any:  # noqa: ANN401  # (1, 18): a constant, numbers, channels
    *numbers, channel = context.values()
    return np.array([[1.0, *numbers, *(float(channel == known) for known in CHANNELS)]])


PEERS: dict[str, Callable[[list[seg1.Offer]], Paired]] = {
    "vw_adf": VowpalWabbit,
    "gittins": Gittins,
    "mabwiser": MabWiser,
}


def figures(sizes: tuple[int, ...], *, n: int) -> dict[str, Any]:
    """Compare with each peer; and name the calls in which a peer is the faster.

    Returns
    -------
    dict
        `pairs_ratio` by peer and number of arms, `pairs_us`, and `peer_is_faster`; and the same of
        offers without features, where ours learns each alone, by `PerOfferLinear`.
    """
    told = _compared({str(n_arms): offers(n_arms) for n_arms in sizes}, n=n)
    plain = _compared({
        str(n_arms): [seg1.Offer(f"offer {k}") for k in range(n_arms)] for n_arms in sizes
    }, n=n)  # fmt: skip
    return told | {f"{key}_no_features": figure for key, figure in plain.items()}


def _compared(shown: dict[str, list[seg1.Offer]], *, n: int) -> dict[str, Any]:
    us = {n_arms: _times(of, n=n) for n_arms, of in shown.items()}
    ratios = {
        name: {n_arms: round(_pair(of[name]) / _pair(of["ours"]), 2) for n_arms, of in us.items()}
        for name in PEERS
    }
    faster = [
        f"{name} {call} at {n_arms} arms: {of[name][call]} us, ours {of['ours'][call]} us"
        for n_arms, of in us.items()
        for name in PEERS
        for call in ("choose", "learn")
        if of[name][call] < of["ours"][call]
    ]
    return {"pairs_ratio": ratios, "pairs_us": us, "peer_is_faster": faster}


def _pair(call_us: dict[str, float]) -> float:
    return call_us["choose"] + call_us["learn"]


def _times(shown: list[seg1.Offer], *, n: int) -> dict[str, dict[str, float]]:
    players: dict[str, Paired] = {"ours": Ours(shown)}
    players |= {name: peer(shown) for name, peer in PEERS.items()}
    asked = contexts(512, seed=5)
    calls: dict[str, Callable[[int], object]] = {}
    for name, player in players.items():
        records: dict[int, Any] = {}
        calls[f"{name} choose"] = partial(_choose, player, asked, records)
        calls[f"{name} learn"] = partial(_learn, player, records)
    timed(calls, n=BLOCK)
    told: dict[str, dict[str, float]] = {name: {} for name in players}
    for key, figure in timed(calls, n=n).items():
        name, call = key.split()
        told[name][call] = figure["p10"]
    return told


def _choose(player: Paired, asked: list[Context], records: dict[int, Any], k: int) -> None:
    records[k] = player.choose(asked[k % len(asked)], k)


def _learn(player: Paired, records: dict[int, Any], k: int) -> None:
    player.learn(records.pop(k), accepted=k % 5 == 0)
