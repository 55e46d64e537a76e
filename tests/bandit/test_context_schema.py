"""`ContextSchema`: what is declared, what is encoded, and what is refused."""

import math
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1.bandit import ContextSchema
from seg1.errors import InvalidArgumentError, InvalidTypeError

SCHEMA = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["app", "till"]})
ROOT = 1 / math.sqrt(2)


def by_name(context: dict[str, object], schema: ContextSchema = SCHEMA) -> dict[str, float]:
    """The features that are not 0, by name."""
    x = schema.encode(context).tolist()
    return {name: value for name, value in zip(schema.names, x, strict=True) if value}


@pytest.mark.parametrize(
    ("context", "features"),
    [
        ({"hour": 24, "channel": "app"}, {"hour": ROOT, "channel=app": ROOT}),
        ({"hour": 0.0, "channel": "till"}, {"hour": -ROOT, "channel=till": ROOT}),
        ({"hour": 12, "channel": "kiosk"}, {"channel:other": ROOT}),
        ({"hour": np.int32(18)}, {"hour": ROOT / 2, "channel:missing": ROOT}),
        ({"channel": None}, {"hour:missing": ROOT, "channel:missing": ROOT}),
        ({}, {"hour:missing": ROOT, "channel:missing": ROOT}),
    ],
)
def test_a_context_becomes_the_features_it_names(
    context: dict[str, object], features: dict[str, float]
) -> None:
    assert by_name(context) == pytest.approx({"intercept": 1.0} | features)


@pytest.mark.parametrize(("hour", "encoded"), [(25, ROOT), (1e300, ROOT), (-3, -ROOT)])
def test_a_number_outside_its_range_counts_as_the_end_of_it(hour: float, encoded: float) -> None:
    assert SCHEMA.encode({"hour": hour})[1] == encoded


def test_without_fields_all_moments_are_alike() -> None:
    schema = ContextSchema()

    assert schema.encode({}).tolist() == [1.0]
    assert (schema.names, schema.n_features) == (("intercept",), 1)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(-1e9, 1e9) | st.none()),
    st.dictionaries(st.sampled_from(["d", "e"]), st.text(max_size=3) | st.none()),
)
def test_the_squared_norm_lies_between_1_and_2(
    numbers: dict[str, float | None], words: dict[str, str | None]
) -> None:
    schema = ContextSchema(
        numeric={"a": (0, 1), "b": (-5, 5), "c": (1e3, 1e6)},
        categorical={"d": ["x"], "e": ["x", "y"]},
    )

    x = schema.encode({**numbers, **words})

    assert x.dtype == np.float64
    assert x.shape == (schema.n_features,)
    assert 1.0 <= x @ x <= 2.0 + 1e-12


def test_the_order_of_the_keys_and_the_kind_of_mapping_do_not_matter() -> None:
    one = SCHEMA.encode({"hour": 3, "channel": "app"})
    other = SCHEMA.encode(MappingProxyType({"channel": "app", "hour": 3}))

    assert one.tolist() == other.tolist()


def test_an_encoded_vector_is_the_callers_own() -> None:
    SCHEMA.encode({})[:] = 9.0

    assert SCHEMA.encode({})[0] == 1.0


