"""What a posterior reads off the arms of a selector."""

import math

import numpy as np
import pytest

from seg1._types import Float64s
from seg1.bandit.posteriors.posterior import Layout
from seg1.offers import Arms, Goal, Offer


def features_of(*offers: Offer) -> Float64s:
    return Layout.of(Arms.of(offers, goal=Goal.response())).features


def test_features_count_alike_whatever_their_unit_and_number() -> None:
    warm, cold = ({"hot": 80.0, "size": 0.3}, {"size": 0.4})

    features = features_of(Offer("tea", features=warm), Offer("cola", features=cold))

    # Over the root mean square of each, and the root of their number; no offer has none.
    size = math.sqrt((0.3**2 + 0.4**2) / 2)
    expected = [[1.0, math.sqrt(2), 0.3 / size], [1.0, 0.0, 0.4 / size], [1.0, 0.0, 0.0]]
    expected = [[row[0], *(told / math.sqrt(2) for told in row[1:])] for row in expected]
    assert features == pytest.approx(np.array(expected))


def test_a_feature_that_is_0_of_every_offer_tells_nothing() -> None:
    features = features_of(Offer("tea", features={"hot": 0.0, "size": 2.0}))

    assert features == pytest.approx(np.array([[1.0, 0.0, math.sqrt(0.5)], [1.0, 0.0, 0.0]]))


def test_each_slot_is_a_feature_where_there_are_several() -> None:
    features = features_of(Offer("tea", slots=["now", "later"]), Offer("cola"))

    # tea now, tea later, cola, no offer: of the three that are shown one has each slot.
    told = math.sqrt(3) / math.sqrt(2)
    assert features == pytest.approx(np.array([[1, told, 0], [1, 0, told], [1, 0, 0], [1, 0, 0]]))


def test_one_slot_alone_is_no_feature() -> None:
    features = features_of(Offer("tea", slots=["now"]), Offer("cola"))

    assert features.tolist() == [[1.0], [1.0], [1.0]]


def test_what_nothing_is_told_of_has_an_intercept_alone() -> None:
    assert features_of(Offer("tea"), Offer("cola")).tolist() == [[1.0], [1.0], [1.0]]
