"""`Offer` and `Placement`: what they accept, keep, and refuse."""

import enum
import math
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError, Seg1Error
from seg1.offers import Offer, Placement

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Size(enum.StrEnum):
    SMALL = "small"


def test_an_offer_keeps_what_it_was_given() -> None:
    offer = Offer(
        "coffee",
        items=[981760],
        cost=0.30,
        prices=[1.29, 0.99],
        slots=["now", "saturday"],
        features={"size": 0.2},
        group="drinks",
        placements=["app-home"],
        stock=5,
    )

    assert (offer.items, offer.prices, offer.slots) == (
        (981760,),
        (1.29, 0.99),
        ("now", "saturday"),
    )
    assert (offer.cost, offer.worth, offer.stock) == (0.30, None, 5)
    assert (offer.features, offer.group, offer.placements) == (
        {"size": 0.2},
        "drinks",
        ("app-home",),
    )


def test_subclasses_of_plain_values_become_plain() -> None:
    offer = Offer(
        np.int64(7),  # type: ignore[arg-type]  # numpy's numbers come in from tables
        items=[np.int32(1)],  # type: ignore[list-item]  # as above
        cost=np.float32(0.5),  # type: ignore[arg-type]  # as above
        features={"size": np.float64(2)},
        stock=np.int64(3),  # type: ignore[arg-type]  # as above
    )
    worthy = Offer(Size.SMALL, worth=2)

    assert type(offer.id) is int
    assert type(offer.items[0]) is int
    assert type(offer.cost) is type(offer.features["size"]) is float
    assert type(offer.stock) is int
    assert (type(worthy.id), worthy.id, type(worthy.worth)) == (str, "small", float)


def test_what_was_passed_can_change_afterwards_without_harm() -> None:
    prices, features = [2.0, 1.0], {"size": 1.0}
    offer = Offer("tea", prices=prices, features=features)

    prices.append(0.5)
    features["size"] = math.nan

    assert offer.prices == (2.0, 1.0)
    assert offer.features == {"size": 1.0}


def test_an_offer_is_frozen_and_equal_offers_hash_alike() -> None:
    offer = Offer("tea", prices=[2.0], features={"size": 1.0})

    with pytest.raises(FrozenInstanceError):
        offer.cost = 1.0  # type: ignore[misc]  # on purpose
    assert {offer, replace(offer)} == {offer}
    assert offer != replace(offer, features={"size": 2.0})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cost": -0.1}, "cost must be a finite number >= 0, got -0.1"),
        ({"cost": math.nan}, "cost must be a finite number >= 0, got nan"),
        ({"prices": [1.0, 1.0]}, r"prices must fall from the regular one, got \[1.0, 1.0\]"),
        ({"prices": [1.0, 2.0]}, "prices must fall"),
        ({"prices": [0.0]}, "a price must be a finite number > 0, got 0.0"),
        ({"prices": [math.inf]}, "a price must be a finite number > 0, got inf"),
        ({"prices": ["1"]}, "a price must be a finite number > 0, got '1'"),
        ({"prices": [True]}, "a price must be a finite number > 0, got True"),
        ({"worth": math.nan}, "worth must be a finite number"),
        ({"worth": 1.0, "prices": [2.0]}, "an offer has prices or a worth, not both"),
        ({"slots": [""]}, "slots must be non-empty strings"),
        ({"slots": ["now", "now"]}, "slots must differ from one another"),
        ({"slots": [1]}, "slots must be non-empty strings"),
        ({"group": ""}, "group must be non-empty strings"),
        ({"group": 5}, "group must be non-empty strings"),
        ({"placements": []}, "placements must name at least one, or be None for all"),
        ({"placements": ["app", "app"]}, "placements must differ from one another"),
        ({"features": {"size": math.inf}}, r"features\['size'\] must be a finite number"),
        ({"features": {"size": "big"}}, r"features\['size'\] must be a finite number"),
        ({"features": {1: 2.0}}, "names of features must be non-empty strings"),
        ({"stock": -1}, "stock must be an int >= 0, got -1"),
        ({"stock": 1.5}, "stock must be an int >= 0, got 1.5"),
        ({"items": [""]}, "empty id"),
        ({"valid_from": datetime(2026, 5, 1)}, "valid_from is a datetime without a time zone"),  # noqa: DTZ001  # on purpose
        ({"valid_from": NOON, "valid_until": NOON}, "valid_until must lie after valid_from"),
    ],
)
def test_a_bad_value_is_refused(arguments: Mapping[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Offer("tea", **arguments)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prices": 1.29}, "prices must be a list or tuple, got float"),
        ({"items": "milk"}, "items must be a list or tuple, got str"),
        ({"items": b"milk"}, "items must be a list or tuple, got bytes"),
        ({"items": [1.5]}, "id must be a str or an int, got float"),
        ({"slots": "now"}, "slots must be a list or tuple, got str"),
        ({"placements": "app"}, "placements must be a list or tuple, got str"),
        ({"features": [("size", 1.0)]}, "features must be a dict, got list"),
        ({"audience": "adults"}, r"audience must be callable with \(customer, context\), got str"),
        ({"valid_until": "tomorrow"}, "valid_until must be an aware datetime"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(
    arguments: Mapping[str, object], message: str
) -> None:
    with pytest.raises(InvalidTypeError, match=message):
        Offer("tea", **arguments)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("bad", ["", None, 1.0, True, "x" * 257])
def test_an_id_that_is_none_is_refused(bad: Id) -> None:
    with pytest.raises(Seg1Error, match="id"):
        Offer(bad)


def test_it_is_valid_from_then_until_then_in_any_time_zone() -> None:
    there = timezone(timedelta(hours=9))
    offer = Offer("tea", valid_from=NOON, valid_until=NOON.astimezone(there) + timedelta(days=1))
    noon_us = round(NOON.timestamp()) * 1_000_000

    assert list(offer.valid_us) == [noon_us, noon_us + 86_400_000_000]
    assert list(Offer("tea").valid_us) == [-math.inf, math.inf]


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=6, unique=True))
def test_prices_that_fall_are_accepted_and_no_other_order_is(prices: list[float]) -> None:
    falling = sorted(prices, reverse=True)

    assert Offer("tea", prices=falling).prices == tuple(falling)
    if prices != falling:
        with pytest.raises(InvalidArgumentError):
            Offer("tea", prices=prices)


def test_a_placement_knows_its_windows_in_microseconds() -> None:
    assert Placement("app").exposure_us == 24 * 3_600_000_000
    assert Placement("app").outcome_us == 7 * 86_400_000_000
    assert type(Placement("app", outcome_days=14).outcome_days) is float


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exposure_hours": 0}, "exposure_hours must be a finite number > 0, got 0"),
        ({"outcome_days": math.nan}, "outcome_days must be a finite number > 0, got nan"),
        ({"outcome_days": 1e9}, r"outcome_days must be at most 36,525 \(a century\), got 1e\+09"),
        ({"exposure_hours": 169}, "exposure_hours must not exceed outcome_days"),
        ({"confirm": "no"}, "confirm must be a bool, got str"),
    ],
)
def test_a_placement_refuses_a_bad_value(arguments: Mapping[str, object], message: str) -> None:
    with pytest.raises(Seg1Error, match=message):
        Placement("app", **arguments)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("bad", ["", 5, None])
def test_a_placement_has_a_name(bad: str) -> None:
    with pytest.raises(InvalidArgumentError, match="id must be non-empty strings"):
        Placement(bad)
