"""`check_posterior`: the contract of `seg1.bandit.Posterior`, as one call."""

from typing import Final, NamedTuple

import numpy as np

from seg1._checks import DAY_US
from seg1._types import Float64s
from seg1.bandit import Belief, Layout, Posterior, PosteriorState

__all__ = ["check_posterior"]

_D: Final = 4
_LAYOUT: Final = Layout(
    features=np.array([[1.0, 0.5], [1.0, 0.5], [1.0, -0.7], [1.0, 1.1]]),
    ladder=np.array([0, 0, 1, 2]),
    rung=np.array([0, 1, 0, 0]),
    depth=np.array([0.0, 0.3, 0.0, 0.0]),
)
_N_ARMS: Final = len(_LAYOUT.features)
# `remove` and `merge` may raise, as under a logit link, but have to be there.
_OF_A_STATE: Final = (
    "n_rows", "belief", "coefficients", "copy", "correct", "fold", "merge", "remove", "to_arrays",
)  # fmt: skip


def check_posterior(posterior: Posterior) -> None:
    """Check that a posterior keeps its contract; call it from a test of yours.

    A belief has a finite mean and a deviation >= 0 for each arm, and joint draws, where it has
    them, have one column for each arm asked for, in the order asked. Asking changes nothing and
    gives the same again; arguments stay as they were. A copy goes its own way. What is made again
    from its arrays goes on bit for bit. A correction there and back leaves beliefs where they were.
    What is accepted again and again becomes likelier, and less uncertain. `means`, where it has
    them, are those of its belief.

    Parameters
    ----------
    posterior
        What is checked; it learns answers of 0 and 1.

    Raises
    ------
    AssertionError
        Where the contract is broken; the message says how.

    Examples
    --------
    >>> from seg1.bandit import HybridLinear
    >>> from seg1.testing.posterior import check_posterior
    >>> check_posterior(HybridLinear())
    """
    assert not isinstance(posterior, type), "it is a class: give one that is made, with ()"
    assert isinstance(posterior, Posterior), "it lacks start or from_arrays"
    rows = _rows()
    state = _folded(posterior, rows)
    assert state.n_rows == len(rows), "n_rows must count the rows that were folded"
    _check_belief(state)
    _check_means(state)
    _check_quiet(posterior, rows)
    _check_copy(state)
    _check_arrays(posterior, rows)
    _check_correction(state, rows[0])
    _check_learning(posterior)


class _Row(NamedTuple):
    arm: int
    x: Float64s
    answer: float
    at_us: int


def _rows(n: int = 40) -> list[_Row]:
    rng = np.random.default_rng(0)
    return [
        _Row(
            int(rng.integers(_N_ARMS - 1)),
            np.append(1.0, rng.uniform(-1.0, 1.0, _D - 1)),
            float(rng.random() < 0.4),  # noqa: PLR2004  # a rate
            int(rng.integers(30 * DAY_US)),
        )
        for _ in range(n)
    ]


def _folded(posterior: Posterior, rows: list[_Row]) -> PosteriorState:
    state = posterior.start(_LAYOUT, n_features=_D)
    missing = [name for name in _OF_A_STATE if not hasattr(state, name)]
    assert not missing, f"what start gives lacks {', '.join(missing)}"
    for row in rows:
        x = row.x.copy()
        state.fold(row.arm, x, row.answer, at_us=row.at_us)
        assert np.array_equal(x, row.x), "fold changed the context"
    return state


def _believed(state: PosteriorState) -> list[bytes]:
    """Give all that is believed in two contexts, and with a feature of each arm's own, as bits."""
    x = np.linspace(1.0, -0.5, _D)
    own = np.array([0.2, 0.2, -0.4, 0.0])
    told: list[bytes] = []
    for belief in (state.belief(x), state.belief(np.ones(_D)), state.belief(x[:-1], own=own)):
        told += [belief.mean.tobytes(), belief.sd.tobytes()]
        if belief.draws is not None:
            told.append(np.ascontiguousarray(belief.draws(np.arange(_N_ARMS))).tobytes())
    assert np.array_equal(x, np.linspace(1.0, -0.5, _D)), "belief changed the context"
    return told


