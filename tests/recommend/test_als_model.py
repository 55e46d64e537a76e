"""`ALSModel`: fold-in, reasons, and the way to disk and back, without implicit."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_shop
from hypothesis import given, settings
from small_shop import ANYONE

from seg1 import (
    ALS,
    ALSModel,
    Consent,
    ConsentLedger,
    ConsentNotNeeded,
    Events,
    InteractionMatrixBuilder,
)
from seg1.errors import DamagedError, InvalidArgumentError, UnknownIdError, WrongIdTypeError
from seg1.recommend.fitting.saved import to_saved
from seg1.testing.strategies import histories

MODEL = ALS(factors=8, seed=1).fit(small_shop.random_interactions(1))
LONG = small_shop.interactions_of_every_length(2, n_items=150, longest=70)


@pytest.mark.parametrize("confidence", ["linear", "raw"])
@pytest.mark.parametrize("nu", [0.0, 1.0])
@pytest.mark.parametrize("factors", [16, 64])
def test_the_history_of_a_fitted_customer_folds_in_to_the_fitted_factors(
    confidence: Any,  # noqa: ANN401
    nu: float,
    factors: int,
) -> None:
    model = ALS(factors=factors, confidence=confidence, nu=nu, regularization=0.02).fit(LONG)

    for row, trained in enumerate(model.customer_factors):
        items, weights = LONG.history(row)
        history = dict(zip(LONG.items.decode(items), weights.tolist(), strict=True))
        folded = model.fold_in(history)

        assert np.linalg.norm(folded - trained) <= 1e-4 * np.linalg.norm(trained)


@settings(deadline=None, max_examples=50)
@given(histories(n_items=MODEL.interactions.shape[1]))
def test_a_fold_in_depends_on_no_order_and_passes_over_unknown_items(
    history: dict[int, float],
) -> None:
    ids = MODEL.items.ids
    given_history = {ids[item]: weight for item, weight in history.items()}
    backwards = {"unheard of": 9.0, **dict(reversed(given_history.items()))}

    factors = MODEL.fold_in(given_history)

    assert factors.shape == (8,)
    assert np.isfinite(factors).all()
    assert np.array_equal(MODEL.fold_in(backwards), factors)


@pytest.mark.parametrize("confidence", ["linear", "raw"])
def test_many_histories_fold_in_to_what_each_gives(confidence: Any) -> None:  # noqa: ANN401
    model = ALS(factors=16, confidence=confidence, regularization=0.02).fit(LONG)
    ids = LONG.items.ids
    rng = np.random.default_rng(3)
    histories = [
        {ids[i]: float(rng.uniform(0.1, 5.0)) for i in rng.choice(150, n, replace=False)}
        | {f"unheard of {n}": 2.0}
        for n in rng.integers(1, 150, 60).tolist()
    ]

    factors = model.fold_in_many(histories)

    assert factors.shape == (60, 16)
    for row, history in enumerate(histories):
        alone = model.fold_in(history)
        assert np.linalg.norm(factors[row] - alone) <= 3e-5 * np.linalg.norm(alone)


def test_of_no_histories_there_are_no_factors() -> None:
    assert MODEL.fold_in_many([]).shape == (0, 8)


def test_one_history_of_many_that_holds_nothing_known_is_told_by_its_position() -> None:
    good: Any = {"item-1": 1.0}

    with pytest.raises(UnknownIdError, match=r"2 of 4 histories hold no item .* position 1"):
        MODEL.fold_in_many([good, {}, good, {"unheard of": 1.0}])
    with pytest.raises(InvalidArgumentError, match="must be a number > 0"):
        MODEL.fold_in_many([good, {"item-2": -1.0}])


@pytest.mark.parametrize(
    "weight", [0, -1.0, float("nan"), float("inf"), 1e39, 1e-60, True, "7.25", None, 2**80]
)
def test_a_weight_that_cannot_be_used_is_refused_and_not_shown(weight: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidArgumentError, match="must be a number > 0") as caught:
        MODEL.fold_in({"item-1": weight})

    assert "7.25" not in str(caught.value)
    assert "item-1" not in str(caught.value)


@pytest.mark.parametrize("history", [{}, {"unheard of": 1.0}])
def test_a_history_of_nothing_known_is_told_as_such(history: dict[Any, float]) -> None:
    with pytest.raises(UnknownIdError, match=f"none of the {len(history)} items"):
        MODEL.fold_in(history)


def test_a_history_of_the_wrong_kind_of_id_is_refused() -> None:
    with pytest.raises(WrongIdTypeError, match="holds str ids"):
        MODEL.fold_in({7: 1.0})


def test_its_arrays_are_read_only() -> None:
    for array in (MODEL.customer_factors, MODEL.item_factors, MODEL.gram_diagonal):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_its_repr_tells_counts_and_no_ids() -> None:
    n_customers, n_items = MODEL.interactions.shape

    assert repr(MODEL) == f"ALSModel({n_customers} customers, {n_items} items, 8 factors)"


def test_a_reason_names_own_items_and_never_the_item_itself() -> None:
    customer = MODEL.interactions.customers.ids[0]
    own = set(MODEL.items.decode(MODEL.interactions.history(0)[0]))

    ranking = MODEL.recommend(customer, n=30, exclude_seen=False, consent=ANYONE, at=0)

    assert len(ranking.reasons) == len(ranking)
    for item, why in zip(ranking.items, ranking.reasons, strict=True):
        assert why.kind == "similar"
        assert set(why.items) <= own - {item}
        assert len(why.items) <= 2
        assert np.isfinite(why.amount)


def test_a_reason_names_the_two_items_that_speak_for_it_most_strongest_first() -> None:
    customer = MODEL.interactions.customers.ids[0]
    own, weights = MODEL.interactions.history(0)
    wide = MODEL.item_factors.astype(np.float64)
    c = MODEL.config.confidence_of(weights)
    A = np.diag(MODEL.gram_diagonal) + wide[own].T @ np.diag(c - 1.0) @ wide[own]
    inverse = np.linalg.inv(A + MODEL.penalty.at(len(own)) * np.eye(8))

    ranking = MODEL.recommend(customer, n=3, exclude_seen=True, consent=ANYONE, at=0)

    for item, why in zip(ranking.items, ranking.reasons, strict=True):
        parts = c * (wide[own] @ inverse @ wide[MODEL.items.find(item)])
        two = np.argsort(-parts)[:2]
        assert (parts[two] > 0).all()
        assert list(why.items) == MODEL.items.decode(own[two])
        assert why.amount == pytest.approx(parts[two].sum() / parts.sum(), rel=1e-6)


def test_reasons_that_nothing_speaks_for_name_no_item() -> None:
    interactions = small_shop.interactions_of([("a", 1), ("b", 2), ("b", 3)])
    model = ALS(factors=2).fit(interactions)

    ranking = model.recommend("a", exclude_seen=False, consent=ANYONE, at=0)

    why = dict(zip(ranking.items, ranking.reasons, strict=True))[1]
    assert why.items == ()
    assert why.amount == 0.0
    assert why.words() == "fits the whole history"


def test_an_empty_ranking_has_no_reasons() -> None:
    ranking = MODEL.recommend(0, exclude_seen=False, consent=ANYONE, at=0, allow=[])

    assert ranking.reasons == ()


@pytest.mark.parametrize("verify", [True, False])
def test_a_loaded_model_gives_bit_equal_answers(tmp_path: Path, verify: bool) -> None:  # noqa: FBT001
    MODEL.save(tmp_path / "model")

    loaded = ALSModel.load(tmp_path / "model", verify=verify)

    assert loaded.config == MODEL.config
    assert loaded.interactions.provenance == MODEL.interactions.provenance
    assert loaded.interactions.builder == MODEL.interactions.builder
    assert not loaded.item_factors.flags.writeable
    for customer in MODEL.interactions.customers.ids:
        left, right = (
            m.recommend(customer, n=9, exclude_seen=True, consent=ANYONE, at=0)
            for m in (MODEL, loaded)
        )
        assert left.items == right.items
        assert left.scores.tobytes() == right.scores.tobytes()
        assert left.reasons == right.reasons
    history = dict.fromkeys(MODEL.items.ids[:9], 1.5)
    assert MODEL.fold_in(history).tobytes() == loaded.fold_in(history).tobytes()


def test_a_model_with_numbers_of_numpy_can_be_saved(tmp_path: Path) -> None:
    config = ALS(factors=np.int64(2), alpha=np.float32(1))  # type: ignore[arg-type]  # what a notebook holds
    model = config.fit(small_shop.random_interactions(3))

    model.save(tmp_path / "model")

    assert ALSModel.load(tmp_path / "model").config == config


def test_a_model_can_be_saved_over_itself_while_it_is_mapped(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model")
    loaded = ALSModel.load(tmp_path / "model")

    loaded.save(tmp_path / "model")

    again = ALSModel.load(tmp_path / "model")
    assert again.item_factors.tobytes() == MODEL.item_factors.tobytes()


SERVING = """
import sys
import seg1
model = seg1.ALSModel.load(sys.argv[1])
ranking = model.recommend(0, exclude_seen=True, consent=seg1.ConsentNotNeeded("made up"), at=0)
assert len(ranking) and ranking.reasons is not None
assert not any(name.split(".")[0] == "implicit" for name in sys.modules)
print(",".join(ranking.items))
"""


def test_a_serving_process_never_imports_implicit(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model")
    here = MODEL.recommend(0, exclude_seen=True, consent=ANYONE, at=0)

    done = subprocess.run(
        [sys.executable, "-c", SERVING, str(tmp_path / "model")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.stdout.strip().split(",") == list(here.items), done.stderr


@pytest.mark.parametrize("change", ["shape", "dtype", "finite customer", "finite item"])
def test_factors_that_do_not_fit_are_refused(change: str) -> None:
    customers, items = MODEL.customer_factors.copy(), MODEL.item_factors.copy()
    if change == "shape":
        items = items[:-1]
    if change == "dtype":
        items = items.astype(np.float64)
    if change == "finite customer":
        customers[0, 0] = np.nan
    if change == "finite item":
        items[0, 0] = np.inf

    with pytest.raises(DamagedError, match=r"do not fit|not finite"):
        ALSModel.of(customers, items, interactions=MODEL.interactions, config=MODEL.config)


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.pop("config"),
        lambda meta: meta["config"].update(factors=0),
        lambda meta: meta["config"].update(nu=1e300),
        lambda meta: meta["provenance"].update(at_us="soon"),
        lambda meta: meta["config"].update(unheard_of=1),
        lambda meta: meta["builder"].update(kind_weights=5),
        lambda meta: meta.update(builder=[1, 2]),
        lambda meta: meta.update(provenance=None),
        lambda meta: meta["provenance"].update(purposes=5),
    ],
)
def test_a_manifest_that_makes_up_no_model_is_refused(
    tmp_path: Path,
    change: Any,  # noqa: ANN401
) -> None:
    from seg1 import persist  # noqa: PLC0415

    arrays, meta = to_saved(MODEL)  # whole but for the change, so that nothing else refuses it
    meta = json.loads(json.dumps(meta))
    change(meta)
    persist.save(tmp_path / "model", kind="als", arrays=arrays, meta=meta)

    with pytest.raises(DamagedError, match=r"do not make up a model|is not in its form"):
        ALSModel.load(tmp_path / "model")


def test_a_model_is_replaced_and_never_edited() -> None:
    with pytest.raises(AttributeError):
        MODEL.config = ALS()  # type: ignore[misc]  # that is the test

    assert replace(MODEL).config is MODEL.config


def test_its_version_names_what_it_learned() -> None:
    same = [ALS(factors=4, seed=1).fit(small_shop.random_interactions(2)).version for _ in range(2)]
    others = {
        ALS(factors=4, seed=2).fit(small_shop.random_interactions(2)).version,
        ALS(factors=4, seed=1).fit(small_shop.random_interactions(3)).version,
    }

    assert same[0] == same[1]
    assert len(others | set(same)) == 3


def test_a_manifest_tells_what_a_model_was_trained_on_and_is_saved_with_it(
    tmp_path: Path,
) -> None:
    ledger = ConsentLedger()
    for customer in range(8):
        ledger.grant(customer, ["p"], at=0, until=9)
    consent = Consent.for_purposes(ledger, train="p", decide="q", measure="r")
    events = Events.from_table(
        {"customer": [c for c in range(10) for _ in range(3)],
         "item": [f"item-{(c + n) % 5}" for c in range(10) for n in range(3)], "time": [1] * 30},
    )  # fmt: skip
    interactions = InteractionMatrixBuilder().build(events, consent=consent, at=5)

    model = ALS(factors=2, seed=1).fit(interactions)
    model.save(tmp_path / "model")

    told = model.manifest
    assert json.loads(json.dumps(told)) == ALSModel.load(tmp_path / "model").manifest
    assert (told["n_customers"], told["excluded"]) == (8, {"no record": 2})
    assert (told["n_events"], told["dropped"]) == (24, {"consent: no record": 6})
    assert (told["purposes"], told["policy"]) == (["p"], consent.version)
    assert (told["data"], told["model"]) == (interactions.version, model.version)
    other = ALS(factors=2, seed=1).fit(
        InteractionMatrixBuilder().build(events, consent=ConsentNotNeeded("made up"), at=5)
    )
    assert other.manifest["policy"] == "not needed: made up"
    assert other.manifest["data"] != told["data"]
