"""Steps 5 to 7 in text: what the terminal shows."""

from collections.abc import Iterator, Mapping

import numpy as np

from seg1.demo.campaigns import MIN_MAILED
from seg1.demo.deciding import BUDGET, CAP, FLOOR, HOLDOUT, Run, World
from seg1.demo.evaluating import LESS_FLOOR, Evaluation, LiftBeside
from seg1.demo.leaving import Leaving
from seg1.demo.restarting import Restart
from seg1.demo.trial import Trial
from seg1.recommend.metrics import Interval

__all__ = [
    "MODES",
    "POLICIES",
    "cost_of_floor",
    "difference_of_policies",
    "tell_evaluation",
    "tell_leaving",
    "tell_lift",
    "tell_restart",
    "tell_run",
    "tell_trial",
    "tell_world",
]

POLICIES = {
    "uniform": "an even draw",
    "thompson": "Thompson sampling",
    "greedy": "greedy",
    "best_fixed": "best fixed offer, in hindsight",
}
MODES = {
    "personalised": "drawn for the household",
    "fallback": "an impersonal draw, because consent is missing",
    "control": "held out: no offer",
    "none": "no offer left by the rules",
}


def tell_world(world: World) -> Iterator[str]:
    """Say what is simulated, and from what."""
    yield ""
    yield "5. Coupons, one visit at a time"
    yield "   A SIMULATION from here on: the data do not hold with what probability a coupon was"
    yield "   mailed, so they cannot say what another would have brought. The rates of the answers"
    yield (
        f"   come from {world.n_redeemed} real redemptions of {world.n_mailed:,} mailings: "
        f"{len(world.offers)} campaigns (mailed to {MIN_MAILED}"
    )
    yield (
        "   or more households) x light, medium and heavy shoppers, "
        f"{world.rates.min():.3f} to {world.rates.max():.3f}"
    )


def tell_run(run: Run, world: World) -> Iterator[str]:
    """Say what was decided, and how fast."""
    households = len({contact.household for contact in world.contacts})
    yield (
        f"   {len(world.contacts):,} decisions at real visits of {households} households from week "
        "45 on, in order of time,"
    )
    yield (
        f"   with consent, a cap ({CAP.name}), a budget of {BUDGET.amount:,.0f} and "
        f"{HOLDOUT.share:.0%} held out:"
    )
    for mode, n in sorted(run.modes.items(), key=lambda item: -item[1]):
        yield f"     {n:>5,}  {MODES[mode]}"
    for rule in (CAP.name, BUDGET.name):
        yield f"     {run.refused.get(rule, 0):>5,}  contacts with offers refused by: {rule}"
    p50, p99 = np.quantile(run.decide_us, [0.5, 0.99])
    yield (
        f"   {run.n_redeemed} simulated redemptions. A decision took {p50:.0f} microseconds at the "
        f"median, {p99:.0f} at p99 (SQLite)"
    )


def tell_trial(
    trial: Trial, *, shares: Mapping[str, Interval], difference: Interval
) -> Iterator[str]:
    """Say what each policy missed."""
    yield "   Regret: redemptions missed against each contact's best offer; an even draw is 100 %."
    yield (
        f"   The same engine in memory, {trial.n_contacts:,} contacts with consent, "
        f"{trial.n_seeds} seeds, mean"
    )
    yield "   with 95 % interval over seeds:"
    for name, share in shares.items():
        yield f"     {POLICIES[name]:<31} {_percent(share)}"
    yield "   " + difference_of_policies(difference)
    yield (
        f"   {FLOOR:.0%} of all draws are even on purpose (the floor), so that the log can judge "
        "other policies:"
    )
    yield f"   they alone miss {FLOOR:.0%}. The rest is the price of finding out, from few answers,"
    yield "   which offer is good; here one comes close to the best for all, as its line shows"


