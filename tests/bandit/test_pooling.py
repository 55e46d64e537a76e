"""What customers answered themselves, partially pooled: exact against dense matrices."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1 import persist
from seg1._checks import DAY_US
from seg1._types import Float64s, Id
from seg1.bandit import Components, PartialPooling, PooledHistory
from seg1.errors import (
    DamagedError,
    InvalidArgumentError,
    InvalidTypeError,
    WrongIdTypeError,
)

POOLING = PartialPooling(half_life_days=10.0, noise_sd=0.4, prior_rows=3.0)
CUSTOMERS, SEGMENTS, GROUPS = range(5), (None, "new", "loyal"), (None, "tea")
LAST_DAY = 30


class Row(NamedTuple):
    customer: Id
    answer: float
    segment: Id | None
    group: Id | None
    day: int


ROWS = st.lists(
    st.builds(
        Row,
        customer=st.sampled_from(CUSTOMERS),
        answer=st.sampled_from([0.0, 1.0, 0.3]),
        segment=st.sampled_from(SEGMENTS),
        group=st.sampled_from(GROUPS),
        day=st.integers(0, LAST_DAY),
    ),
    max_size=25,
)


def fold(history: PooledHistory, row: Row) -> None:
    history.fold(
        row.customer,
        row.answer,
        expected=0.2,
        segment=row.segment,
        group=row.group,
        at_us=row.day * DAY_US + 7,
    )


def remove(history: PooledHistory, row: Row) -> None:
    history.remove(
        row.customer,
        row.answer,
        expected=0.2,
        segment=row.segment,
        group=row.group,
        at_us=row.day * DAY_US + 7,
    )


def folded(rows: list[Row], pooling: PartialPooling = POOLING) -> PooledHistory:
    history = pooling.start()
    for row in rows:
        fold(history, row)
    return history


def reckoned(history: PooledHistory) -> PooledHistory:
    """Let it be reckoned anew from all its rows."""
    return history.merge(history.configuration.start())


def effects(history: PooledHistory) -> list[float]:
    """All effects, of a customer and of a segment that are new, too."""
    return [
        history.effect(customer, segment, group=group)
        for customer in (*CUSTOMERS, 99)
        for segment in (*SEGMENTS, "unheard of")
        for group in (*GROUPS, "soup")
    ]


def some_rows(seed: int, *, n_rows: int = 60) -> list[Row]:
    rng = np.random.default_rng(seed)
    customers, segments = rng.standard_normal(5), rng.standard_normal(3)
    rows = []
    for _ in range(n_rows):
        c, s, g, day = rng.integers([5, 3, 2, LAST_DAY]).tolist()
        answer = float(customers[c] + segments[s] + 0.5 * rng.standard_normal() > 0)
        rows.append(Row(c, answer, SEGMENTS[s], GROUPS[g], day))
    return rows


class Dense:
    """The mixed model of all rows, by dense matrices: slow, and with no formula of ours."""

    def __init__(self, rows: list[Row], pooling: PartialPooling = POOLING) -> None:
        self.rows = rows
        self.half_life_days = pooling.half_life_days
        latest = max(row.day for row in rows)
        self.w = np.array([pooling.weight(latest - row.day) for row in rows])
        self.r = np.array([row.answer - 0.2 for row in rows])
        self.group = self.columns([row.group for row in rows])
        self.segment = self.columns([(row.group, row.segment) for row in rows])
        self.cell = self.columns([(row.group, row.segment, row.customer) for row in rows])
        self.prior_rows = pooling.prior_rows
        self.components = self.estimated(pooling.noise_sd)

    def columns(self, keys: list[Any]) -> Float64s:
        """An indicator for each distinct key, (n_rows, n_keys)."""
        self.keys = list(dict.fromkeys(keys))
        return np.array([[float(key == other) for other in self.keys] for key in keys])

    def estimated(self, noise_sd: float) -> Components:
        """Set three quadratic forms equal to their expectations, which are traces."""
        W = np.diag(self.w)
        explained = [self.explained(Z) for Z in (self.group, self.segment, self.cell)]
        within = W - explained[2]
        noise = (noise_sd**2 + self.r @ within @ self.r) / (1.0 + np.trace(within))
        customers, share = self.solved(
            explained[2] - explained[1], self.cell, known=noise * np.eye(len(W))
        )
        known = noise * np.eye(len(W)) + customers * self.cell @ self.cell.T
        segments, of_segments = self.solved(explained[1] - explained[0], self.segment, known=known)
        return Components(noise, share * customers, of_segments * segments)

    def explained(self, Z: Float64s) -> Float64s:
        """What weighted means of a factor's levels explain, as a quadratic form."""
        W = np.diag(self.w)
        form: Float64s = W @ Z @ np.linalg.pinv(Z.T @ W @ Z) @ Z.T @ W
        return form

    def solved(self, form: Float64s, Z: Float64s, *, known: Float64s) -> tuple[float, float]:
        """A variance, and what share of it is believed against rows of a variance of 0."""
        rate = float(np.trace(form @ Z @ Z.T))
        squares = float(self.r @ form @ self.r - np.trace(form @ known))
        if rate <= 1e-9 * self.w.sum():
            return 0.0, 0.0
        return max(squares / rate, 0.0), rate / (rate + self.prior_rows)

    def effect(self, row: Row) -> float:
        """The best linear unbiased predictor, after generalised least squares."""
        noise, customers, segments = self.components
        X = self.group
        V = noise * np.diag(1.0 / self.w)
        V += customers * self.cell @ self.cell.T + segments * self.segment @ self.segment.T
        precise = np.linalg.inv(V)
        beta = np.linalg.solve(X.T @ precise @ X, X.T @ precise @ self.r)
        beyond = precise @ (self.r - X @ beta)
        same = np.array(
            [(other.group, other.segment) == (row.group, row.segment) for other in self.rows]
        )
        own = same & np.array([other.customer == row.customer for other in self.rows])
        return float((segments * same + customers * own) @ beyond)


