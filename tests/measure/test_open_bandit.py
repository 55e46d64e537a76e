"""The Open Bandit Dataset (Saito et al. 2021), against the reference figures kept with it."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from small_log import make_log

from seg1._types import Float64s
from seg1.journal import DecisionLog, States
from seg1.measure import Gate, NotSupportedError, value

FOLDER = os.environ.get("SEG1_DATA")
N_ITEMS = 80

pytestmark = pytest.mark.skipif(
    not FOLDER or not (Path(FOLDER) / "obd" / "obd_all.npz").exists(),
    reason="set SEG1_DATA to a folder that has obd/obd_all.npz",
)


class Bandits(NamedTuple):
    random: DecisionLog
    thompson: DecisionLog
    thompson_probability: Float64s  # (n_items, n_positions)
    expected: dict[str, dict[str, float]]

    def thompson_policy(self, states: States) -> Float64s:
        probs: Float64s = self.thompson_probability.T[states.context.argmax(axis=1)]
        return probs

    def random_policy(self, states: States) -> Float64s:
        return np.full((len(states), N_ITEMS), 1 / N_ITEMS)


@pytest.fixture(scope="module")
def bandits() -> Bandits:
    folder = Path(FOLDER or "") / "obd"
    expected = json.loads((folder / "expected.json").read_text())
    with np.load(folder / "obd_all.npz") as arrays:
        random, thompson = (
            make_log(
                action_prob=arrays[f"{name}_action_prob"],
                arm=arrays[f"{name}_item"],
                reward=arrays[f"{name}_click"].astype(float),
                customer=np.arange(10_000),  # whose impressions they are was not published
                n_arms=N_ITEMS,
                context=np.eye(3)[arrays[f"{name}_position"]],
            )
            for name in ("random", "bts")
        )
        return Bandits(random, thompson, arrays["bts_probability"], expected)


def test_ips_and_snips_are_the_reference_to_the_last_digits(bandits: Bandits) -> None:
    estimates = bandits.expected["estimates"]

    ips = value(bandits.random, policy=bandits.thompson_policy, estimator="ips")
    snips = value(bandits.random, policy=bandits.thompson_policy, estimator="snips")

    assert ips.estimate == pytest.approx(estimates["ipw"], rel=1e-12)
    assert snips.estimate == pytest.approx(estimates["snipw"], rel=1e-12)


def test_dr_is_near_the_reference_which_has_another_reward_model(bandits: Bandits) -> None:
    # The reference learns one rate per item and position, from the very rows it is applied to.
    found = value(bandits.random, policy=bandits.thompson_policy)

    assert abs(found.estimate - bandits.expected["estimates"]["dr"]) < 0.1 * found.se
    assert found.low < bandits.expected["on_policy_bts"]["value"] < found.high


def test_the_other_way_round_the_log_does_not_support_it(bandits: Bandits) -> None:
    with pytest.raises(NotSupportedError) as refused:
        value(bandits.thompson, policy=bandits.random_policy)

    assert "effective sample size 340.4 customers (at least 400)" in str(refused.value)
    assert "its weight is 277.8" in str(refused.value)


def test_with_an_open_gate_the_other_way_round_is_the_reference_too(bandits: Bandits) -> None:
    gate = Gate(min_ess=300, max_weight_share=0.05)
    reverse, weights = (
        bandits.expected["reverse_random_from_bts"],
        bandits.expected["reverse_weights"],
    )

    ips = value(bandits.thompson, policy=bandits.random_policy, estimator="ips", gate=gate)
    snips = value(bandits.thompson, policy=bandits.random_policy, estimator="snips", gate=gate)

    assert ips.estimate == pytest.approx(reverse["ipw"], rel=1e-12)
    assert snips.estimate == pytest.approx(reverse["snipw"], rel=1e-12)
    assert ips.mean_weight == pytest.approx(weights["mean"], rel=1e-12)
    assert ips.largest_weight == pytest.approx(weights["max"], rel=1e-12)
    assert ips.ess == pytest.approx(weights["ess"], rel=1e-12)


def test_the_rarest_item_as_a_target_has_weights_up_to_22_222_and_is_refused(
    bandits: Bandits,
) -> None:
    rarest = int(bandits.thompson.arm[bandits.thompson.action_prob.argmin()])

    def policy(states: States) -> Float64s:
        return np.tile(np.eye(N_ITEMS)[rarest], (len(states), 1))

    with pytest.raises(NotSupportedError, match="its weight is 22,222"):
        value(bandits.thompson, policy=policy)


def test_on_policy_it_is_the_click_rate_and_its_error(bandits: Bandits) -> None:
    expected = bandits.expected["on_policy_bts"]
    log = bandits.thompson

    def as_logged(states: States) -> Float64s:
        rows, n_others = states.at_us, N_ITEMS - 1  # the log numbers its rows by time
        rest = (1 - log.action_prob[rows, None]) / n_others
        probs: Float64s = np.repeat(rest, N_ITEMS, axis=1)
        probs[np.arange(len(rows)), log.arm[rows]] = log.action_prob[rows]
        return probs

    found = value(log, policy=as_logged, estimator="ips")

    assert found.estimate == pytest.approx(expected["value"], rel=1e-12)
    assert found.se == pytest.approx(expected["se"], rel=1e-9)
    assert found.ess == pytest.approx(expected["n"])
