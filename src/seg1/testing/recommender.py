"""`check_recommender`: the contract of `seg1.recommend.Recommender`, as one call."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seg1._types import At, History, Id
from seg1.consent import Consent, ConsentDoor
from seg1.recommend import Ranking, Recommender

__all__ = ["check_recommender"]


def check_recommender(
    recommender: Recommender, *, customers: Sequence[Id], consent: ConsentDoor, at: At
) -> None:
    """Check that a recommender keeps its contract; call it from a test of yours.

    A recommender gives allowed items only, each once, fewer rather than a wrong one, best first,
    the same when asked again, the same for one customer as for many, from a history that is given
    as from a stored one, and nothing personal where consent denies.

    Parameters
    ----------
    recommender
        What is checked.
    customers
        Customers to ask for, at least one of whom it can rank something personal for.
    consent
        A consent under which that customer permits it.
    at
        The moment as of which consent is asked.

    Raises
    ------
    AssertionError
        Where the contract is broken; the message says how, and names no id.

    Examples
    --------
    >>> import seg1
    >>> from seg1.testing import check_recommender
    >>> table = {"customer": [1, 1, 2, 2, 3], "item": ["a", "b", "a", "b", "a"], "time": [0] * 5}
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder()
    >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
    >>> model = seg1.Popularity().fit(interactions)
    >>> check_recommender(model, customers=[1, 2, 3], consent=anyone, at=0)
    """
    assert isinstance(recommender, Recommender), "it lacks items, recommend or recommend_many"
    asked = _Asked(recommender, consent, at, n_items=len(recommender.items))
    rankings = [asked.rank(customer) for customer in customers]
    assert any(r.reason in ("personalised", "anyone") and len(r) for r in rankings), (
        "no customer got a ranking: pass one whom the recommender knows and who permits it"
    )
    for customer in customers:
        _check_order(asked, customer)
        _check_allow_and_deny(asked, customer)
        _check_exclude_seen(asked, customer)
        _check_denied(asked, customer)
        _check_history(asked, customer)
    _check_many(asked, customers)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A recommender together with what every question to it repeats."""

    recommender: Recommender
    consent: ConsentDoor
    at: At
    n_items: int

    def rank(
        self,
        customer: Id,
        *,
        n: int | None = None,
        exclude_seen: bool = False,
        consent: ConsentDoor | None = None,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] = (),
        history: History | None = None,
    ) -> Ranking:
        n = self.n_items + 1 if n is None else n
        ranking = self.recommender.recommend(
            customer,
            n=n,
            exclude_seen=exclude_seen,
            consent=self.consent if consent is None else consent,
            at=self.at,
            allow=allow,
            deny=deny,
            history=history,
        )
        assert isinstance(ranking, Ranking), f"recommend gave a {type(ranking).__name__}"
        assert len(ranking) <= n, f"asked for {n} items at most, it gave {len(ranking)}"
        assert len(set(ranking.items)) == len(ranking), "an item stands in a ranking twice"
        assert all(item in self.recommender.items for item in ranking.items), (
            "it gave an item that is not among its items"
        )
        return ranking


def _check_order(asked: _Asked, customer: Id) -> None:
    ranking = asked.rank(customer)
    again = asked.rank(customer)
    short = asked.rank(customer, n=1)
    scores = np.asarray(ranking.scores)
    assert scores.shape == (len(ranking),), "there must be one score for each item"
    assert np.isfinite(scores).all(), "a score is not finite"
    assert (np.diff(scores) <= 0).all(), "scores must fall: the best item comes first"
    assert ranking.items == again.items, "asked twice, it gave different items"
    assert np.array_equal(scores, again.scores), "asked twice, it gave different scores"
    assert short.items == ranking.items[:1], "n=1 gave another item than the first of many"


def _check_allow_and_deny(asked: _Asked, customer: Id) -> None:
    items = asked.rank(customer).items
    some = items[::2]
    assert not set(asked.rank(customer, deny=some).items) & set(some), "it gave a denied item"
    assert set(asked.rank(customer, allow=some).items) <= set(some), (
        "it gave an item that is not in allow"
    )
    both = asked.rank(customer, allow=some, deny=some[:1]).items
    assert set(both) <= set(some[1:]), "where allow and deny name an item, deny must win"
    assert asked.rank(customer, allow=iter(some)).items == asked.rank(customer, allow=some).items, (
        "it reads an allow that can be read but once otherwise than a list"
    )
    assert not len(asked.rank(customer, allow=[])), "it gave an item where none is allowed"
    assert not len(asked.rank(customer, deny=items)), (
        "where every item it ranks is denied, it must give none"
    )


def _check_exclude_seen(asked: _Asked, customer: Id) -> None:
    everything = asked.rank(customer)
    unseen = asked.rank(customer, exclude_seen=True)
    assert set(unseen.items) <= set(everything.items), (
        "exclude_seen added an item that the ranking without it lacks"
    )


def _check_denied(asked: _Asked, customer: Id) -> None:
    ranking = asked.rank(customer, consent=Consent({}))
    assert not ranking.personalised, "consent denied, and the ranking was personalised"
    assert not len(ranking), "consent denied and no fallback was given, and it ranked items"


def _check_history(asked: _Asked, customer: Id) -> None:
    some = asked.rank(customer).items[:2]
    history: dict[Id, float] = dict.fromkeys(some, 1.0)
    denied = asked.rank(customer, consent=Consent({}), history=history)
    assert not len(denied), "consent denied, a history was given, and it ranked items"
    if some:
        unseen = asked.rank(customer, exclude_seen=True, history=history)
        assert not set(unseen.items) & set(some), (
            "exclude_seen gave an item of the history that was given"
        )


def _check_many(asked: _Asked, customers: Sequence[Id]) -> None:
    n = asked.n_items + 1
    many = asked.recommender.recommend_many(
        customers, n=n, exclude_seen=True, consent=asked.consent, at=asked.at
    )
    assert len(many) == len(customers), "recommend_many must give one ranking for each customer"
    for position, customer in enumerate(customers):
        one = asked.rank(customer, exclude_seen=True)
        scores = many.scores[position][: len(one)]
        is_same = tuple(many.ids(position)) == one.items and np.allclose(scores, one.scores)
        assert is_same, f"recommend_many differs from recommend at position {position}"
        assert bool(many.personalised[position]) == one.personalised, (
            f"recommend_many differs from recommend in personalised at position {position}"
        )
