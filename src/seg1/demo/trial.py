"""Thompson sampling and greedy over several seeds of the simulation, in two processes."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

from seg1._types import Float64s
from seg1.bandit import Explorer, Greedy, ThompsonSampling
from seg1.consent import ConsentEvent, ConsentLedger
from seg1.demo.contacts import Contact
from seg1.demo.deciding import Run, World, live, open_engine, selector_of
from seg1.demo.evaluating import Evaluation, evaluate_less_exploring
from seg1.demo.regret import Regret, regret_of
from seg1.demo.story import consent_of
from seg1.journal import MemoryJournal
from seg1.offers import Offer
from seg1.recommend import ALSModel
from seg1.recommend.metrics import Interval, bootstrap_mean

__all__ = ["Parcel", "Trial", "Tried", "try_policies", "try_seeds"]

_N_WORKERS: Final = 2
_MIN_SEEDS: Final = 8  # for fewer, starting processes takes longer than it saves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """Several policies in the same simulated world, over several seeds.

    Attributes
    ----------
    shares
        Policy to its regret as a share of uniform's, float64, shape (n_seeds,). "best_fixed" is
        held against the contacts of the Thompson run.
    missed
        Policy to redemptions missed up to each contact, mean over seeds, and its least and most;
        float64, shape (3, n_contacts). "uniform" is among them.
    redemptions
        Policy to simulated redemptions, mean over seeds.
    evaluations
        Of the Thompson run of each seed.
    best_fixed_offer
        Name of the offer that was the best fixed one in most seeds.
    """

    shares: Mapping[str, Float64s]
    missed: Mapping[str, Float64s]
    redemptions: Mapping[str, float]
    evaluations: tuple[Evaluation, ...]
    best_fixed_offer: str

    @property
    def n_seeds(self) -> int:
        """Count the seeds."""
        return len(self.evaluations)

    @property
    def n_contacts(self) -> int:
        """Count the contacts of a run."""
        return int(self.missed["thompson"].shape[1])

    @property
    def n_covered(self) -> int:
        """Count the seeds whose interval covers the truth; a refusal covers nothing."""
        return sum(evaluation.covers for evaluation in self.evaluations)

    @property
    def n_refused(self) -> int:
        """Count the seeds whose log did not support the policy."""
        return sum(evaluation.value is None for evaluation in self.evaluations)

    def share(self, policy: str, *, rng: np.random.Generator) -> Interval:
        """Give a policy's share, mean over seeds with its interval."""
        return bootstrap_mean(self.shares[policy], rng=rng)

    def thompson_minus_greedy(self, *, rng: np.random.Generator) -> Interval:
        """Give the paired difference of their shares, mean over seeds with its interval."""
        return bootstrap_mean(self.shares["thompson"] - self.shares["greedy"], rng=rng)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parcel:
    """A world as what another process can make it of again.

    Attributes
    ----------
    offers, contacts, rates, n_mailed, n_redeemed
        As `World`.
    said
        All that was said of consent; it is kept in memory there.
    model_folder
        Where the recommender was saved.
    """

    offers: tuple[Offer, ...]
    contacts: tuple[Contact, ...]
    rates: Float64s
    n_mailed: int
    n_redeemed: int
    said: tuple[ConsentEvent, ...]
    model_folder: Path

    def open(self) -> World:
        """Make the world again."""
        ledger = ConsentLedger()
        ledger.record(self.said)
        return World(
            offers=self.offers,
            contacts=self.contacts,
            rates=self.rates,
            n_mailed=self.n_mailed,
            n_redeemed=self.n_redeemed,
            consent=consent_of(ledger),
            recommender=ALSModel.load(self.model_folder),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tried:
    """What one seed gave: policy to regret and to simulated redemptions, and the evaluation."""

    regrets: Mapping[str, Regret]
    redemptions: Mapping[str, int]
    evaluation: Evaluation


def try_policies(parcel: Parcel, *, seeds: Sequence[int]) -> Trial:
    """Run Thompson sampling and greedy once for each seed, each on a journal in memory.

    Where there are enough seeds, two processes share them; what comes out is the same.
    """
    n_workers = min(_N_WORKERS, os.cpu_count() or 1)
    if n_workers < _N_WORKERS or len(seeds) < _MIN_SEEDS:
        return _together(try_seeds(parcel, seeds), parcel.offers)
    halves = seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]
    try:
        # Spawned: a fork would inherit locks and the threads' state of the fit.
        with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
            both = list(pool.map(try_seeds, (parcel, parcel), halves))
    except (OSError, BrokenProcessPool):  # none may be started here: it takes longer, that is all
        both = [try_seeds(parcel, seeds)]
    return _together([tried for half in both for tried in half], parcel.offers)


def try_seeds(parcel: Parcel, seeds: Sequence[int]) -> list[Tried]:
    """Try the policies on some seeds, one after the other."""
    world = parcel.open()
    return [_try(world, seed) for seed in seeds]


def _try(world: World, seed: int) -> Tried:
    journal = MemoryJournal()
    runs = {
        "thompson": _run(world, ThompsonSampling(), seed=seed, journal=journal),
        "greedy": _run(world, Greedy(), seed=seed, journal=MemoryJournal()),
    }
    return Tried(
        regrets={name: regret_of(run, rates=world.rates) for name, run in runs.items()},
        redemptions={name: run.n_redeemed for name, run in runs.items()},
        evaluation=evaluate_less_exploring(journal, world, seed=seed),
    )


def _run(world: World, explorer: Explorer, *, seed: int, journal: MemoryJournal) -> Run:
    selector = selector_of(world, explorer=explorer, seed=seed)
    return live(open_engine(world, selector, journal=journal), world, seed=seed)


def _together(tried: Sequence[Tried], offers: Sequence[Offer]) -> Trial:
    thompson, greedy = ([one.regrets[name] for one in tried] for name in ("thompson", "greedy"))
    fixed = [regret.best_fixed_offer for regret in thompson]
    return Trial(
        shares={
            "thompson": np.array([regret.share(regret.chosen) for regret in thompson]),
            "greedy": np.array([regret.share(regret.chosen) for regret in greedy]),
            "best_fixed": np.array([regret.share(regret.best_fixed) for regret in thompson]),
        },
        missed={
            "uniform": _band([regret.uniform for regret in thompson]),
            "thompson": _band([regret.chosen for regret in thompson]),
            "greedy": _band([regret.chosen for regret in greedy]),
            "best_fixed": _band([regret.best_fixed for regret in thompson]),
        },
        redemptions={
            name: float(np.mean([one.redemptions[name] for one in tried]))
            for name in ("thompson", "greedy")
        },
        evaluations=tuple(one.evaluation for one in tried),
        best_fixed_offer=str(offers[int(np.bincount(fixed).argmax())].id),
    )


def _band(missed: Sequence[Float64s]) -> Float64s:
    total = np.cumsum(missed, axis=1)  # (n_seeds, n_contacts)
    return np.stack([total.mean(axis=0), total.min(axis=0), total.max(axis=0)])
