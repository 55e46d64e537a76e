"""States that earlier versions saved: all of them packed their inverses."""

import numpy as np
import pytest

from seg1.bandit import HybridLinear, LadderLinear, PerOfferLinear, SharedLinear
from seg1.bandit.posteriors.posterior import Arrays, Layout, Posterior, PosteriorState
from seg1.errors import DamagedError

LAYOUT = Layout(
    np.array([[1.0, 0.5], [1.0, -0.7], [1.0, 0.0]]),
    np.array([0, 0, 1]),
    np.array([0, 1, 0]),
    np.array([0.0, 0.3, 0.0]),
)
KEPT_IN_FULL = pytest.mark.parametrize(
    "posterior",
    [SharedLinear(), HybridLinear(), LadderLinear(), HybridLinear(link="logit")],
    ids=repr,
)


def taught(posterior: Posterior) -> PosteriorState:
    state = posterior.start(LAYOUT, n_features=2)
    for i in range(30):
        x = np.array([1.0, i % 5 / 4.0])
        state.fold(i % 3, x, float(i % 4 == 0), at_us=i)
    return state


def packed(arrays: Arrays) -> Arrays:
    rows, columns = np.tril_indices(arrays["inverse"].shape[-1])
    return {**arrays, "inverse": arrays["inverse"][:, rows, columns]}


@KEPT_IN_FULL
def test_a_state_with_packed_inverses_goes_on_bit_for_bit(posterior: Posterior) -> None:
    through = taught(posterior)
    again = posterior.from_arrays(packed(through.to_arrays()), LAYOUT)

    for state in (through, again):
        state.fold(0, np.ones(2), 1.0, at_us=31)

    expected = through.to_arrays()
    assert again.to_arrays().keys() == expected.keys()
    for name, told in again.to_arrays().items():
        assert (told.shape, told.tobytes()) == (expected[name].shape, expected[name].tobytes())


@KEPT_IN_FULL
def test_packed_inverses_that_are_damaged_are_refused(posterior: Posterior) -> None:
    saved = packed(taught(posterior).to_arrays())
    for damaged in (saved["inverse"] * np.nan, saved["inverse"].astype(np.float32)):
        with pytest.raises(DamagedError, match="inverse"):
            posterior.from_arrays({**saved, "inverse": damaged}, LAYOUT)


def test_where_inverses_stay_packed_none_in_full_are_taken_up() -> None:
    state = PerOfferLinear().start(LAYOUT, n_features=2)
    arrays = state.to_arrays()

    with pytest.raises(DamagedError, match="inverse"):
        PerOfferLinear().from_arrays({**arrays, "inverse": np.zeros((3, 2, 2))}, LAYOUT)
