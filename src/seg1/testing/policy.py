"""`check_policy`: the contract of `seg1.bandit.Explorer`, as one call."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from seg1._types import Bools, Float64s, Int64s
from seg1.bandit import Explorer, JointExplorer, MeansExplorer

__all__ = ["check_policy"]

_TOLERANCE = 1e-9
_N_DRAWS = 64


def check_policy(explorer: Explorer) -> None:
    """Check that an explorer keeps its contract; call it from a test of yours.

    Probabilities are >= 0, sum to 1, and are exactly 0 for an arm that is not eligible. The same
    belief gives the same probabilities; another order of the arms gives them in that order, so that
    equal arms share alike; arms that are not eligible do not matter; and arguments stay as they
    were. It is asked about values that are certain, equal, far apart, large and small.

    All that holds for `jointly` too, where it has one (`seg1.bandit.JointExplorer`). There, arms
    whose draws are equal share alike, and where all draws are the means the best arm gets 1. And
    `by_means`, where it has one (`seg1.bandit.MeansExplorer`), gives what `probabilities` does.

    Parameters
    ----------
    explorer
        What is checked.

    Raises
    ------
    AssertionError
        Where the contract is broken; the message says how, and for which kind of values.

    Examples
    --------
    >>> from seg1.bandit import ThompsonSampling
    >>> from seg1.testing.policy import check_policy
    >>> check_policy(ThompsonSampling(scale=0.3))
    """
    assert not isinstance(explorer, type), "it is a class: give one that is made, with ()"
    assert isinstance(explorer, Explorer), "it lacks needs_floor or probabilities"
    assert isinstance(explorer.needs_floor, bool), "needs_floor must be True or False"
    rng = np.random.default_rng(0)
    for case in _cases(rng):
        p = _asked(explorer, case)
        _check_form(p, case)
        _check_again(explorer, case, p)
        _check_order(explorer, case, p, order=rng.permutation(len(p)))
        _check_blocked(explorer, case, p)
        if isinstance(explorer, MeansExplorer):
            by_means = explorer.by_means(case.mean.copy(), eligible=case.eligible.copy())
            assert np.array_equal(by_means, p), (
                f"by_means and probabilities give different answers ({case.name})"
            )
    if isinstance(explorer, JointExplorer):
        _check_jointly(explorer, rng)


def _check_jointly(explorer: Explorer, rng: np.random.Generator) -> None:
    for case in _joint_cases(rng):
        p = _asked(explorer, case)
        _check_form(p, case)
        _check_again(explorer, case, p)
        _check_equal(p, case)
        _check_order(explorer, case, p, order=rng.permutation(len(p)))
        _check_blocked(explorer, case, p)
        _check_certain(p, case)


class _Case(NamedTuple):
    """A belief about the values of some arms, maybe with joint draws, (n_draws, n_arms)."""

    name: str
    mean: Float64s
    sd: Float64s
    eligible: Bools
    draws: Float64s | None = None


def _cases(rng: np.random.Generator) -> Iterator[_Case]:
    for n_arms in (1, 2, 7, 40):
        mean, sd = rng.standard_normal(n_arms), rng.uniform(0.1, 1.0, n_arms)
        with_no_offer = np.where(np.arange(n_arms) == n_arms - 1, 0.0, 1.0)
        for eligible in _eligibles(rng, n_arms):
            yield _Case("values", mean, sd, eligible)
            yield _Case("equal values", np.full(n_arms, 0.3), np.full(n_arms, 0.1), eligible)
            yield _Case("certain values", mean.round(), np.zeros(n_arms), eligible)
            yield _Case("no offer", mean * with_no_offer, sd * with_no_offer, eligible)
            yield _Case("values far apart", mean * 1e4, sd, eligible)
            yield _Case("large values", mean * 1e6, sd * 1e6, eligible)
            yield _Case("small values", mean * 1e-6, sd * 1e-6, eligible)


def _joint_cases(rng: np.random.Generator) -> Iterator[_Case]:
    for n_arms in (1, 2, 7, 40):
        # What all share, and what each has alone.
        draws = rng.standard_normal((_N_DRAWS, 1)) * rng.standard_normal(n_arms)
        draws += 0.3 * rng.standard_normal((_N_DRAWS, n_arms)) + 0.5 * rng.standard_normal(n_arms)
        paired = draws[:, np.arange(n_arms) // 2]
        certain = np.tile(draws.mean(axis=0), (_N_DRAWS, 1))
        no_offer = np.where(np.arange(n_arms) == n_arms - 1, 0.0, draws)
        for eligible in _eligibles(rng, n_arms):
            yield _joint_case("joint draws", draws, eligible)
            yield _joint_case("equal joint draws", paired, eligible)
            yield _joint_case("certain joint draws", certain, eligible)
            yield _joint_case("joint draws with no offer", no_offer, eligible)
            yield _joint_case("large joint draws", draws * 1e6, eligible)
            yield _joint_case("small joint draws", draws * 1e-6, eligible)


def _joint_case(name: str, draws: Float64s, eligible: Bools) -> _Case:
    is_certain = (draws == draws[0]).all(axis=0)
    mean = np.where(is_certain, draws[0], draws.mean(axis=0))
    sd = np.where(is_certain, 0.0, draws.std(axis=0))
    return _Case(name, mean, sd, eligible, draws)


def _eligibles(rng: np.random.Generator, n_arms: int) -> tuple[Bools, Bools, Bools]:
    """Give all of some arms, about half of them, and one."""
    some = rng.random(n_arms) < 0.5  # noqa: PLR2004  # half of them
    some[rng.integers(n_arms)] = True
    return np.ones(n_arms, np.bool_), some, np.arange(n_arms) == n_arms // 2


def _asked(explorer: Explorer, case: _Case) -> Float64s:
    mean, sd, eligible = case.mean.copy(), case.sd.copy(), case.eligible.copy()
    if case.draws is None:
        p = explorer.probabilities(mean, sd, eligible=eligible)
    else:
        assert isinstance(explorer, JointExplorer), "it lacks jointly"
        # What is asked for is a copy: whoever asks may write into it.
        draws = partial(np.take, case.draws, axis=1)
        p = explorer.jointly(mean, sd, draws=draws, eligible=eligible)
    untouched = (
        np.array_equal(mean, case.mean)
        and np.array_equal(sd, case.sd)
        and np.array_equal(eligible, case.eligible)
    )
    assert untouched, f"it changed its arguments ({case.name})"
    assert isinstance(p, np.ndarray), f"it gave a {type(p).__name__}, not an array"
    assert not any(np.shares_memory(p, given) for given in (mean, sd, eligible)), (
        f"what it gave is a view of an argument ({case.name})"
    )
    return p


def _check_form(p: Float64s, case: _Case) -> None:
    assert p.dtype == np.float64, f"probabilities must be float64, got {p.dtype}"
    assert p.shape == case.mean.shape, "there must be one probability for each arm"
    assert np.isfinite(p).all(), f"a probability is not finite ({case.name})"
    assert (p >= 0.0).all(), f"a probability is below 0 ({case.name})"
    assert abs(p.sum() - 1.0) <= 1e-12, f"probabilities must sum to 1 ({case.name})"  # noqa: PLR2004  # as the contract says
    assert not p[~case.eligible].any(), (
        f"an arm that is not eligible must have probability exactly 0 ({case.name})"
    )


def _check_again(explorer: Explorer, case: _Case, p: Float64s) -> None:
    again = _asked(explorer, case)
    assert np.array_equal(p, again), f"asked twice, it gave different answers ({case.name})"


def _check_order(explorer: Explorer, case: _Case, p: Float64s, *, order: Int64s) -> None:
    for moved in (order, np.arange(len(p))[::-1]):
        draws = None if case.draws is None else case.draws[:, moved]
        turned = _Case(case.name, case.mean[moved], case.sd[moved], case.eligible[moved], draws)
        assert np.allclose(_asked(explorer, turned), p[moved], rtol=0, atol=_TOLERANCE), (
            f"another order of the arms gave other probabilities ({case.name})"
        )


def _check_blocked(explorer: Explorer, case: _Case, p: Float64s) -> None:
    more = np.where(case.eligible, 0.0, np.ptp(case.mean) + 1.0)
    draws = None if case.draws is None else case.draws + more
    other = case._replace(mean=case.mean + more, draws=draws)
    assert np.allclose(_asked(explorer, other), p, rtol=0, atol=_TOLERANCE), (
        f"the value of an arm that is not eligible changed the others ({case.name})"
    )


def _check_equal(p: Float64s, case: _Case) -> None:
    assert case.draws is not None
    for place in np.flatnonzero(case.eligible):
        alike = case.eligible & (case.draws == case.draws[:, [place]]).all(axis=0)
        assert np.ptp(p[alike]) <= _TOLERANCE, f"equal arms must share alike ({case.name})"


def _check_certain(p: Float64s, case: _Case) -> None:
    if case.sd.any():
        return
    best = np.where(case.eligible, case.mean, -np.inf).argmax()
    assert abs(p[best] - 1.0) <= _TOLERANCE, (
        f"where draws are only means the best arm must have probability 1 ({case.name})"
    )
