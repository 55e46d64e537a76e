"""`Ranking`, `Rankings` and `Why`: what they say, and what they keep to themselves."""

import numpy as np
import pytest

from seg1.events import Vocabulary
from seg1.recommend import Ranking, Rankings, Why


def ranking_of(*items: str, reason: str = "personalised") -> Ranking:
    return Ranking(
        items=items,
        scores=np.arange(len(items), 0, -1, dtype=np.float64),
        personalised=reason == "personalised",
        reason=reason,
    )


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (Why("similar", ("tea", "jam"), 0.5), "goes with tea and jam"),
        (Why("similar", (), 0.0), "fits the whole history"),
        (Why("habit", (), 2.0), "had before, again and again"),
        (Why("popular", (), 7.0), "had by 7 customers"),
    ],
)
def test_a_reason_says_itself_in_words(why: Why, words: str) -> None:
    assert why.words() == words


def test_a_reason_uses_names_where_they_are_given() -> None:
    assert Why("similar", (7, 9), 0.8).words({7: "milk"}) == "goes with milk and 9"


def test_no_repr_shows_an_id() -> None:
    ranking = ranking_of("tea")
    many = Rankings.of(["ana"], [ranking], n=1, items=Vocabulary(["tea"]))

    shown = repr(ranking) + repr(many) + repr(Why("similar", ("tea",), 1.0))

    assert "tea" not in shown
    assert "ana" not in shown


def test_reasons_are_worked_out_once_and_only_when_read() -> None:
    asked: list[int] = []

    def explain() -> tuple[Why, ...]:
        asked.append(1)
        return (Why("popular", (), 1.0),)

    ranking = Ranking(
        items=("tea",), scores=np.ones(1), personalised=True, reason="personalised", explain=explain
    )
    before = list(asked)

    first, second = ranking.reasons, ranking.reasons

    assert before == []
    assert first is second
    assert asked == [1]


def test_rankings_are_columns_padded_behind_the_last_item() -> None:
    items = Vocabulary(["tea", "jam"])

    many = Rankings.of(
        ["ana", "bo"], [ranking_of("jam", "tea"), ranking_of(reason="no history")], n=3, items=items
    )

    assert many.item_index.tolist() == [[1, 0, -1], [-1, -1, -1]]
    assert np.isnan(many.scores).tolist() == [[False, False, True], [True, True, True]]
    assert many.personalised.tolist() == [True, False]
    assert tuple(many.reasons) == ("personalised", "no history")
    assert many.ids(0) == ["jam", "tea"]
    assert many.ids(1) == []
    assert len(many) == 2
    assert repr(many) == "Rankings(2 customers, 1 personalised, n=3)"


def test_items_of_a_fallback_are_numbered_behind_those_of_the_model_in_a_copy() -> None:
    items = Vocabulary(["tea"])
    rankings = [ranking_of("new"), ranking_of("tea"), ranking_of("newer", "new")]

    many = Rankings.of([1, 2, 3], rankings, n=2, items=items)

    assert [many.ids(position) for position in range(3)] == [["new"], ["tea"], ["newer", "new"]]
    assert many.items.ids == ("tea", "new", "newer")
    assert items.ids == ("tea",)


def test_an_item_of_a_fallback_has_a_place_beside_an_erased_one() -> None:
    items = Vocabulary(["tea", "jam"])
    items.erase(["tea"])

    many = Rankings.of([1], [ranking_of("new", "jam")], n=2, items=items)

    assert many.ids(0) == ["new", "jam"]
    assert many.items.find("tea") == -1


def test_where_every_item_is_known_no_vocabulary_is_copied() -> None:
    items = Vocabulary(["tea"])

    assert Rankings.of([1], [ranking_of("tea")], n=1, items=items).items is items
