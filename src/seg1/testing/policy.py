"""`check_policy`: the contract of `seg1.bandit.Explorer`, as one call."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from seg1._types import Bools, Float64s, Int64s
from seg1.bandit import Explorer

__all__ = ["check_policy"]

_TOLERANCE = 1e-9


def check_policy(explorer: Explorer) -> None:
    """Check that an explorer keeps its contract; call it from a test of yours.

    Probabilities are >= 0, sum to 1, and are exactly 0 for an arm that is not eligible. The same
    belief gives the same probabilities; another order of the arms gives them in that order, so that
    equal arms share alike; arms that are not eligible do not matter; and arguments stay as they
    were. It is asked about values that are certain, equal, far apart, large and small.

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
    assert isinstance(explorer, Explorer), "it lacks needs_floor or probabilities"
    assert isinstance(explorer.needs_floor, bool), "needs_floor must be True or False"
    rng = np.random.default_rng(0)
    for case in _cases(rng):
        p = _asked(explorer, case)
        _check_form(p, case)
        _check_again(explorer, case, p)
        _check_order(explorer, case, p, order=rng.permutation(len(p)))
        _check_blocked(explorer, case, p)


class _Case(NamedTuple):
    """A belief about the values of some arms."""

    name: str
    mean: Float64s
    sd: Float64s
    eligible: Bools


def _cases(rng: np.random.Generator) -> Iterator[_Case]:
    for n_arms in (1, 2, 7, 40):
        mean, sd = rng.standard_normal(n_arms), rng.uniform(0.1, 1.0, n_arms)
        everything = np.ones(n_arms, np.bool_)
        some = rng.random(n_arms) < 0.5  # noqa: PLR2004  # half of them
        some[rng.integers(n_arms)] = True
        one = np.arange(n_arms) == n_arms // 2
        with_no_offer = np.where(np.arange(n_arms) == n_arms - 1, 0.0, 1.0)
        for eligible in (everything, some, one):
            yield _Case("values", mean, sd, eligible)
            yield _Case("equal values", np.full(n_arms, 0.3), np.full(n_arms, 0.1), eligible)
            yield _Case("certain values", mean.round(), np.zeros(n_arms), eligible)
            yield _Case("no offer", mean * with_no_offer, sd * with_no_offer, eligible)
            yield _Case("values far apart", mean * 1e4, sd, eligible)
            yield _Case("large values", mean * 1e6, sd * 1e6, eligible)
            yield _Case("small values", mean * 1e-6, sd * 1e-6, eligible)


def _asked(explorer: Explorer, case: _Case) -> Float64s:
    mean, sd, eligible = case.mean.copy(), case.sd.copy(), case.eligible.copy()
    p = explorer.probabilities(mean, sd, eligible=eligible)
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
        turned = _Case(case.name, case.mean[moved], case.sd[moved], case.eligible[moved])
        assert np.allclose(_asked(explorer, turned), p[moved], rtol=0, atol=_TOLERANCE), (
            f"another order of the arms gave other probabilities ({case.name})"
        )


def _check_blocked(explorer: Explorer, case: _Case, p: Float64s) -> None:
    mean = np.where(case.eligible, case.mean, case.mean.max() + 1.0)
    other = _Case(case.name, mean, case.sd, case.eligible)
    assert np.allclose(_asked(explorer, other), p, rtol=0, atol=_TOLERANCE), (
        f"the value of an arm that is not eligible changed the others ({case.name})"
    )