def difference_of_policies(difference: Interval) -> str:
    """Say whether Thompson sampling and greedy are told apart."""
    verdict = (
        "Thompson sampling misses less"
        if difference.high < 0
        else "greedy misses less"
        if difference.low > 0
        else "the two are not told apart"
    )
    return (
        f"Thompson less greedy {100 * difference.mean:+.1f} points "
        f"({100 * difference.low:+.1f} to {100 * difference.high:+.1f}): {verdict}."
    )


def tell_restart(restarted: Restart) -> Iterator[str]:
    """Say whether a restart and a replay give what was."""
    replayed = restarted.replayed
    yield ""
    yield "6. Restart, replay, measurement"
    yield (
        f"   decisions.sqlite closed and opened again: {restarted.n_rows:,} rows folded, "
        f"{restarted.n_learned:,} decisions learned"
    )
    yield f"   from, the same state to the last bit: {restarted.is_identical}"
    yield (
        f"   drawn again from the journal: {replayed.n_same:,} decisions the same, "
        f"{replayed.n_different} different, {replayed.n_not_replayable} not replayable"
    )


def tell_evaluation(evaluation: Evaluation, trial: Trial, *, lifted: LiftBeside) -> Iterator[str]:
    """Say what the log thinks of a policy that explores less, and what is true."""
    yield (
        f"   What would the same engine have earned per decision with a floor of {LESS_FLOOR:.0%}, "
        f"not {FLOOR:.0%}?"
    )
    value = evaluation.value
    if value is None:
        yield f"     refused: {evaluation.refusal}"
    else:
        yield (
            f"     from the log {value.estimate:.4f} ({value.low:.4f} to {value.high:.4f}); "
            f"true in the simulation {evaluation.truth:.4f}"
        )
        yield (
            f"     {value.ess:.0f} effective households (as many as would tell as much, had all "
            f"weighed alike) of {value.n_customers}"
        )
    yield (
        f"     on the {trial.n_seeds} seeds the interval holds the truth {trial.n_covered} times; "
        f"refused {trial.n_refused} times"
    )
    yield "     " + cost_of_floor(evaluation, lifted)


def tell_lift(lifted: LiftBeside) -> Iterator[str]:
    """Say what contacts earned against the holdout."""
    if lifted.lift is None:
        yield f"   Lift against the holdout: refused: {lifted.refusal}"
        return
    lift = lifted.lift
    yield (
        f"   Lift against the {lift.n_control} held-out households: {lift.estimate:.4f} "
        f"({lift.low:.4f} to {lift.high:.4f}) per decision;"
    )
    yield (
        f"     true {lifted.truth:.4f}. Nobody redeems here without an offer, so this is what "
        "offers brought in all"
    )


def cost_of_floor(evaluation: Evaluation, lifted: LiftBeside) -> str:
    """Say what exploring cost: what less of it would have earned, less what was earned."""
    return (
        f"What was shown earns {lifted.truth:.4f} in truth, so the larger floor cost "
        f"{evaluation.truth - lifted.truth:.4f} redemptions per decision."
    )


def tell_leaving(leaving: Leaving) -> Iterator[str]:
    """Say what changes when a household goes, and what stays."""
    yield ""
    yield (
        f"7. Household {leaving.household} ({leaving.n_own_before} decisions, {leaving.n_redeemed} "
        "redemptions) withdraws and asks to be erased"
    )
    yield (
        f"   the very next decision: {leaving.decision.mode}, {leaving.decision.reasons[0]}, "
        f"logged with its name: {leaving.decision.logged}"
    )
    yield (
        f"   erased {leaving.n_erased} rows; the journal has {leaving.n_rows_after:,} (was "
        f"{leaving.n_rows_before:,}; one notes the erasure);"
    )
    yield (
        f"   its decisions in decisions.sqlite: {leaving.n_own_after}; learned from "
        f"{leaving.n_learned_after:,} decisions (was {leaving.n_learned_before:,})"
    )
    yield "   what stays: " + "; ".join(
        [*leaving.residual, "synthetic consent file: its record, as evidence"]
    )


def _percent(interval: Interval) -> str:
    return f"{interval.mean:6.1%} ({interval.low:.1%} to {interval.high:.1%})"