@pytest.mark.parametrize(
    ("context", "error", "message"),
    [
        ({"daypart": 1}, InvalidArgumentError, "not declared: 'daypart'; declared: hour, channel"),
        ({7: 1}, InvalidArgumentError, "not declared: a int"),
        ({"hour": math.nan}, InvalidArgumentError, r"context\['hour'\] must be finite; leave"),
        ({"hour": -math.inf}, InvalidArgumentError, "must be finite"),
        ({"hour": 10**400}, InvalidArgumentError, "must be finite"),
        ({"hour": "8"}, InvalidTypeError, r"context\['hour'\] must be a number, got str"),
        ({"hour": True}, InvalidTypeError, "must be a number, got bool"),
        ({"hour": Decimal(8)}, InvalidTypeError, "must be a number, got Decimal"),
        ({"channel": 3}, InvalidTypeError, r"context\['channel'\] must be a str, got int"),
        ([("hour", 8)], InvalidTypeError, "context must be a mapping, got list"),
    ],
)
def test_what_cannot_be_encoded_is_refused(
    context: Any,  # noqa: ANN401
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        SCHEMA.encode(context)


def test_no_message_holds_a_value_of_the_context() -> None:
    with pytest.raises(InvalidTypeError) as raised:
        SCHEMA.encode({"hour": "secret"})

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("declared", "error", "message"),
    [
        ({"numeric": {"a": (1, 1)}}, InvalidArgumentError, "must have low < high"),
        ({"numeric": {"a": (-1e308, 1e308)}}, InvalidArgumentError, "must have low < high"),
        ({"numeric": {"a": (0, math.inf)}}, InvalidArgumentError, "range .* of finite numbers"),
        ({"numeric": {"a": (0, 1, 2)}}, InvalidArgumentError, "must be a range"),
        ({"numeric": {"a": 3}}, InvalidArgumentError, "must be a range"),
        ({"numeric": {"": (0, 1)}}, InvalidArgumentError, "names in numeric"),
        ({"numeric": ["a"]}, InvalidTypeError, "numeric must be a mapping, got list"),
        ({"categorical": {"a": []}}, InvalidArgumentError, "one value or more"),
        ({"categorical": {"a": ["x", "x"]}}, InvalidArgumentError, "all different"),
        ({"categorical": {"a": "xy"}}, InvalidTypeError, "must be a list of strings"),
        ({"categorical": {"a": ["x", 3]}}, InvalidTypeError, "non-empty strings only"),
        (
            {"numeric": {"a": (0, 1)}, "categorical": {"a": ["x"]}},
            InvalidArgumentError,
            "either numeric or categorical",
        ),
        (
            {"numeric": {"a": (0, 1), "a:missing": (0, 1)}},
            InvalidArgumentError,
            "two features would have one name, 'a:missing'; rename a field or a value",
        ),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(
    declared: Any,  # noqa: ANN401
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        ContextSchema(**declared)


def test_a_declared_value_called_other_is_not_the_other_values() -> None:
    schema = ContextSchema(categorical={"a": ["other"]})

    assert by_name({"a": "other"}, schema) == {"intercept": 1.0, "a=other": 1.0}
    assert by_name({"a": "else"}, schema) == {"intercept": 1.0, "a:other": 1.0}


def test_a_field_whose_name_ends_like_an_indicator_is_not_taken_for_one() -> None:
    schema = ContextSchema(categorical={"a": ["b:missing"]}, numeric={"n:missing": (0, 2)})

    assert by_name({"a": "x", "n:missing": 1}, schema) == pytest.approx(
        {"intercept": 1.0, "a:other": ROOT}
    )


def test_the_version_follows_what_is_declared() -> None:
    same = ContextSchema(numeric={"hour": (0.0, 24)}, categorical={"channel": ("app", "till")})
    turned = ContextSchema(numeric={"hour": (0, 24)}, categorical={"channel": ["till", "app"]})

    assert SCHEMA.version == same.version
    assert same == SCHEMA
    assert len({SCHEMA.version, turned.version, ContextSchema().version}) == 3


@pytest.mark.parametrize(
    "name",
    [
        "mood",
        "user_mood",
        "heart_rate",
        "heartRate",
        "HealthScore",
        "bmi",
        "is_pregnant",
        "voice-print",
    ],
)
def test_a_feature_of_a_special_category_needs_a_basis(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="sounds like a special category") as refused:
        ContextSchema(numeric={name: (0, 1)})

    assert f"special={{{name!r}: 'explicit consent'}}" in str(refused.value)
    schema = ContextSchema(numeric={name: (0, 1)}, special={name: "explicit consent"})
    assert schema.special == {name: "explicit consent"}


@pytest.mark.parametrize("name", ["hour", "paint", "racecar", "interface", "days_since_visit"])
def test_other_features_need_none(name: str) -> None:
    assert dict(ContextSchema(categorical={name: ["a"]}).special) == {}


def test_what_no_word_tells_can_be_declared_special() -> None:
    schema = ContextSchema(numeric={"index_7": (0, 1)}, special={"index_7": "explicit consent"})

    assert schema.encode({"index_7": 1.0}).shape == (3,)


@pytest.mark.parametrize(
    ("special", "error", "message"),
    [
        ({"hour": ""}, InvalidArgumentError, "must say the basis"),
        ({"hour": 1}, InvalidArgumentError, "must say the basis"),
        ({"other": "consent"}, InvalidArgumentError, "is not declared"),
        (["hour"], InvalidTypeError, "special must be a mapping, got list"),
    ],
)
def test_a_basis_is_words_for_a_declared_feature(
    special: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ContextSchema(numeric={"hour": (0, 24)}, special=special)
