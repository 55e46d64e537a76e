"""Similar items and customers, and explanations: exact, and under consent."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import small_shop
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slow_rank import random_factors, slow_best
from small_shop import ANYONE, NOBODY, permitting

from seg1 import ALS, Consent
from seg1._types import Float64s
from seg1.consent import Ask, ConsentDoor, Customers
from seg1.errors import InvalidArgumentError, InvalidTypeError, UnknownIdError, WrongIdTypeError
from seg1.recommend.ranking.similar import top_by_cosine
from seg1.testing.strategies import masks

SHOP = small_shop.random_interactions(1)
MODEL = ALS(factors=8, seed=1).fit(SHOP)


def cosines(factors: Any, row: int) -> Float64s:  # noqa: ANN401
    wide = factors.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    answer: Float64s = unit @ unit[row]
    return answer


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 50),
    st.integers(1, 60),
    st.sampled_from([1.0, 1e-30, 1e-44, 1e37]),
    st.data(),
)
@example(13383, 19, 1, 1.0, None)  # a row of the smallest numbers there are
def test_ranking_by_cosine_equals_a_sort(
    seed: int, n_rows: int, n: int, scale: float, data: st.DataObject | None
) -> None:
    factors = random_factors(seed, n_items=n_rows, n_factors=5, scale=scale)
    factor = np.random.default_rng(seed + 1).standard_normal(5)
    allowed = np.ones(n_rows, np.bool_) if data is None else data.draw(masks(n=n_rows))
    wide = factors.astype(np.float64)
    norms = np.sqrt((wide**2).sum(axis=1))
    scores = np.zeros(n_rows)
    np.divide(
        (wide * (factor / np.linalg.norm(factor))).sum(axis=1), norms, out=scores, where=norms > 0
    )

    rows, given = top_by_cosine(factors, factor, n=n, allowed=allowed)

    expected = slow_best(scores, n=n, allowed=allowed & (norms > 0))
    assert len(rows) == len(expected)
    assert np.allclose(given, scores[expected], rtol=1e-12, atol=1e-15)
    assert allowed[rows].all()
    assert len(set(rows.tolist())) == len(rows)
    assert (np.abs(given) <= 1 + 1e-12).all()


def test_cosines_that_float32_cannot_tell_apart_are_told_by_float64() -> None:
    rng = np.random.default_rng(5)
    factors = (rng.standard_normal(64) + rng.standard_normal((3_000, 64)) * 1e-6).astype(np.float32)
    factor = rng.standard_normal(64)
    wide = factors.astype(np.float64)
    scores = wide @ factor / np.linalg.norm(wide, axis=1) / np.linalg.norm(factor)

    rows, _ = top_by_cosine(factors, factor, n=10, allowed=np.ones(3_000, np.bool_))

    assert rows.tolist() == np.argsort(-scores)[:10].tolist()


def test_similar_items_are_those_of_the_highest_cosine_without_the_item() -> None:
    for row, item in enumerate(SHOP.items.ids):
        expected = cosines(MODEL.item_factors, row)
        order = [i for i in np.argsort(-expected).tolist() if i != row]

        ranking = MODEL.similar_items(item, n=4)

        assert list(ranking.items) == SHOP.items.decode(order[:4])
        assert np.allclose(ranking.scores, expected[order[:4]])
        assert (ranking.personalised, ranking.reason) == (False, "anyone")


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_similar_items_heed_allow_and_deny(data: st.DataObject) -> None:
    some = st.lists(st.sampled_from([*SHOP.items.ids, "unheard of"]))
    allow, deny = data.draw(st.none() | some), data.draw(some)
    item = data.draw(st.sampled_from(SHOP.items.ids))
    left = set(SHOP.items.ids if allow is None else allow) & set(SHOP.items.ids)
    left -= {*deny, item}

    for compiled in (False, True):
        ranking = MODEL.similar_items(
            item,
            n=99,
            allow=MODEL.item_set(allow) if compiled and allow is not None else allow,
            deny=MODEL.item_set(deny) if compiled else deny,
        )
        assert set(ranking.items) == left
        assert len(ranking) == len(left)


@pytest.mark.parametrize("call", ["similar_items", "explain"])
def test_an_item_that_the_model_does_not_know_is_refused(call: str) -> None:
    ask: Any = MODEL.similar_items
    if call == "explain":

        def ask(item: Any) -> object:  # noqa: ANN401
            return MODEL.explain(0, item, consent=ANYONE, at=0)

    with pytest.raises(UnknownIdError, match="does not know the item"):
        ask("unheard of")
    with pytest.raises(WrongIdTypeError, match="holds str ids"):
        ask(7)


class Counting:
    """A filter that permits some, and remembers whom it was asked about."""

    name = "counting"

    def __init__(self, permitted: set[int]) -> None:
        self.permitted = permitted
        self.asked: set[Any] = set()

    def check(self, customers: Customers, ask: Ask) -> Any:  # noqa: ANN401, ARG002
        self.asked |= set(customers.ids())
        return np.array([1 if i in self.permitted else 0 for i in customers.ids()], np.int8)


def test_similar_customers_are_those_of_the_highest_cosine_who_permit_it() -> None:
    permitted = {c for c in SHOP.customers.ids if isinstance(c, int) and c % 3 != 1}
    source = Counting(permitted)
    consent = Consent({("offers", "candidates"): source})
    asker = 0
    row = SHOP.customers.find(asker)
    expected = cosines(MODEL.customer_factors, row)
    ids = SHOP.customers.ids
    order = [i for i in np.argsort(-expected).tolist() if i != row and ids[i] in permitted]

    neighbours = MODEL.similar_customers(asker, n=5, consent=consent, at=0)

    assert list(neighbours.customers) == [ids[i] for i in order[:5]]
    assert np.allclose(neighbours.similarities, expected[order[:5]])
    assert neighbours.personalised
    assert neighbours.n_refused == len(ids) - len(permitted)
    assert source.asked == set(ids)
    everyone = MODEL.similar_customers(asker, n=999, consent=consent, at=0)
    assert set(everyone.customers) == permitted - {asker}


@pytest.mark.parametrize("consent", [ANYONE, permitting(*SHOP.customers.ids)])
def test_an_erased_customer_is_not_compared_and_takes_no_other_along(consent: ConsentDoor) -> None:
    shop = replace(SHOP, customers=SHOP.customers.copy())
    model = replace(MODEL, interactions=shop)
    shop.customers.erase([1])

    neighbours = model.similar_customers(0, n=999, consent=consent, at=0)

    assert set(neighbours.customers) == set(SHOP.customers.ids) - {0, 1}
    assert neighbours.n_refused == 0


def test_nobody_who_does_not_permit_it_is_compared() -> None:
    row = SHOP.customers.find(1)
    blank = MODEL.customer_factors.copy()
    blank[row] = np.nan  # whoever reads it gets no number
    model = replace(MODEL, customer_factors=blank)
    others = [c for c in SHOP.customers.ids if c != 1]

    neighbours = model.similar_customers(0, n=999, consent=permitting(*others), at=0)

    assert set(neighbours.customers) == set(others) - {0}
    assert np.isfinite(neighbours.similarities).all()


@pytest.mark.parametrize(
    ("customer", "consent", "reason"),
    [
        (0, NOBODY, "consent: no policy"),
        (0, permitting(1, 2), "consent: by filter"),
        (10**6, ANYONE, "no history"),
    ],
)
def test_the_denied_and_the_unknown_learn_of_nobody_and_are_explained_nothing(
    customer: int, consent: Any, reason: str  # noqa: ANN401
) -> None:  # fmt: skip
    neighbours = MODEL.similar_customers(customer, consent=consent, at=0)
    explanation = MODEL.explain(customer, "item-1", consent=consent, at=0)

    assert neighbours.customers == ()
    assert (neighbours.personalised, neighbours.reason) == (False, reason)
    assert (explanation.items, len(explanation.parts)) == ((), 0)
    assert math.isnan(explanation.score)
    assert (explanation.personalised, explanation.reason) == (False, reason)


@pytest.mark.parametrize("confidence", ["linear", "raw"])
@pytest.mark.parametrize("given_history", [True, False])
def test_the_parts_of_an_explanation_add_up_to_the_score_of_the_ranking(
    confidence: Any,  # noqa: ANN401
    given_history: bool,  # noqa: FBT001
) -> None:
    shop = small_shop.interactions_of_every_length(2, n_items=150, longest=70)
    model = ALS(factors=16, confidence=confidence, regularization=0.01).fit(shop)
    for customer in (1, 2, 20, 49, 55, 70):
        items, weights = shop.history(shop.customers.find(customer))
        own = dict(zip(shop.items.decode(items), weights.tolist(), strict=True))
        history: Any = (
            {item: 2.0 * weight for item, weight in own.items()} if given_history else None
        )
        options: Any = {"consent": ANYONE, "at": 0, "history": history}
        ranking = model.recommend(customer, n=150, exclude_seen=False, **options)

        for item, score in zip(ranking.items[::20], ranking.scores[::20].tolist(), strict=True):
            explanation = model.explain(customer, item, **options)
            assert explanation.score == score
            assert abs(explanation.parts.sum() - score) <= 1e-9
            assert set(explanation.items) == set(own)
            assert (np.diff(explanation.parts) <= 0).all()


def test_a_part_is_what_the_formula_of_the_paper_says() -> None:
    customer = SHOP.customers.ids[0]
    own, weights = SHOP.history(0)
    wide = MODEL.item_factors.astype(np.float64)
    c = MODEL.config.confidence_of(weights)
    A = np.diag(MODEL.gram_diagonal) + wide[own].T @ np.diag(c - 1.0) @ wide[own]
    inverse = np.linalg.inv(A + MODEL.penalty.at(len(own)) * np.eye(8))

    explanation = MODEL.explain(customer, "item-3", consent=ANYONE, at=0)

    parts = c * (wide[own] @ inverse @ wide[SHOP.items.find("item-3")])
    expected = dict(zip(SHOP.items.decode(own), parts.tolist(), strict=True))
    for item, part in zip(explanation.items, explanation.parts.tolist(), strict=True):
        assert part == pytest.approx(expected[item], rel=1e-4, abs=1e-6)


def test_an_explanation_reads_well_and_its_repr_names_nothing() -> None:
    explanation = MODEL.explain(0, "item-1", consent=ANYONE, at=0)

    lines = explanation.table({"item-1": "milk"}).splitlines()

    assert lines[0].split() == ["milk", f"{explanation.score:.3f}"]
    assert len(lines) == 1 + len(explanation.items)
    assert repr(explanation) == f"Explanation({len(explanation.items)} events, personalised)"
    neighbours = MODEL.similar_customers(0, n=3, consent=ANYONE, at=0)
    assert repr(neighbours) == "Neighbours(3 customers, personalised)"
    assert len(neighbours) == 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MODEL.similar_items("item-1", n=0), InvalidArgumentError, "n must be an int >= 1"),
        (lambda: MODEL.similar_items("item-1", deny="x"), InvalidTypeError, "several ids"),
        (
            lambda: MODEL.similar_customers(0, n=0, consent=ANYONE, at=0),
            InvalidArgumentError,
            "n must be an int >= 1",
        ),
        (
            lambda: MODEL.similar_customers("0", consent=ANYONE, at=0),
            WrongIdTypeError,
            "knows int customer ids",
        ),
        (
            lambda: MODEL.similar_customers(0, consent=None, at=0),  # type: ignore[arg-type]  # that is the test
            InvalidTypeError,
            "consent must be",
        ),
        (
            lambda: MODEL.explain(0, "item-1", consent=None, at=0),  # type: ignore[arg-type]  # that is the test
            InvalidTypeError,
            "consent must be",
        ),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    call: Any,  # noqa: ANN401
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        call()