def all_questions() -> list[Row]:
    return [
        Row(customer, 0.0, segment, group, 0)
        for customer in (*CUSTOMERS, 99)
        for segment in (*SEGMENTS, "unheard of")
        for group in (*GROUPS, "soup")
    ]


@given(rows=ROWS.filter(bool))
def test_effects_are_those_of_dense_matrices(rows: list[Row]) -> None:
    history = reckoned(folded(rows))

    dense = Dense(rows)
    assert np.allclose(history.components, dense.components, rtol=1e-9, atol=1e-9)
    assert np.allclose(effects(history), [dense.effect(row) for row in all_questions()], atol=1e-9)


def test_the_twin_has_something_to_find() -> None:
    least = [min(Dense(some_rows(seed)).components) for seed in range(5)]

    assert max(least) > 0.01


def test_within_a_tick_variances_wait_and_the_customer_moves_at_once() -> None:
    rows = [*some_rows(4), Row(0, 1.0, "new", "tea", LAST_DAY)]
    history = folded(rows)
    before, of_other = history.components, history.effect(1, "new", group="tea")
    own = history.effect(0, "new", group="tea")

    fold(history, Row(0, 1.0, "new", "tea", LAST_DAY))

    assert history.components == before
    assert history.effect(1, "new", group="tea") == of_other
    assert history.effect(0, "new", group="tea") > own


def test_a_tick_begins_with_what_is_known_of_all_rows_before_it() -> None:
    rows = some_rows(4)
    history = folded(rows)

    fold(history, Row(77, 0.0, "apart", "apart", LAST_DAY + 5))

    # Weights of all rows alike, so that variances hardly and effects not much depend on the day.
    dense = Dense(rows)
    w = 2.0 ** -((LAST_DAY + 5 - max(row.day for row in rows)) / 10.0)
    dense.w *= w
    dense.components = dense.estimated(POOLING.noise_sd)
    assert np.allclose(history.components, dense.components, rtol=1e-9)
    assert np.allclose(effects(history), [dense.effect(row) for row in all_questions()], atol=1e-9)


def test_only_the_time_between_rows_counts() -> None:
    rows = some_rows(6)
    long_ago = [row._replace(day=row.day - 9_000) for row in rows]

    assert np.allclose(effects(folded(long_ago)), effects(folded(rows)), atol=1e-9)


def test_asking_changes_nothing() -> None:
    asked, left_alone = POOLING.start(), POOLING.start()

    for row in some_rows(6):
        fold(asked, row)
        effects(asked)
        fold(left_alone, row)

    assert effects(asked) == effects(left_alone)


