"""`check_recommender`: ours pass, and each way of breaking the contract is caught."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import small_shop
from small_shop import ANYONE, NOBODY, permitting

from seg1 import ALS, BuyAgain, Popularity
from seg1._types import Id
from seg1.events import Vocabulary
from seg1.recommend import Ranking, Rankings, Recommender
from seg1.testing import check_recommender

SHOP = small_shop.random_interactions(1)
CUSTOMERS: list[Id] = [*SHOP.customers.ids[:5], 10**6]


@pytest.mark.parametrize("config", [ALS(factors=4), Popularity(), BuyAgain()])
def test_our_own_recommenders_pass(config: Any) -> None:  # noqa: ANN401
    model = config.fit(SHOP)

    check_recommender(model, customers=CUSTOMERS, consent=ANYONE, at=0)
    check_recommender(model, customers=CUSTOMERS, consent=permitting(CUSTOMERS[1]), at=0)


class Wrapped:
    """A recommender that passes; subclasses break one thing each."""

    def __init__(self) -> None:
        self.model = Popularity().fit(SHOP)
        self.n_asked = 0

    @property
    def items(self) -> Vocabulary:
        return self.model.items

    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        self.n_asked += 1
        return self.spoil(self.model.recommend(customer, **options), options)

    def recommend_many(self, customers: Sequence[Id], **options: Any) -> Rankings:  # noqa: ANN401
        return self.model.recommend_many(customers, **options)

    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        return ranking


class GivesDenied(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        return super().recommend(customer, **(options | {"deny": ()}))


class IgnoresAllow(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        return super().recommend(customer, **(options | {"allow": None}))


class AllowsBeforeDenies(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        keep = set(options.get("allow") or ())
        deny = [item for item in options.get("deny", ()) if item not in keep]
        return super().recommend(customer, **(options | {"deny": deny}))


class FillsEmpty(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        ranking = super().recommend(customer, **options)
        if options.get("allow") is not None and not len(ranking):
            return super().recommend(customer, **(options | {"allow": None}))
        return ranking


class FillsAllDenied(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        if len(options.get("deny", ())) == len(self.items):
            options["deny"] = []
        return super().recommend(customer, **options)


class IgnoresConsent(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        return super().recommend(customer, **(options | {"consent": ANYONE}))


class RanksTheDenied(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        return super().recommend(customer, **(options | {"fallback": self.model}))


class Repeats(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        return replace(ranking, items=ranking.items[:1] * len(ranking))


class Rises(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        return replace(ranking, scores=-ranking.scores)


class Minus(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        return replace(ranking, scores=np.full(len(ranking), -np.inf))


class Scoreless(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        return replace(ranking, scores=np.zeros(0))


class TooMany(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        return super().recommend(customer, **(options | {"n": options["n"] + 1}))


class Invents(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        return replace(ranking, items=(*ranking.items[:-1], "invented"))


class Turns(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        turned = ranking.items[1:] + ranking.items[:1]
        return ranking if self.n_asked % 2 else replace(ranking, items=turned)


class Drifts(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:  # noqa: ARG002
        return replace(ranking, scores=ranking.scores + self.n_asked)


class BestIsAnother(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:
        return ranking if options["n"] > 1 else replace(ranking, items=self.items.ids[-1:])


class AddsForUnseen(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Ranking:
        if options["exclude_seen"] or options["n"] == 1:
            return ranking
        return replace(ranking, items=ranking.items[:-1], scores=ranking.scores[:-1])


class ReadsAllowTwice(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        if options.get("allow") is not None:
            list(options["allow"])
        return super().recommend(customer, **options)


class IgnoresHistory(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        return super().recommend(customer, **(options | {"history": None}))


class TakesAHistoryForConsent(Wrapped):
    def recommend(self, customer: Id, **options: Any) -> Ranking:  # noqa: ANN401
        if options.get("history") is not None:
            options["consent"] = ANYONE
        return super().recommend(customer, **options)


class NotARanking(Wrapped):
    def spoil(self, ranking: Ranking, options: dict[str, Any]) -> Any:  # noqa: ANN401, ARG002
        return list(ranking.items)


class ManyDiffer(Wrapped):
    def recommend_many(self, customers: Sequence[Id], **options: Any) -> Rankings:  # noqa: ANN401
        return super().recommend_many(customers, **(options | {"exclude_seen": False}))


class ManyForget(Wrapped):
    def recommend_many(self, customers: Sequence[Id], **options: Any) -> Rankings:  # noqa: ANN401
        return super().recommend_many(customers[:-1], **options)


class ManyClaim(Wrapped):
    def recommend_many(self, customers: Sequence[Id], **options: Any) -> Rankings:  # noqa: ANN401
        many = super().recommend_many(customers, **options)
        return replace(many, personalised=np.ones(len(many), np.bool_))


class NoRecommender:
    items = SHOP.items


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (GivesDenied, "it gave a denied item"),
        (IgnoresAllow, "not in allow"),
        (AllowsBeforeDenies, "deny must win"),
        (FillsEmpty, "it gave an item where none is allowed"),
        (FillsAllDenied, "it must give none"),
        (IgnoresConsent, "no fallback was given, and it ranked items"),
        (RanksTheDenied, "no fallback was given, and it ranked items"),
        (Repeats, "an item stands in a ranking twice"),
        (Rises, "scores must fall"),
        (Minus, "a score is not finite"),
        (Scoreless, "one score for each item"),
        (TooMany, "items at most, it gave"),
        (Invents, "not among its items"),
        (Turns, "different items"),
        (Drifts, "different scores"),
        (BestIsAnother, "another item than the first of many"),
        (AddsForUnseen, "exclude_seen added an item"),
        (ReadsAllowTwice, "can be read but once"),
        (IgnoresHistory, "an item of the history that was given"),
        (TakesAHistoryForConsent, "a history was given, and it ranked items"),
        (NotARanking, "recommend gave a list"),
        (ManyDiffer, "differs from recommend at position 0"),
        (ManyForget, "one ranking for each customer"),
        (ManyClaim, "in personalised at position 5"),
        (NoRecommender, "it lacks items, recommend or recommend_many"),
    ],
)
def test_a_broken_recommender_is_caught(broken: type[Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_recommender(broken(), customers=CUSTOMERS, consent=ANYONE, at=0)


def test_what_the_broken_ones_are_made_of_passes() -> None:
    wrapped: Recommender = Wrapped()

    check_recommender(wrapped, customers=CUSTOMERS, consent=ANYONE, at=0)


@pytest.mark.parametrize("consent", [NOBODY, permitting()])
def test_a_check_that_could_see_nothing_is_refused(consent: Any) -> None:  # noqa: ANN401
    with pytest.raises(AssertionError, match="no customer got a ranking"):
        check_recommender(Popularity().fit(SHOP), customers=CUSTOMERS, consent=consent, at=0)