def _bits(state: PosteriorState) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state.to_arrays().items()}


def _check_belief(state: PosteriorState) -> None:
    belief = state.belief(np.ones(_D))
    assert isinstance(belief, Belief), f"belief must give a Belief, got {type(belief).__name__}"
    for name, told in (("mean", belief.mean), ("sd", belief.sd)):
        assert told.shape == (_N_ARMS,), f"{name} must have one number for each arm"
        assert told.dtype == np.float64, f"{name} must be float64, got {told.dtype}"
        assert np.isfinite(told).all(), f"{name} is not finite"
    assert (belief.sd >= 0.0).all(), "a standard deviation is below 0"
    if belief.draws is None:
        return
    everything = belief.draws(np.arange(_N_ARMS))
    assert everything.shape[1:] == (_N_ARMS,), "draws must have one column for each arm"
    assert np.isfinite(everything).all(), "a draw is not finite"
    turned = belief.draws(np.array([2, 0]))
    assert np.allclose(turned, everything[:, [2, 0]], rtol=1e-5, atol=1e-5), (
        "draws of some arms must be those of all, in the order asked for"
    )


def _check_means(state: PosteriorState) -> None:
    means = getattr(state, "means", None)
    if means is None:
        return
    x, own = np.linspace(1.0, -0.5, _D), np.array([0.2, 0.2, -0.4, 0.0])
    for told, belief in (
        (means(x), state.belief(x)),
        (means(x[:-1], own=own), state.belief(x[:-1], own=own)),
    ):
        assert isinstance(told, np.ndarray), f"means must give an array, got {type(told).__name__}"
        assert np.array_equal(told, belief.mean), "means must be those of the belief, bit for bit"


def _check_quiet(posterior: Posterior, rows: list[_Row]) -> None:
    quiet, asked = _folded(posterior, rows), posterior.start(_LAYOUT, n_features=_D)
    for row in rows:
        assert _believed(asked) == _believed(asked), "asked twice, it gave different answers"
        asked.fold(row.arm, row.x, row.answer, at_us=row.at_us)
    assert _bits(asked) == _bits(quiet), "what was learned depends on when it was asked"


def _check_copy(state: PosteriorState) -> None:
    before, copy = _bits(state), state.copy()
    assert _bits(copy) == before, "a copy must hold what the state holds"
    copy.fold(0, np.ones(_D), 1.0, at_us=0)
    assert _bits(state) == before, "a copy that learns must leave the state alone"


def _check_arrays(posterior: Posterior, rows: list[_Row]) -> None:
    through = _folded(posterior, rows)
    again = posterior.from_arrays(_folded(posterior, rows[:17]).to_arrays(), _LAYOUT)
    for row in rows[17:]:
        again.fold(row.arm, row.x, row.answer, at_us=row.at_us)
    assert _bits(again) == _bits(through), "made again from its arrays, it must go on bit for bit"
    assert _believed(again) == _believed(through), "made again, it must believe the same"


def _check_correction(state: PosteriorState, row: _Row) -> None:
    before = state.belief(row.x).mean
    other = 1.0 - row.answer
    state.correct(row.arm, row.x, before=row.answer, after=other, at_us=row.at_us)
    moved = state.belief(row.x).mean[row.arm] - before[row.arm]
    assert moved * (other - row.answer) > 0.0, "a correction must move the belief to the answer"
    state.correct(row.arm, row.x, before=other, after=row.answer, at_us=row.at_us)
    assert np.allclose(state.belief(row.x).mean, before, rtol=1e-9, atol=1e-9), (
        "a correction there and back must leave the belief where it was"
    )


def _check_learning(posterior: Posterior) -> None:
    state, x = posterior.start(_LAYOUT, n_features=_D), np.ones(_D)
    first = state.belief(x)
    for i in range(60):
        state.fold(2, x, float(i % 10 < 8), at_us=0)  # noqa: PLR2004  # eight in ten accept
    last = state.belief(x)
    assert abs(last.mean[2] - 0.8) < min(0.15, abs(first.mean[2] - 0.8) + 0.15), (
        "the belief must come near to what is answered"
    )
    assert last.sd[2] < first.sd[2], "what is answered again and again must be less uncertain"
