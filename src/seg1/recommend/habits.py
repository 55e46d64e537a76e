"""Two baselines that are hard to beat: what everybody has, and what the customer has again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seg1._checks import check_int, read_only
from seg1._types import Float64s, Id
from seg1.interactions import Interactions
from seg1.recommend.ranking.itemset import Candidates
from seg1.recommend.ranking.result import Ranking, Why
from seg1.recommend.ranking.serving import Past, Ranked, Served, several
from seg1.recommend.ranking.topk import top_by_score

__all__ = ["BuyAgain", "BuyAgainModel", "Popularity", "PopularityModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Popularity:
    """Rank items by how many customers had them: the same for everybody.

    Examples
    --------
    >>> import seg1
    >>> table = {"customer": ["ana", "bo", "bo"], "item": [7, 7, 8], "time": [0, 0, 0]}
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder()
    >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
    >>> seg1.Popularity().fit(interactions).rank_for_anyone(2).items
    (7, 8)
    """

    def fit(self, interactions: Interactions) -> "PopularityModel":
        """Count customers per item."""
        n_items = interactions.shape[1]
        counts = np.bincount(interactions.weights.indices, minlength=n_items).astype(np.float64)
        return PopularityModel(interactions=interactions, n_customers=read_only(counts))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PopularityModel(Served):
    """How many customers had each item.

    Attributes
    ----------
    interactions
        What was counted.
    n_customers
        float64, shape (n_items,).
    """

    _is_personal: ClassVar[bool] = False
    interactions: Interactions
    n_customers: Float64s

    def rank_for_anyone(
        self, n: int = 10, *, allow: Iterable[Id] | None = None, deny: Iterable[Id] = ()
    ) -> Ranking:
        """Rank without reading anything personal: what a fallback gives.

        Parameters
        ----------
        n
            How many items at most, >= 1.
        allow, deny
            Only these items, and none of those.
        """
        candidates = self._candidates(
            None if allow is None else several(allow, name="allow"), several(deny, name="deny")
        )
        ranked = self._rank_alike(check_int(n, name="n", low=1), candidates)
        items = tuple(self.items.decode(ranked.item_index))
        return Ranking(
            items=items,
            scores=ranked.scores,
            personalised=False,
            reason="anyone",
            withheld=candidates.withheld,
            explain=ranked.explain,
        )

    def _rank(self, past: Past, *, n: int, candidates: Candidates) -> Ranked:  # noqa: ARG002  # the same for everybody
        return self._rank_alike(n, candidates)

    def _rank_alike(self, n: int, candidates: Candidates) -> Ranked:
        best = top_by_score(self.n_customers, n=n, allowed=candidates.allowed())
        scores = self.n_customers[best]
        return Ranked(
            best,
            scores,
            lambda: tuple(Why("popular", (), s) for s in scores.tolist()),
            is_personal=False,
        )

    def _score_all(self, past: Past) -> Float64s:  # noqa: ARG002  # the same for everybody
        return self.n_customers


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyAgain:
    """Rank a customer's own items by their weight: what was had often, and lately, comes again.

    Fit it on a matrix with `transform="count"` and a half-life: its weights are then the decayed
    frequencies. Asked to leave out what was seen, it has nothing to say and returns nothing.

    Examples
    --------
    >>> import seg1
    >>> table = {"customer": ["ana", "ana", "ana"], "item": [7, 8, 8], "time": [0, 0, 1]}
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder(transform="count")
    >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=1)
    >>> model = seg1.BuyAgain().fit(interactions)
    >>> model.recommend("ana", exclude_seen=False, consent=anyone, at=1).items
    (8, 7)
    """

    def fit(self, interactions: Interactions) -> "BuyAgainModel":
        """Take the weights as they are."""
        return BuyAgainModel(interactions=interactions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuyAgainModel(Served):
    """The customers' own pasts.

    Attributes
    ----------
    interactions
        The weights that are ranked by.
    """

    interactions: Interactions

    def _rank(self, past: Past, *, n: int, candidates: Candidates) -> Ranked:
        own, weights = past.events()
        scores = weights.astype(np.float64)
        best = top_by_score(scores, n=n, allowed=candidates.allowed()[own])
        amounts = scores[best]
        why = tuple(Why("habit", (), amount) for amount in amounts.tolist())
        return Ranked(own[best], amounts, lambda: why)

    def _score_all(self, past: Past) -> Float64s:
        own, weights = past.events()
        scores = np.zeros(self._n_items)
        scores[own] = weights
        return scores
