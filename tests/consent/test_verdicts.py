"""The lattice, the questions and the form of an answer."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seg1.consent.verdicts import (
    ALLOW,
    DENY,
    UNKNOWN,
    Customers,
    Reason,
    Verdict,
    Verdicts,
    as_verdicts,
    join,
    meet,
)
from seg1.errors import InvalidArgumentError, InvalidTypeError, PluginError
from seg1.events import Vocabulary

rows = st.lists(st.lists(st.integers(-1, 1), min_size=3, max_size=3), min_size=1, max_size=5)


def verdicts(values: list[int], reason: Reason = Reason.BY_FILTER, epoch: int = 0) -> Verdicts:
    return Verdicts(
        np.array(values, dtype=np.int8), np.full(len(values), reason, dtype=np.int8), epoch
    )


@given(rows=rows)
@settings(max_examples=50, deadline=None)
def test_meet_is_the_minimum_and_join_the_maximum(rows: list[list[int]]) -> None:
    parts = [verdicts(row) for row in rows]

    assert meet(parts).values.tolist() == [min(column) for column in zip(*rows, strict=True)]
    assert join(parts).values.tolist() == [max(column) for column in zip(*rows, strict=True)]


def test_the_reason_is_that_of_the_part_that_decided() -> None:
    parts = [
        verdicts([1, -1, 0], Reason.GRANTED, 2),
        verdicts([-1, 1, 0], Reason.WITHDRAWN, 3),
        verdicts([-1, 1, 0], Reason.EXPIRED, 5),
    ]

    # Of equal verdicts the first part's reason is told.
    assert meet(parts).reasons.tolist() == [Reason.WITHDRAWN, Reason.GRANTED, Reason.GRANTED]
    assert join(parts).reasons.tolist() == [Reason.GRANTED, Reason.WITHDRAWN, Reason.GRANTED]
    assert meet(parts).epoch == 10


def test_only_allow_allows() -> None:
    assert [Verdict(v, Reason.GRANTED).allowed for v in (DENY, UNKNOWN, ALLOW)] == [
        False, False, True,
    ]  # fmt: skip
    assert verdicts([-1, 0, 1]).allowed.tolist() == [False, False, True]


def test_a_verdict_has_no_truth_value() -> None:
    with pytest.raises(InvalidTypeError, match=r"use verdict\.allowed"):
        bool(Verdict(ALLOW, Reason.GRANTED))
    with pytest.raises(InvalidTypeError, match=r"use verdicts\.allowed"):
        bool(verdicts([]))


def test_one_gives_the_answer_for_one_customer() -> None:
    assert verdicts([1, 0], Reason.EXPIRED).one(1) == Verdict(UNKNOWN, Reason.EXPIRED)


def test_refusals_are_counted_by_reason_in_words() -> None:
    answer = Verdicts(
        np.array([1, 0, -1, 0], dtype=np.int8),
        np.array([Reason.GRANTED, Reason.NO_RECORD, Reason.WITHDRAWN, Reason.NO_RECORD], np.int8),
    )

    assert answer.denied_by_reason() == {"no record": 2, "withdrawn": 1}


def test_uniform_answers_the_same_for_all() -> None:
    answer = Verdicts.uniform(UNKNOWN, Reason.NO_POLICY, n=3, epoch=4)

    assert (answer.values.tolist(), len(answer), answer.epoch) == ([0, 0, 0], 3, 4)
    assert repr(answer) == "Verdicts(0 of 3 allowed, epoch 4)"


def test_numbers_of_reasons_stay() -> None:
    assert {reason.name: reason.value for reason in Reason} == {
        "NOT_ASKED": 0, "GRANTED": 1, "NO_RECORD": 2, "WITHDRAWN": 3, "NOT_YET_VALID": 4,
        "EXPIRED": 5, "FILTER_FAILED": 6, "NO_POLICY": 7, "NEGATED": 8, "BY_FILTER": 9,
        "NOT_NEEDED": 10, "OWN_RIGHT": 11, "OBJECTED": 12, "RESTRICTED": 13, "UNDER_AGE": 14,
        "OPTED_OUT": 15, "AUTOMATED_OPT_OUT": 16, "TOO_OLD": 17, "AGE_UNKNOWN": 18,
        "MALFORMED": 19, "NO_ANSWER_IN_TIME": 20, "REFUSED": 21,
    }  # fmt: skip


def test_customers_keep_their_order_and_show_no_ids() -> None:
    customers = Customers.of("canary", "bo", "canary")

    assert customers.ids() == ["canary", "bo", "canary"]
    assert repr(customers) == "Customers(3 customers)"


@pytest.mark.parametrize(
    "codes",
    [
        np.array([-1], dtype=np.int32),
        np.array([0, 2], dtype=np.int32),
        np.array([0], dtype=np.int64),
        np.array([[0]], dtype=np.int32),
        np.array([True]),
    ],
)
def test_codes_that_the_vocabulary_never_gave_out_are_refused(codes: NDArray[Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="codes must"):
        Customers(Vocabulary(["a", "b"]), codes)


def test_codes_of_customers_cannot_be_written() -> None:
    codes = np.array([0, 1], dtype=np.int32)
    customers = Customers(Vocabulary(["a", "b"]), codes)

    with pytest.raises(ValueError, match="read-only"):
        customers.codes[0] = 1
    assert codes.flags.writeable


def test_a_plain_array_is_an_answer() -> None:
    answer = as_verdicts(np.array([1, -1], dtype=np.int8), n=2)

    assert answer.values.tolist() == [1, -1]
    assert answer.reasons.tolist() == [Reason.BY_FILTER] * 2


def test_an_answer_is_copied_and_cannot_be_written() -> None:
    theirs = np.array([-1], dtype=np.int8)
    answer = as_verdicts(theirs, n=1)

    theirs[0] = 1

    assert answer.values.tolist() == [-1]
    with pytest.raises(ValueError, match="read-only"):
        answer.values[0] = 1


int8 = np.int8


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "expected Verdicts or an int8 array, got NoneType"),
        ([1, 1], "expected Verdicts or an int8 array, got list"),
        (np.array([True, True]), "values must be a plain int8 array"),
        (np.array([1, 1]), "values must be a plain int8 array"),
        (np.array([1.0, np.nan]), "values must be a plain int8 array"),
        (np.array([1], dtype=int8), r"values must be a plain int8 array of shape \(2,\)"),
        (np.array([[1, 1]], dtype=int8), "values must be a plain int8 array"),
        (np.ma.array([1, 1], mask=[True, False], dtype=int8), "values must be a plain int8 array"),
        (np.array([2, 1], dtype=int8), "values must be -1, 0 or 1"),
        (np.array([1, -2], dtype=int8), "values must be -1, 0 or 1"),
        (Verdicts(np.ones(2, int8), np.ones(1, int8)), "reasons must be a plain int8 array"),
        (Verdicts(np.ones(2, int8), np.full(2, 99, int8)), "reasons must be codes"),
        (Verdicts(np.ones(2, int8), np.full(2, -1, int8)), "reasons must be codes"),
        (Verdicts([1, 1], np.ones(2, int8)), "values must be a plain int8 array"),  # type: ignore[arg-type]  # the point
        (Verdicts(np.ones(2, int8), np.ones(2, int8), None), "epoch must be an int, got NoneType"),  # type: ignore[arg-type]  # the point
        (Verdicts(np.ones(2, int8), np.ones(2, int8), True), "epoch must be an int, got bool"),  # noqa: FBT003  # the point
    ],
)
def test_an_answer_in_the_wrong_form_is_refused(answer: object, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        as_verdicts(answer, n=2)


@pytest.mark.parametrize("reason", [min(Reason), max(Reason)])
def test_the_first_and_the_last_reason_may_be_told(reason: Reason) -> None:
    answer = as_verdicts(Verdicts.uniform(UNKNOWN, reason, n=2), n=2)

    assert answer.reasons.tolist() == [reason, reason]


def test_no_customers_get_no_answers() -> None:
    assert len(as_verdicts(np.zeros(0, dtype=np.int8), n=0)) == 0