@given(rows=ROWS, cut=st.integers(0, 25), seed=st.integers(0, 100))
def test_parts_and_orders_come_to_the_same(rows: list[Row], cut: int, seed: int) -> None:
    turned = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]

    merged = folded(rows[:cut]).merge(folded(rows[cut:]))

    one_pass = reckoned(folded(rows))
    assert np.allclose(effects(merged), effects(one_pass), atol=1e-9)
    assert np.allclose(effects(reckoned(folded(turned))), effects(one_pass), atol=1e-9)
    assert merged.n_rows == len(rows)


@given(rows=ROWS, gone=ROWS)
def test_what_was_removed_was_never_there(rows: list[Row], gone: list[Row]) -> None:
    rows = [*rows, Row(3, 1.0, None, None, LAST_DAY)]
    history = folded(gone + rows)

    for row in gone:
        remove(history, row)

    never = folded(rows)
    assert np.allclose(effects(reckoned(history)), effects(reckoned(never)), atol=1e-9)
    assert (history.n_rows, history.n_customers) == (never.n_rows, never.n_customers)


@given(rows=ROWS, after=ROWS)
def test_an_erased_customer_leaves_no_trace(rows: list[Row], after: list[Row]) -> None:
    rows = [*rows, Row(3, 1.0, None, None, LAST_DAY)]
    history = folded(rows)

    n_gone = history.erase(1)
    for row in after:
        fold(history, row)

    kept = [row for row in rows if row.customer != 1]
    assert n_gone == len(rows) - len(kept)
    assert np.allclose(
        effects(reckoned(history)), effects(reckoned(folded(kept + after))), atol=1e-9
    )


def test_an_erased_customers_id_and_segment_are_gone() -> None:
    history = folded([Row(1, 1.0, "old", "tea", 0), Row(2, 0.0, "old", "tea", 0)])
    fold(history, Row(417_203, 1.0, "the only one", "tea", 0))
    history.fold(417_203, 1.0, expected=0.2, segment="old", group="tea", at_us=7)

    assert history.erase(417_203) == 2

    arrays = history.to_arrays()
    assert 417_203 not in arrays["customer_ids"].tolist()
    assert b"the only one" not in b"".join(array.tobytes() for array in arrays.values())
    alone = reckoned(folded([Row(1, 1.0, "old", "tea", 0), Row(2, 0.0, "old", "tea", 0)]))
    assert effects(history) == effects(alone)


def test_erasing_somebody_unknown_is_no_error() -> None:
    history = folded(some_rows(1))
    before = effects(history)

    assert history.erase(12_345) == 0
    assert effects(history) == before


def test_a_corrected_row_is_as_if_it_had_come_so() -> None:
    rows = some_rows(5)
    history = folded([row._replace(answer=0.3) if i == 7 else row for i, row in enumerate(rows)])

    components = history.components
    history.correct(
        rows[7].customer,
        before=0.3,
        after=rows[7].answer,
        expected=0.2,
        segment=rows[7].segment,
        group=rows[7].group,
        at_us=rows[7].day * DAY_US,
    )

    assert history.components == components  # until the next tick, as with a row that is folded
    assert np.allclose(effects(reckoned(history)), effects(reckoned(folded(rows))), atol=1e-9)
    assert history.n_rows == len(rows)


@pytest.mark.parametrize(
    "row",
    [
        Row(1, 1.0, "old", None, 0),  # another segment
        Row(1, 1.0, None, "tea", 0),  # another group
        Row(2, 1.0, None, None, 0),  # another customer
        Row(1, 1.0, None, None, 3),  # later than any
    ],
)
def test_what_was_not_folded_cannot_be_removed(row: Row) -> None:
    history = folded([Row(1, 1.0, None, None, 0)])

    with pytest.raises(InvalidArgumentError, match="no such row"):
        remove(history, row)

    assert history.n_rows == 1


@pytest.mark.parametrize("n_rows", [0, 1, 60])
def test_a_history_goes_on_from_its_arrays_to_the_last_bit(n_rows: int) -> None:
    history = folded(some_rows(2, n_rows=n_rows))
    history.erase(2)
    fold(history, Row(8, 1.0, "came since", "came since", LAST_DAY))

    again = POOLING.from_arrays(history.to_arrays())

    assert effects(again) == effects(history)
    for row in [*some_rows(3), Row(9, 0.0, "new", "tea", LAST_DAY + 40)]:
        fold(history, row)
        fold(again, row)
    assert effects(again) == effects(history)
    assert again.components == history.components
    for name, array in history.to_arrays().items():
        assert again.to_arrays()[name].tobytes() == array.tobytes(), name


