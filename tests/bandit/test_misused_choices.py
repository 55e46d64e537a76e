"""What is no choice of this selector is not learned, corrected or explained."""

from collections.abc import Callable
from typing import Any

import pytest

from seg1.bandit import OfferSelector
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.offers import Goal, Offer

USES: list[Callable[[OfferSelector, Any], object]] = [
    lambda selector, choice: selector.learn(choice, accepted=False, at=1),
    lambda selector, choice: selector.correct(choice, before=0.0, accepted=True),
    lambda selector, choice: selector.reasons(choice),
]


def selector_of(*names: str, **settings: Any) -> OfferSelector:  # noqa: ANN401
    return OfferSelector([Offer(name) for name in names], goal=Goal.response(), **settings)


@pytest.mark.parametrize("use", USES)
def test_a_choice_of_another_selector_is_refused(
    use: Callable[[OfferSelector, Any], object],
) -> None:
    ours, other = selector_of("tea", "cake"), selector_of("cake", "tea", "wine", no_offer=False)
    theirs = [other.choose({}, id=1, at=0, allow=[name]) for name in ("cake", "wine")]

    for choice in theirs:
        with pytest.raises(InvalidArgumentError, match="the choice is of another selector"):
            use(ours, choice)
    assert ours.n_learned == 0


@pytest.mark.parametrize("use", USES)
def test_what_is_no_choice_is_told_by_its_type(use: Callable[[OfferSelector, Any], object]) -> None:
    selector = selector_of("tea", "cake", no_offer=False)
    slate = selector.choose({}, id=1, at=0, n=2)

    for wrong, kind in ((slate, "tuple"), ("visit-1", "str"), (None, "NoneType")):
        with pytest.raises(InvalidTypeError, match=f"got {kind}; of a slate give each"):
            use(selector, wrong)
    assert selector.n_learned == 0


def test_groups_without_a_slate_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="by_group=True is of a slate: give n= too"):
        selector_of("tea").choose({}, id=1, at=0, by_group=True)
