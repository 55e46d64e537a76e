"""What a policy misses: its choices against the best ones, by rates that only a simulation knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seg1._types import Float64s
from seg1.bandit import Explorer, Greedy, ThompsonSampling
from seg1.demo.deciding import Run, World, live, open_engine, selector_of
from seg1.demo.evaluating import Evaluation, evaluate_less_exploring
from seg1.journal import MemoryJournal
from seg1.recommend.metrics import Interval, bootstrap_mean

__all__ = ["Regret", "Trial", "regret_of", "try_policies"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regret:
    """Redemptions missed in expectation at each contact, float64, shape (n_contacts,) each.

    0 at contacts that were not personal or had no eligible offer: there was nothing to choose.

    Attributes
    ----------
    chosen
        By what was shown; no offer is redeemed by nobody.
    uniform
        By an even draw among the eligible offers, worked out exactly.
    best_fixed
        By always showing the one offer that misses least over the whole run, known in hindsight
        alone; where a rule refuses it, nothing is shown.
    best_fixed_offer
        Its position.
    """

    chosen: Float64s
    uniform: Float64s
    best_fixed: Float64s
    best_fixed_offer: int

    def share(self, regret: Float64s) -> float:
        """Give a regret as a share of uniform's."""
        return float(regret.sum() / self.uniform.sum())


def regret_of(run: Run, *, rates: Float64s) -> Regret:
    """Compare a run, contact by contact, with the best eligible offer by its true rate.

    Parameters
    ----------
    run
        The run.
    rates
        True rates, float64, shape (n_offers, n_segments).
    """
    counts = run.is_personal & run.eligible.any(axis=1)
    # (n_contacts, n_offers): what is refused cannot be redeemed
    rate = np.where(run.eligible, rates.T[run.segment], 0.0)
    best = rate.max(axis=1)
    chosen = np.where(run.offer >= 0, rate[np.arange(len(rate)), run.offer], 0.0)
    uniform = rate.sum(axis=1) / np.maximum(run.eligible.sum(axis=1), 1)
    fixed_offer = int(rate[counts].sum(axis=0).argmax())
    return Regret(
        chosen=np.where(counts, best - chosen, 0.0),
        uniform=np.where(counts, best - uniform, 0.0),
        best_fixed=np.where(counts, best - rate[:, fixed_offer], 0.0),
        best_fixed_offer=fixed_offer,
    )


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


def try_policies(world: World, *, seeds: Sequence[int]) -> Trial:
    """Run Thompson sampling and greedy once for each seed, each on a journal in memory."""
    thompson, evaluations = [], []
    for seed in seeds:
        journal = MemoryJournal()
        thompson.append(_run(world, ThompsonSampling(), seed=seed, journal=journal))
        evaluations.append(evaluate_less_exploring(journal, world, seed=seed))
    greedy = [_run(world, Greedy(), seed=seed, journal=MemoryJournal()) for seed in seeds]
    runs = {"thompson": thompson, "greedy": greedy}
    regrets = {name: [regret_of(run, rates=world.rates) for run in of] for name, of in runs.items()}
    missed = {name: [regret.chosen for regret in of] for name, of in regrets.items()}
    missed["best_fixed"] = [regret.best_fixed for regret in regrets["thompson"]]
    uniform = [regret.uniform for regret in regrets["thompson"]]
    fixed = [regret.best_fixed_offer for regret in regrets["thompson"]]
    return Trial(
        shares={
            name: _shares(of, [regret.uniform for regret in regrets.get(name, regrets["thompson"])])
            for name, of in missed.items()
        },
        missed={name: _band(of) for name, of in {**missed, "uniform": uniform}.items()},
        redemptions={
            name: float(np.mean([run.n_redeemed for run in of])) for name, of in runs.items()
        },
        evaluations=tuple(evaluations),
        best_fixed_offer=str(world.offers[int(np.bincount(fixed).argmax())].id),
    )


def _run(world: World, explorer: Explorer, *, seed: int, journal: MemoryJournal) -> Run:
    selector = selector_of(world, explorer=explorer, seed=seed)
    return live(open_engine(world, selector, journal=journal), world, seed=seed)


def _shares(missed: list[Float64s], uniform: list[Float64s]) -> Float64s:
    return np.array([own.sum() / even.sum() for own, even in zip(missed, uniform, strict=True)])


def _band(missed: list[Float64s]) -> Float64s:
    total = np.cumsum(missed, axis=1)  # (n_seeds, n_contacts)
    return np.stack([total.mean(axis=0), total.min(axis=0), total.max(axis=0)])
