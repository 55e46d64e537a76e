"""The simulated truth: rates from counts, and answers that a seed and a decision decide."""

import numpy as np
import pytest

from seg1._types import Float64s, Int64s
from seg1.demo.campaigns import MIN_MAILED, N_ITEMS, Campaigns, count_campaigns
from seg1.demo.extract import load_extract
from seg1.demo.simulator import STRENGTH, Simulator, main_effects, rates_of


@pytest.fixture(scope="module")
def campaigns() -> Campaigns:
    extract = load_extract()
    return count_campaigns(extract, split_us=extract.week_us(45))


def slow_margins(mailed: Int64s, redeemed: Int64s) -> list[list[float]]:
    """Rates a campaign's factor times a segment's, by plain loops until nothing moves."""
    n_campaigns, n_segments = mailed.shape
    of_campaign, of_segment = [0.0] * n_campaigns, [1.0] * n_segments
    for _ in range(2_000):
        for c in range(n_campaigns):
            expected = sum(mailed[c, s] * of_segment[s] for s in range(n_segments))
            of_campaign[c] = redeemed[c].sum() / expected if expected else 0.0
        for s in range(n_segments):
            expected = sum(mailed[c, s] * of_campaign[c] for c in range(n_campaigns))
            of_segment[s] = redeemed[:, s].sum() / expected if expected else 0.0
    return [[min(a * b, 1.0) for b in of_segment] for a in of_campaign]


def slow_rates(mailed: Int64s, redeemed: Int64s) -> list[list[float]]:
    margins = slow_margins(mailed, redeemed)
    return [
        [
            (int(redeemed[c, s]) + STRENGTH * margins[c][s]) / (int(mailed[c, s]) + STRENGTH)
            for s in range(mailed.shape[1])
        ]
        for c in range(len(mailed))
    ]


def test_rates_are_those_of_a_slow_twin(campaigns: Campaigns) -> None:
    rates = rates_of(campaigns.n_mailed, campaigns.n_redeemed)

    expected = slow_rates(campaigns.n_mailed, campaigns.n_redeemed)
    np.testing.assert_allclose(rates, expected, rtol=1e-9, atol=1e-12)


def test_margins_give_each_campaign_and_each_segment_its_redemptions(campaigns: Campaigns) -> None:
    expected = main_effects(campaigns.n_mailed, campaigns.n_redeemed) * campaigns.n_mailed

    np.testing.assert_allclose(expected.sum(axis=1), campaigns.n_redeemed.sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(expected.sum(axis=0), campaigns.n_redeemed.sum(axis=0), atol=1e-6)


def test_many_households_speak_for_themselves_and_few_are_smoothed() -> None:
    mailed = np.array([[1_000_000, 1], [1_000, 1_000]])
    redeemed = np.array([[500_000, 1], [100, 200]])

    rates = rates_of(mailed, redeemed)

    assert rates[0, 0] == pytest.approx(0.5, abs=1e-3)
    assert rates[0, 1] < 1.0
    assert ((rates >= 0) & (rates <= 1)).all()


def test_a_campaign_that_nobody_redeemed_has_rate_0() -> None:
    rates = rates_of(np.array([[50, 50], [50, 50]]), np.array([[0, 0], [5, 10]]))

    assert rates[0].tolist() == [0.0, 0.0]


def test_counts_are_those_of_plain_sets(campaigns: Campaigns) -> None:
    extract = load_extract()
    of = {name: table["household_id"] for name, table in vars_of(extract).items()}
    where = {name: table["campaign_id"] == 18 for name, table in vars_of(extract).items()}
    mailed, redeemed = (set(of[name][where[name]].tolist()) for name in ("mailed", "redeemed"))
    place = campaigns.ids.index(18)

    for segment in range(3):
        own = {h for h in mailed if campaigns.segment_of[h] == segment}
        assert campaigns.n_mailed[place, segment] == len(own)
        assert campaigns.n_redeemed[place, segment] == len(own & redeemed)


def vars_of(extract: object) -> dict[str, dict[str, Int64s]]:
    return {"mailed": extract.mailings, "redeemed": extract.redemptions}  # type: ignore[attr-defined]  # an Extract


def test_campaigns_are_chosen_by_mailings_alone_and_items_were_bought(campaigns: Campaigns) -> None:
    extract = load_extract()
    ids, counts = np.unique(extract.mailings["campaign_id"], return_counts=True)

    assert list(campaigns.ids) == ids[counts >= MIN_MAILED].tolist()
    assert len(campaigns.ids) == 16
    assert all(0 < len(items) <= N_ITEMS for items in campaigns.items)
    covered = set(
        extract.coupons["product_id"][extract.coupons["campaign_id"] == campaigns.ids[0]].tolist()
    )
    assert set(campaigns.items[0]) <= covered


def test_segments_are_thirds_by_lines_before_the_split(campaigns: Campaigns) -> None:
    extract = load_extract()
    before = extract.receipts["time"] < extract.week_us(45)
    households, counts = np.unique(extract.receipts["household_id"][before], return_counts=True)
    n_lines = dict(zip(households.tolist(), counts.tolist(), strict=True))

    sizes = np.bincount(list(campaigns.segment_of.values()))
    most = [max(n_lines.get(h, 0) for h in segment(campaigns, s)) for s in range(3)]
    least = [min(n_lines.get(h, 0) for h in segment(campaigns, s)) for s in range(3)]

    assert sizes.sum() == 800
    assert sizes.min() >= 260
    assert most[0] < least[1] <= most[1] < least[2]


def segment(campaigns: Campaigns, which: int) -> list[int]:
    return [int(h) for h, s in campaigns.segment_of.items() if s == which]


def answers(rates: Float64s, *, seed: int) -> list[bool]:
    simulator = Simulator(rates=rates, seed=seed)
    return [simulator.redeems(f"visit-{n}", campaign=0, segment=0) for n in range(2_000)]


def test_answers_follow_from_seed_and_decision_and_come_at_their_rate() -> None:
    rates = np.array([[0.3]])

    assert answers(rates, seed=1) == answers(rates, seed=1)
    assert answers(rates, seed=1) != answers(rates, seed=2)
    assert np.mean(answers(rates, seed=1)) == pytest.approx(0.3, abs=0.04)


def test_a_higher_rate_only_adds_redemptions() -> None:
    few, many = (answers(np.array([[rate]]), seed=1) for rate in (0.2, 0.4))

    assert all(more for less, more in zip(few, many, strict=True) if less)


def test_an_answer_comes_within_two_days() -> None:
    simulator = Simulator(rates=np.array([[1.0]]), seed=1)

    waits = [simulator.wait_us(f"visit-{n}") for n in range(500)]

    assert 0 <= min(waits) < max(waits) <= 2 * 86_400 * 1_000_000
    assert len(set(waits)) > 490
