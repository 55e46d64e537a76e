"""`Catalogue`: what is in force, and the version that names it."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.offers import Catalogue, Offer, Placement

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
COFFEE = Offer("coffee", items=[1], cost=0.3, prices=[1.29, 0.99], features={"a": 1, "b": 2})
TILL = Placement("till", confirm=False)


def adults(customer_id: Id, context: Mapping[str, object]) -> bool:  # noqa: ARG001  # an Audience
    return True


def test_a_placement_that_was_not_declared_has_the_default_windows() -> None:
    catalogue = Catalogue([COFFEE], placements=[TILL])

    assert catalogue.placement("till") is TILL
    app, default = catalogue.placement("app"), Placement("app")
    assert (app.confirm, app.exposure_us) == (default.confirm, default.exposure_us)
    assert app.outcome_us == default.outcome_us


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "tea"},
        {"items": [2]},
        {"cost": 0.31},
        {"prices": [1.29]},
        {"prices": [], "worth": 1.0},
        {"slots": ["now"]},
        {"features": {"a": 1, "b": 3}},
        {"group": "drinks"},
        {"placements": ["till"]},
        {"valid_from": NOON},
        {"valid_until": NOON},
        {"stock": 0},
        {"audience": adults},
    ],
)
def test_the_version_changes_with_any_part_of_an_offer(changed: dict[str, object]) -> None:
    other = replace(COFFEE, **changed)  # type: ignore[arg-type]  # each is of its field's type

    assert Catalogue([other]).version != Catalogue([COFFEE]).version


@pytest.mark.parametrize(
    "changed", [{"id": "app"}, {"confirm": True}, {"exposure_hours": 1.0}, {"outcome_days": 9.0}]
)
def test_the_version_changes_with_any_part_of_a_placement(changed: dict[str, object]) -> None:
    other = replace(TILL, **changed)  # type: ignore[arg-type]  # each is of its field's type

    version = Catalogue([COFFEE], placements=[TILL]).version
    assert Catalogue([COFFEE], placements=[other]).version != version
    assert Catalogue([COFFEE]).version != version


def test_the_version_does_not_change_with_how_the_same_is_written() -> None:
    there = timezone(timedelta(hours=9))
    plain = Offer(7, cost=1.0, features={"a": 1.0, "b": 2.0}, stock=3, valid_from=NOON)
    other = Offer(
        np.int64(7),  # type: ignore[arg-type]  # numpy's numbers come in from tables
        cost=1,
        features={"b": np.float32(2), "a": 1},  # type: ignore[dict-item]  # as above
        stock=np.int64(3),  # type: ignore[arg-type]  # as above
        valid_from=NOON.astimezone(there),
    )
    windows = Placement("till", outcome_days=np.float64(7), exposure_hours=24)

    assert Catalogue([other]).version == Catalogue([plain]).version
    assert (
        Catalogue([plain], placements=[windows]).version
        == Catalogue((plain,), placements=(Placement("till"),)).version
    )


def test_ids_of_two_kinds_do_not_share_a_version() -> None:
    assert Catalogue([Offer(1)]).version != Catalogue([Offer("1")]).version


def test_the_version_is_the_same_in_every_process() -> None:
    code = (
        "from seg1.offers import *;"
        "print(Catalogue([Offer('coffee', items=[1], cost=0.3, prices=[1.29, 0.99],"
        "features={'b': 2, 'a': 1})], placements=[Placement('till', confirm=False)]).version)"
    )

    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    ]

    assert told == [Catalogue([COFFEE], placements=[TILL]).version] * 2
    assert len(told[0]) == 16


def test_equal_catalogues_are_equal_and_hash_alike() -> None:
    first, second = (Catalogue([COFFEE], placements=[TILL]) for _ in range(2))

    assert {first, second} == {first}


def test_two_of_one_id_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="offers must have ids that differ"):
        Catalogue([COFFEE, COFFEE])
    with pytest.raises(InvalidArgumentError, match="placements must have ids that differ"):
        Catalogue([COFFEE], placements=[TILL, TILL])


@pytest.mark.parametrize(
    ("offers", "placements", "message"),
    [
        (["tea"], [], "offers must hold Offer only, got str"),
        ([TILL], [], "offers must hold Offer only, got Placement"),
        ([COFFEE], ["till"], "placements must hold Placement only, got str"),
        ([COFFEE], "till", "placements must be a list or tuple, got str"),
        (COFFEE, [], "offers must be a list or tuple, got Offer"),
    ],
)
def test_what_is_no_offer_or_placement_is_refused(
    offers: object, placements: object, message: str
) -> None:
    with pytest.raises(InvalidTypeError, match=message):
        Catalogue(offers, placements=placements)  # type: ignore[arg-type]  # on purpose
