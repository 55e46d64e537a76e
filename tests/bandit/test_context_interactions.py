"""`ContextSchema(interactions=...)`: products of two fields, by a slow twin."""

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1.bandit import ContextSchema
from seg1.errors import InvalidArgumentError, InvalidTypeError

RANGES: dict[str, tuple[float, float]] = {"hour": (0, 24), "visits": (-5, 5)}
VALUES = {"channel": ["app", "till"], "daypart": ["am", "pm", "night"]}
ALL_PAIRS = list(permutations([*RANGES, *VALUES], 2))
ROOT = 1 / math.sqrt(3)
SCHEMA = ContextSchema(
    numeric={"hour": (0, 24)},
    categorical={"channel": ["app", "till"]},
    interactions=[("hour", "channel")],
)


def told_of(name: str, context: dict[str, Any]) -> dict[str, float]:
    """The features of one field that are not 0, by name; none where it is missing."""
    value = context.get(name)
    if value is None:
        return {}
    if name in RANGES:
        low, high = RANGES[name]
        return {name: min(max(2 * (value - low) / (high - low) - 1, -1), 1)}
    return {f"{name}={value}" if value in VALUES[name] else f"{name}:other": 1.0}


def slowly(context: dict[str, Any], pairs: list[tuple[str, str]]) -> dict[str, float]:
    """The twin: the features that are not 0, by name, one after the other."""
    fields = [*RANGES, *VALUES]
    features: dict[str, float] = {}
    for name in fields:
        features |= told_of(name, context) or {f"{name}:missing": 1.0}
    for left, right in pairs:
        are_words = left in VALUES and right in VALUES
        for one, x in told_of(left, context).items():
            for other, y in told_of(right, context).items():
                if not (are_words and (one.endswith(":other") or other.endswith(":other"))):
                    features[f"{one}*{other}"] = x * y
    scale = 1 / math.sqrt(len(fields) + len(pairs))
    told = {name: scale * value for name, value in features.items() if value}
    return {"intercept": 1.0} | told


CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "hour": st.none() | st.floats(-100, 100),
        "visits": st.none() | st.integers(-9, 9),
        "channel": st.none() | st.sampled_from(["app", "till", "kiosk"]),
        "daypart": st.none() | st.sampled_from(["am", "pm", "night", "noon"]),
    },
)


@given(CONTEXTS, st.lists(st.sampled_from(ALL_PAIRS), unique_by=frozenset))
def test_a_vector_is_the_one_worked_out_slowly(
    context: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    schema = ContextSchema(numeric=RANGES, categorical=VALUES, interactions=pairs)

    x = schema.encode(context)

    by_name = dict(zip(schema.names, x.tolist(), strict=True))
    expected = dict.fromkeys(schema.names, 0.0) | slowly(context, pairs)
    assert by_name == pytest.approx(expected, abs=1e-15)
    assert 1.0 <= x @ x <= 2.0 + 1e-12


@pytest.mark.parametrize(
    ("pair", "names"),
    [
        (("hour", "visits"), ["hour*visits"]),
        (("channel", "hour"), ["channel=app*hour", "channel=till*hour", "channel:other*hour"]),
        (
            ("channel", "daypart"),
            [
                "channel=app*daypart=am", "channel=app*daypart=pm", "channel=app*daypart=night",
                "channel=till*daypart=am", "channel=till*daypart=pm", "channel=till*daypart=night",
            ],
        ),
    ],
)  # fmt: skip
def test_products_come_last_and_are_named_by_what_they_multiply(
    pair: tuple[str, str], names: list[str]
) -> None:
    without = ContextSchema(numeric=RANGES, categorical=VALUES)
    schema = ContextSchema(numeric=RANGES, categorical=VALUES, interactions=[pair])

    assert schema.names == (*without.names, *names)
    assert schema.encode({}).shape == (schema.n_features,)


@pytest.mark.parametrize("context", [{"hour": 24}, {"channel": "app"}, {}])
def test_where_either_is_missing_the_product_is_0(context: dict[str, object]) -> None:
    assert SCHEMA.encode(context)[-3:].tolist() == [0.0, 0.0, 0.0]


def test_a_product_has_the_scale_of_all_features() -> None:
    x = SCHEMA.encode({"hour": 18, "channel": "till"})

    assert x[-3:].tolist() == pytest.approx([0.0, ROOT / 2, 0.0])
    assert x[1] == pytest.approx(ROOT / 2)


def test_the_version_of_a_schema_without_interactions_is_what_it_was() -> None:
    plain = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app", "till"]})

    assert plain.version == "777c6bc5f83818cf"
    assert ContextSchema(interactions=[]).version == "a683096011db3975"


def test_the_version_tells_interactions_apart() -> None:
    schemas = [
        ContextSchema(numeric=RANGES, categorical=VALUES, interactions=pairs)
        for pairs in ([], [("hour", "visits")], [("visits", "hour")], [("hour", "channel")])
    ]

    assert len({schema.version for schema in schemas}) == len(schemas)
    same = ContextSchema(numeric=RANGES, categorical=VALUES, interactions=(["hour", "visits"],))  # type: ignore[arg-type]  # a list is told as a tuple
    assert same.version == schemas[1].version
    assert same == schemas[1]


@pytest.mark.parametrize(
    ("interactions", "error", "message"),
    [
        ([("hour", "price")], InvalidArgumentError, "a field that is not declared: 'price'"),
        ([("hour", 3)], InvalidArgumentError, "a field that is not declared: 3"),
        ([("hour", "hour")], InvalidArgumentError, "two fields each"),
        ([("hour", "channel")] * 2, InvalidArgumentError, "name no two fields twice"),
        (
            [("hour", "channel"), ("channel", "hour")],
            InvalidArgumentError,
            "name no two fields twice",
        ),
        ([("hour",)], InvalidTypeError, "must hold pairs of names only"),
        (["hour"], InvalidTypeError, "must hold pairs of names only"),
        ([3], InvalidTypeError, "must hold pairs of names only"),
        ("hour", InvalidTypeError, "must be a list of pairs"),
        ({"hour": "channel"}, InvalidTypeError, "must be a list of pairs"),
    ],
)
def test_interactions_that_cannot_be_used_are_refused(
    interactions: Any,  # noqa: ANN401
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        ContextSchema(numeric=RANGES, categorical=VALUES, interactions=interactions)


def test_a_field_named_like_a_product_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="two features would have one name"):
        ContextSchema(numeric={"a": (0, 1), "b": (0, 1), "a*b": (0, 1)}, interactions=[("a", "b")])


def test_a_vector_of_products_is_the_callers_own() -> None:
    SCHEMA.encode({"hour": 24, "channel": "app"})[:] = 9.0

    assert np.count_nonzero(SCHEMA.encode({})) == 3  # the intercept, and that both are missing
