"""Steps 5 to 7 in their order: decide, restart and measure, let one household leave."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seg1.demo import telling_decisions as telling
from seg1.demo.deciding import Run, World, live, open_engine, open_world, selector_of
from seg1.demo.evaluating import (
    Evaluation,
    LiftBeside,
    evaluate_less_exploring,
    lift_beside_truth,
)  # fmt: skip
from seg1.demo.leaving import Leaving, leave
from seg1.demo.restarting import Restart, restart
from seg1.demo.story import Models, Shop
from seg1.demo.trial import Parcel, Trial, try_policies
from seg1.journal import DecisionLog
from seg1.recommend.metrics import Interval

__all__ = ["Decisions", "decide_offers"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """What steps 5 to 7 showed.

    Attributes
    ----------
    world
        Offers, contacts and simulated rates.
    run
        The run that is kept in ``decisions.sqlite``.
    trial
        The policies over several seeds.
    shares, thompson_minus_greedy
        Policy to its regret as a share of uniform's, and the paired difference, with intervals over
        seeds.
    restarted, evaluation, lifted, leaving
        Steps 6 and 7.
    """

    world: World
    run: Run
    trial: Trial
    shares: dict[str, Interval]
    thompson_minus_greedy: Interval
    restarted: Restart
    evaluation: Evaluation
    lifted: LiftBeside
    leaving: Leaving

    @property
    def decide_us(self) -> dict[str, float]:
        """How long a decision took, microseconds: median and 99th percentile."""
        p50, p99 = np.quantile(self.run.decide_us, [0.5, 0.99]).round(1).tolist()
        return {"p50": p50, "p99": p99}

    def figures(self) -> dict[str, Any]:  # Any: as JSON has it
        """Give the figures of ``--json``."""
        value, difference = self.evaluation.value, self.thompson_minus_greedy
        estimated = (
            {"estimate": None, "low": None, "high": None, "ess": None}
            if value is None
            else {
                "estimate": value.estimate,
                "low": value.low,
                "high": value.high,
                "ess": value.ess,
            }
        )
        return {
            "decide_us": self.decide_us,
            "regret_share": {name: share.mean for name, share in self.shares.items()},
            "thompson_minus_greedy": {"low": difference.low, "high": difference.high},
            "ope": {**estimated, "truth": self.evaluation.truth},
            "ope_covered_of_20": self.trial.n_covered,
            "state_identical": self.restarted.is_identical,
            "replayed": self.restarted.replayed.n_same,
            "replay_differs": self.restarted.replayed.n_different,
            "erased": self.leaving.n_erased,
        }


def decide_offers(
    shop: Shop,
    models: Models,
    *,
    file: Path,
    model_folder: Path,
    seed: int,
    n_seeds: int,
    rng: np.random.Generator,
    say: Callable[[Iterable[str]], None],
) -> Decisions:
    """Run steps 5 to 7, and say what they show as they go.

    Parameters
    ----------
    shop, models
        What the steps before gave.
    file
        The journal's file; made here.
    model_folder
        Where the recommender was saved.
    seed, n_seeds
        Of the run that is kept, and how many others Thompson sampling and greedy are compared on.
    rng
        For the intervals over seeds.
    say
        Shows lines.
    """
    world = open_world(shop, models)
    say(telling.tell_world(world))
    with open_engine(world, selector_of(world, seed=seed), journal=file) as engine:
        run = live(engine, world, seed=seed)
        known = engine.fingerprint()
    say(telling.tell_run(run, world))
    parcel = _parcel(world, shop, model_folder=model_folder)
    trial = try_policies(parcel, seeds=_others(seed, n_seeds))
    shares = {name: trial.share(name, rng=rng) for name in trial.shares}
    difference = trial.thompson_minus_greedy(rng=rng)
    say(telling.tell_trial(trial, shares=shares, difference=difference))
    with open_engine(world, selector_of(world, seed=seed), journal=file) as engine:
        restarted = restart(engine, world, known=known, seed=seed)
        evaluation = evaluate_less_exploring(engine.journal, world, seed=seed)
        log = DecisionLog.from_journal(engine.journal, consent=world.consent, at=world.end_us)
        lifted = lift_beside_truth(log, world)
        say(telling.tell_restart(restarted))
        say(telling.tell_evaluation(evaluation, trial, lifted=lifted))
        say(telling.tell_lift(lifted))
        leaving = leave(engine, world, run, file=file)
    say(telling.tell_leaving(leaving))
    return Decisions(
        world=world,
        run=run,
        trial=trial,
        shares=shares,
        thompson_minus_greedy=difference,
        restarted=restarted,
        evaluation=evaluation,
        lifted=lifted,
        leaving=leaving,
    )


def _others(seed: int, n_seeds: int) -> range:
    """Give seeds that no other seed of the demo has, and that is not its own."""
    first = (seed + 1) * 2**32  # beyond every seed of the demo
    return range(first, first + n_seeds)


def _parcel(world: World, shop: Shop, *, model_folder: Path) -> Parcel:
    """Pack the world, without contacts that would be impersonal draws: they teach nothing."""
    households = shop.events.customers.ids
    return Parcel(
        offers=world.offers,
        contacts=tuple(
            contact
            for contact in world.contacts
            if world.consent.ask(contact.household, contact.at_us).allows("decide")
        ),
        rates=world.rates,
        n_mailed=world.n_mailed,
        n_redeemed=world.n_redeemed,
        said=tuple(said for household in households for said in shop.ledger.history(household)),
        model_folder=model_folder,
    )
