"""Ratios over customers: against plain Python, and at their edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_measure import slow_ratio

from seg1.measure.intervals import Clusters, ratio, t_quantile


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), n_rows=st.integers(2, 60), n_customers=st.integers(2, 30))
def test_a_ratio_is_what_the_formula_says(seed: int, n_rows: int, n_customers: int) -> None:
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, n_customers, n_rows).astype(np.int32)
    customer[:2] = [0, 1]
    above, below = rng.standard_normal(n_rows), rng.uniform(0.1, 3.0, n_rows)
    slow = slow_ratio(above.tolist(), below.tolist(), customer.tolist())

    fast = ratio(above, below, Clusters.of(customer))

    assert fast.estimate == pytest.approx(slow.estimate, rel=1e-9, abs=1e-12)
    assert fast.se == pytest.approx(slow.se, rel=1e-9, abs=1e-12)
    assert fast.pull @ fast.pull == pytest.approx(fast.se**2)


def test_with_one_row_each_it_is_the_textbook_error_of_a_mean() -> None:
    values = np.random.default_rng(1).standard_normal(50)

    found = ratio(values, np.ones(50), Clusters.of(np.arange(50, dtype=np.int32)))

    assert found.estimate == values.mean()
    assert found.se == pytest.approx(values.std(ddof=1) / 50**0.5)


def test_one_customer_has_no_error_that_could_be_told() -> None:
    found = ratio(np.ones(3), np.ones(3), Clusters.of(np.zeros(3, np.int32)))

    assert found.estimate == 1.0
    assert np.isnan(found.se)


def test_customers_without_rows_do_not_count() -> None:
    clusters = Clusters.of(np.array([9, 2, 9], np.int32))

    assert len(clusters) == 2
    assert clusters.codes.tolist() == [2, 9]
    assert clusters.sums(np.array([1.0, 2.0, 4.0])).tolist() == [2.0, 5.0]


def test_no_rows_are_no_customers() -> None:
    assert len(Clusters.of(np.zeros(0, np.int32))) == 0


@pytest.mark.parametrize(
    ("level", "n_customers", "reach"),
    [(0.95, 2, 12.7062), (0.95, 11, 2.2281), (0.9, 31, 1.6973), (0.99, 10**9, 2.5758)],
)
def test_quantiles_are_those_of_the_tables(level: float, n_customers: int, reach: float) -> None:
    assert t_quantile(level, n_customers=n_customers) == pytest.approx(reach, abs=1e-4)
