"""`ALSModel`: what a fit has learned, and how it answers. Serves without implicit."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from seg1 import persist
from seg1._checks import check_int, read_only, to_us
from seg1._types import At, Float32s, Float64s, History, Id, Int32s
from seg1.consent import ConsentDoor, Customers
from seg1.consent.policy import check_consent
from seg1.errors import DamagedError, UnknownIdError
from seg1.interactions import Interactions
from seg1.recommend.fitting.foldin import Penalty, fold_in, influence
from seg1.recommend.fitting.foldin_many import fold_in_many
from seg1.recommend.fitting.saved import (
    check_factors,
    check_finite,
    from_saved,
    gram_diagonal_of,
    to_saved,
)
from seg1.recommend.ranking.history import checked_histories, checked_history
from seg1.recommend.ranking.itemset import Candidates
from seg1.recommend.ranking.pruning import ByNorm, norms_of, top_by_norm
from seg1.recommend.ranking.reasons import adding_up, why_similar
from seg1.recommend.ranking.result import Explanation, Neighbours, Ranking, Why
from seg1.recommend.ranking.serving import Past, Ranked, Served, check_is_mapping, several
from seg1.recommend.ranking.similar import top_by_cosine
from seg1.recommend.ranking.topk import exact_scores

if TYPE_CHECKING:
    from seg1.recommend.fitting.als import ALS

__all__ = ["ALSModel"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ALSModel(Served):
    """What an `ALS` fit has learned. Replaced by another fit, never edited.

    Attributes
    ----------
    customer_factors, item_factors
        float32, shapes (n_customers, n_factors) and (n_items, n_factors), in the eigenbasis of
        Y'Y (Y the item factors), largest eigenvalue first; read-only.
    gram_diagonal
        The eigenvalues of Y'Y, float64, shape (n_factors,).
    by_norm
        The item factors once more, longest first, for rankings.
    penalty
        The penalty of a customer with n events.
    interactions
        What it was fitted on: the history of every customer in it.
    config
        The configuration that was fitted.

    Examples
    --------
    >>> import seg1
    >>> table = {"customer": [1, 1, 2, 2, 3], "item": ["a", "b", "a", "b", "a"], "time": [0] * 5}
    >>> anyone = seg1.ConsentNotNeeded("an example")
    >>> builder = seg1.InteractionMatrixBuilder()
    >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
    >>> model = seg1.ALS(factors=2, seed=1).fit(interactions)
    >>> model.recommend(3, n=5, exclude_seen=True, consent=anyone, at=0).items
    ('b',)
    """

    customer_factors: Float32s
    item_factors: Float32s
    gram_diagonal: Float64s
    by_norm: ByNorm
    penalty: Penalty
    interactions: Interactions
    config: "ALS"

    def __repr__(self) -> str:
        n_customers, n_items = self.interactions.shape
        return f"ALSModel({n_customers} customers, {n_items} items, {self.n_factors} factors)"

    @property
    def n_factors(self) -> int:
        """How many factors it has."""
        return int(self.item_factors.shape[1])

    @property
    def version(self) -> str:
        """Name the model by its configuration and its item factors: 16 hexadecimal digits."""
        named = repr(self.config).encode() + self.item_factors.tobytes()
        return hashlib.sha256(named).hexdigest()[:16]

    @property
    def manifest(self) -> dict[str, object]:
        """Tell what the model was trained on, under which consent, as values that JSON can hold.

        It is saved with the model. It holds counts and hashes, and no id.
        """
        told = asdict(self.interactions.provenance)
        return {
            "model": self.version,
            "data": self.interactions.version,
            **told,
            "purposes": list(told["purposes"]),
            "configuration": asdict(self.config),
        }

    def fold_in(self, history: History) -> Float64s:
        """Work out the factors of a customer from a history, without a fit.

        The history of a fitted customer gives that customer's fitted factors.

        Parameters
        ----------
        history
            Item to weight, > 0, as the interaction builder would weigh it. Items that the model
            does not know are passed over.

        Returns
        -------
        ndarray of float64, shape (n_factors,)

        Raises
        ------
        InvalidArgumentError
            For a weight that is not a number > 0, or that float32 cannot hold.
        UnknownIdError
            Where the model knows none of the items.
        """
        given = checked_history(history, items=self.items, n_items=self._n_items)
        if not len(given[0]):
            raise UnknownIdError(f"none of the {len(history)} items of the history is in the model")
        return self._fold_in(*given)

    def fold_in_many(self, histories: Sequence[History]) -> Float64s:
        """Work out the factors of many customers: what `fold_in` gives for each.

        Parameters
        ----------
        histories
            As for `fold_in`, one for each customer.

        Returns
        -------
        ndarray of float64, shape (n_histories, n_factors)

        Raises
        ------
        InvalidArgumentError, UnknownIdError
            As for `fold_in`, where that is so for any of them.
        """
        given = checked_histories(histories, items=self.items, n_items=self._n_items)
        return fold_in_many(
            self.item_factors,
            given.item_index,
            confidence=self.config.confidence_of(given.weights),
            starts=given.starts,
            gram_diagonal=self.gram_diagonal,
            penalty=self.penalty,
        )

    def _fold_in(self, items: Int32s, weights: Float32s) -> Float64s:
        return fold_in(
            self.item_factors.take(items, axis=0),
            self.config.confidence_of(weights),
            gram_diagonal=self.gram_diagonal,
            penalty=self.penalty.at(len(items)),
        )

    @property
    def _rows(self) -> ByNorm:
        return self.by_norm

    def _rank(self, past: Past, *, n: int, candidates: Candidates) -> Ranked:
        rows, closed = candidates.on(self.by_norm)
        best, scores = top_by_norm(rows, self._factor(past), n=n, closed=closed)
        return Ranked(best, scores, lambda: self._explain(past, best))

    def _score_all(self, past: Past) -> Float64s:
        scores: Float32s = self.item_factors @ self._factor(past).astype(np.float32)
        return scores.astype(np.float64)

    def _explain(self, past: Past, best: Int32s) -> tuple[Why, ...]:
        """Name, for each item, the events of the history that speak for it most."""
        if not len(best):
            return ()
        own, _ = past.events()
        parts = self._parts(past, best)
        return why_similar(parts, best=best, own=own, own_ids=self.items.decode(own))

    def _parts(self, past: Past, item_index: Int32s) -> Float64s:
        """Split scores into what each event adds, shape (n_items, n_events)."""
        own, weights = past.events()
        return influence(
            self.item_factors[own],
            self.config.confidence_of(weights),
            self.item_factors[item_index],
            gram_diagonal=self.gram_diagonal,
            penalty=self.penalty.at(len(own)),
        )

    def _factor(self, past: Past) -> Float64s:
        if past.given is None:
            wide: Float64s = self.customer_factors[past.customer_index].astype(np.float64)
            return wide
        return self._fold_in(*past.given)

    def explain(
        self,
        customer: Id,
        item: Id,
        *,
        consent: ConsentDoor,
        at: At,
        history: History | None = None,
    ) -> Explanation:
        """Tell what each event of a customer's past adds to the score of an item.

        Parameters
        ----------
        customer, item
            Whose score, and of what.
        consent, at, history
            As for `recommend`.

        Returns
        -------
        Explanation
            Its parts add up to the score.

        Raises
        ------
        UnknownIdError
            Where the model does not know the item.
        """
        check_is_mapping(history)
        code = self._known_item(item)
        refusal = self._refusal(customer, check_consent(consent), at_us=to_us(at))
        past = None if refusal else self._past(customer, history)
        if past is None:
            return Explanation.without(item, reason=refusal or "no history")
        score = float(exact_scores(self.item_factors[[code]], self._factor(past))[0])
        parts = adding_up(self._parts(past, np.array([code], dtype=np.int32))[0], score)
        order = np.argsort(-parts, kind="stable")
        return Explanation(
            item=item, score=score, items=tuple(self.items.decode(past.events()[0][order])),
            parts=parts[order], personalised=True, reason="personalised",
        )  # fmt: skip

    def similar_items(
        self,
        item: Id,
        *,
        n: int = 10,
        allow: Iterable[Id] | None = None,
        deny: Iterable[Id] = (),
    ) -> Ranking:
        """Rank the items most alike one item, by the cosine of their factors.

        It says nothing of any one customer, so that no consent is asked.

        Parameters
        ----------
        item
            The item; it is not among the answer.
        n, allow, deny
            As for `recommend`.

        Raises
        ------
        UnknownIdError
            Where the model does not know the item.
        """
        check_int(n, name="n", low=1)
        candidates = self._candidates(
            None if allow is None else several(allow, name="allow"), several(deny, name="deny")
        )
        code = self._known_item(item)
        allowed = candidates.allowed()
        allowed[code] = False
        best, cosines = top_by_cosine(
            self.item_factors, self.item_factors[code].astype(np.float64), n=n, allowed=allowed
        )
        return Ranking(
            items=tuple(self.items.decode(best)), scores=cosines, personalised=False,
            reason="anyone", withheld=candidates.withheld,
        )  # fmt: skip

    def similar_customers(
        self, customer: Id, *, n: int = 10, consent: ConsentDoor, at: At
    ) -> Neighbours:
        """Rank the customers most alike one customer, by the cosine of their factors.

        Everybody is asked first: who does not permit it is neither compared nor listed.

        Parameters
        ----------
        customer
            The customer; not among the answer.
        n
            How many at most, >= 1.
        consent, at
            Asked for the stage candidates, as of `at`, of the customer and of all others.
        """
        at_us, n = to_us(at), check_int(n, name="n", low=1)
        refusal = self._refusal(customer, check_consent(consent), at_us=at_us)
        past = None if refusal else self._past(customer, None)
        if past is None:
            return Neighbours.without(reason=refusal or "no history")
        known = self.interactions.customers
        is_live = known.is_live(np.arange(len(self.customer_factors)))
        everybody = Customers(known, np.flatnonzero(is_live).astype(np.int32))
        allowed = np.zeros(len(is_live), dtype=np.bool_)
        allowed[is_live] = consent.check(everybody, stage="candidates", at_us=at_us).allowed
        n_refused = len(everybody) - int(np.count_nonzero(allowed))
        allowed[past.customer_index] = False
        best, cosines = top_by_cosine(
            self.customer_factors, self._factor(past), n=n, allowed=allowed
        )
        return Neighbours(
            customers=tuple(known.decode(best)), similarities=cosines, personalised=True,
            reason="personalised", n_refused=n_refused,
        )  # fmt: skip

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model into a folder, replacing what it held in one step.

        Parameters
        ----------
        path
            The folder; its parent must exist.

        Examples
        --------
        >>> import tempfile, seg1
        >>> table = {"customer": [1, 1, 2], "item": ["a", "b", "a"], "time": [0] * 3}
        >>> anyone = seg1.ConsentNotNeeded("an example")
        >>> builder = seg1.InteractionMatrixBuilder()
        >>> interactions = builder.build(seg1.Events.from_table(table), consent=anyone, at=0)
        >>> model = seg1.ALS(factors=2, seed=1).fit(interactions)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(folder)
        ...     seg1.ALSModel.load(folder)
        ALSModel(2 customers, 2 items, 2 factors)
        """
        arrays, meta = to_saved(self)
        persist.save(path, kind="als", arrays=arrays, meta=meta)

    @classmethod
    def load(cls, path: str | PathLike[str], *, verify: bool = True) -> "ALSModel":
        """Read a model that `save` wrote into a folder; the factors stay on disk, mapped.

        Parameters
        ----------
        path, verify
            The folder; and whether to hash every array and look at every number before use. False
            for a second worker on the same machine, which then reads only what it uses.

        Raises
        ------
        DamagedError
            Where anything is missing or changed.
        """
        saved = persist.load(path, kind="als", verify=verify)
        try:
            return cls(**from_saved(saved, verify=verify))
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError("the folder's parts do not make up a model") from error

    @classmethod
    def of(
        cls,
        customer_factors: Float32s,
        item_factors: Float32s,
        *,
        interactions: Interactions,
        config: "ALS",
    ) -> "ALSModel":
        """Put a model together from factors in the eigenbasis, and what follows from them.

        Raises
        ------
        DamagedError
            Where shapes do not fit, or a factor is not finite.
        """
        check_factors(customer_factors, item_factors, shape=interactions.shape, config=config)
        check_finite(customer_factors, item_factors)
        return cls(
            customer_factors=read_only(customer_factors),
            item_factors=read_only(item_factors),
            gram_diagonal=read_only(gram_diagonal_of(item_factors)),
            by_norm=ByNorm.of(item_factors, norms_of(item_factors)),
            penalty=config.penalty(n_other=interactions.shape[1]),
            interactions=interactions,
            config=config,
        )