def test_a_history_may_be_kept_in_a_folder(tmp_path: Path) -> None:
    history = folded(some_rows(2))

    persist.save(tmp_path / "history", kind="history", arrays=history.to_arrays(), meta={})

    saved = persist.load(tmp_path / "history", kind="history")
    assert effects(POOLING.from_arrays(saved.arrays)) == effects(history)


def test_ids_may_be_strings() -> None:
    rows = [row._replace(customer=f"customer {row.customer}") for row in some_rows(3)]
    history = folded(rows)

    again = POOLING.from_arrays(history.to_arrays())

    assert again.effect("customer 1", "new", group="tea") == history.effect(
        "customer 1", "new", group="tea"
    )


def test_a_copy_goes_its_own_way() -> None:
    history = folded(some_rows(2))
    before = effects(history)

    other = history.copy()
    fold(other, Row(1, 1.0, "new", "tea", LAST_DAY))

    assert effects(history) == before
    assert effects(other) != before


@pytest.mark.parametrize("name", sorted(folded(some_rows(1)).to_arrays()))
@pytest.mark.parametrize("how", ["gone", "other dtype", "longer"])
def test_arrays_of_another_form_are_refused(name: str, how: str) -> None:
    arrays = dict(folded(some_rows(1)).to_arrays())
    if how == "gone":
        del arrays[name]
    elif how == "other dtype":
        arrays[name] = arrays[name].astype(np.float32)
    else:
        arrays[name] = np.append(arrays[name], arrays[name][:1])

    with pytest.raises(DamagedError):
        POOLING.from_arrays(arrays)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("stratum", -1),
        ("stratum", 6),
        ("customer_code", -1),
        ("customer_code", 5),
        ("segment_code", -2),
        ("segment_code", 2),
        ("group_code", 1),
        ("n_folded", 0),
        ("weight", -0.1),
        ("weight", np.nan),
        ("weight2", -0.1),
        ("square", -0.1),
        ("residual", np.inf),
        ("components", 0.0),
        ("of_strata", np.nan),
        ("means", np.nan),
    ],
)
def test_arrays_with_numbers_that_cannot_be_are_refused(name: str, wrong: float) -> None:
    arrays = dict(folded(some_rows(1)).to_arrays())
    arrays[name] = arrays[name].copy()

    arrays[name][0] = wrong

    with pytest.raises(DamagedError):
        POOLING.from_arrays(arrays)


def test_arrays_with_a_cell_twice_are_refused() -> None:
    arrays = dict(folded([Row(1, 1.0, None, None, 0), Row(2, 1.0, None, None, 0)]).to_arrays())

    arrays["customer_code"] = np.zeros(2, np.int64)

    with pytest.raises(DamagedError, match="cells"):
        POOLING.from_arrays(arrays)


def test_equal_customers_have_effects_of_exactly_0() -> None:
    rows = [Row(c, float(day % 2), "new", None, day) for c in CUSTOMERS for day in range(6)]

    history = reckoned(folded(rows))

    assert history.components[1:] == (0.0, 0.0)
    assert set(effects(history)) == {0.0}


