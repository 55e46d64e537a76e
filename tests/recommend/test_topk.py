"""Top-k by given scores: equal to a full sort, whatever the mask and the ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_rank import random_factors, slow_best

from seg1.recommend.ranking.topk import exact_scores, top_by_score
from seg1.testing.strategies import masks


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_ranking_by_score_equals_a_sort(data: st.DataObject) -> None:
    values = st.one_of(st.sampled_from([0.0, -1.0, 0.5]), st.floats(-1e300, 1e300))
    scores = np.array(data.draw(st.lists(values, max_size=40)), np.float64)
    allowed = data.draw(st.one_of(st.none(), masks(n=len(scores))))
    n = data.draw(st.integers(0, 50))

    best = top_by_score(scores, n=n, allowed=allowed)

    assert best.dtype == np.int32
    assert best.tolist() == slow_best(scores, n=n, allowed=allowed)


@pytest.mark.parametrize("n", [1, 10, 300, 999])
def test_of_many_that_tie_at_the_cut_the_first_items_are_taken(n: int) -> None:
    scores = np.random.default_rng(6).integers(0, 3, 1_000).astype(np.float64)

    best = top_by_score(scores, n=n)

    assert best.tolist() == slow_best(scores, n=n)


def test_a_score_has_the_same_bits_whichever_rows_stand_beside_it() -> None:
    item_factors = random_factors(3, n_items=500, n_factors=37, scale=1.0)
    factor = np.random.default_rng(4).standard_normal(37)

    together = exact_scores(item_factors, factor)
    alone = [exact_scores(item_factors[i : i + 1], factor)[0] for i in range(500)]

    assert together.tolist() == alone