def test_a_new_customer_has_the_segments_effect_and_a_new_segment_none() -> None:
    rng = np.random.default_rng(3)
    history = PartialPooling(half_life_days=None).start()
    for i in range(600):
        segment = "high" if i % 2 else "low"
        answer = float(rng.random() < (0.8 if i % 2 else 0.2))
        history.fold(i % 60, answer, expected=0.5, segment=segment, at_us=i // 60 * DAY_US)

    assert 0.2 < history.effect(1_000, "high") < 0.4
    assert -0.4 < history.effect(1_000, "low") < -0.2
    assert history.effect(1_000, "neither") == 0.0
    assert history.effect(1, "neither") == 0.0


def test_a_true_effect_is_found_and_few_answers_count_little() -> None:
    rng = np.random.default_rng(5)
    history = PartialPooling(half_life_days=None).start()
    taste = 0.15 * rng.standard_normal(300)
    for i in range(9_000):
        answer = 0.4 + taste[i % 300] + 0.3 * rng.standard_normal()
        history.fold(i % 300, answer, expected=0.4, at_us=i // 300 * DAY_US)
    history.fold(1_000, 1.4, expected=0.4, at_us=29 * DAY_US)

    told = np.array([history.effect(customer) for customer in range(300)])
    noise, customers, segments = history.components
    assert (round(noise**0.5, 2), round(customers**0.5, 1), segments) == (0.3, 0.1, 0.0)
    assert np.abs(told - taste).mean() < 0.05
    assert 0.1 < history.effect(1_000) < 0.3  # a single answer of 1 more than was expected
    assert history.reliability(1_000) < 0.3
    assert history.reliability(7) > 0.8
    assert history.reliability(5_000) == 0.0


def test_what_is_long_ago_gives_way() -> None:
    history = reckoned(folded(some_rows(4)))
    remembered = np.abs(effects(history)).max()

    fold(history, Row(77, 0.0, "apart", "apart", LAST_DAY + 3_000))

    assert remembered > 0.1
    assert np.abs(effects(history)).max() < 1e-6


@pytest.mark.parametrize("half_life_days", [1e-4, None])
def test_weights_may_vanish_or_stay(half_life_days: float | None) -> None:
    history = folded(some_rows(4), PartialPooling(half_life_days=half_life_days))

    fold(history, Row(1, 0.0, "new", "tea", 20_000))

    assert np.isfinite(effects(history)).all()


def test_no_id_stands_in_a_repr_or_a_message() -> None:
    history = folded([Row(417_203, 1.0, "young", None, 0)])

    with pytest.raises(InvalidArgumentError) as raised:
        remove(history, Row(417_203, 1.0, "loyal", None, 0))

    assert repr(history) == "PooledHistory(1 customers, 1 rows)"
    assert "417203" not in str(raised.value)
    assert "loyal" not in str(raised.value)


@pytest.mark.parametrize(
    ("customer", "segment", "group"),
    [("1", "new", "tea"), (1, 7, "tea"), (1, "new", 7)],
)
def test_ids_of_another_kind_are_refused_and_change_nothing(
    customer: Id, segment: Id, group: Id
) -> None:
    history = folded([Row(1, 1.0, "new", "tea", 0)])
    before = {name: array.tobytes() for name, array in history.to_arrays().items()}

    with pytest.raises(WrongIdTypeError):
        fold(history, Row(customer, 1.0, segment, group, 4))
    with pytest.raises(WrongIdTypeError):
        history.effect(customer, segment, group=group)

    assert {name: array.tobytes() for name, array in history.to_arrays().items()} == before


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"customer": None}, InvalidTypeError),
        ({"customer": True}, InvalidTypeError),
        ({"customer": ""}, InvalidArgumentError),
        ({"segment": 1.0}, InvalidTypeError),
        ({"answer": float("nan")}, InvalidArgumentError),
        ({"answer": 1e200}, InvalidArgumentError),
        ({"expected": float("inf")}, InvalidArgumentError),
        ({"expected": "0.3"}, InvalidTypeError),
        ({"at_us": 1.5}, InvalidTypeError),
    ],
)
def test_what_cannot_be_used_is_refused_and_changes_nothing(
    wrong: dict[str, Any], error: type[Exception]
) -> None:
    history = folded([Row(1, 1.0, "new", "tea", 0)])
    row: dict[str, Any] = {
        "customer": 1, "answer": 1.0, "expected": 0.2, "segment": "new", "at_us": DAY_US,
    }  # fmt: skip

    with pytest.raises(error) as raised:
        history.fold(**(row | wrong))

    assert (history.n_rows, history.effect(1)) == (1, 0.0)
    assert "0.3" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("half_life_days", 0), ("noise_sd", 0), ("tick_hours", 0), ("prior_rows", -1)],
)
def test_a_configuration_is_checked(name: str, value: float) -> None:
    options: dict[str, Any] = {name: value}

    with pytest.raises(InvalidArgumentError, match=name):
        PartialPooling(**options)


def test_histories_of_other_configurations_cannot_be_merged() -> None:
    with pytest.raises(InvalidArgumentError, match="configurations are the same"):
        POOLING.start().merge(PartialPooling().start())
