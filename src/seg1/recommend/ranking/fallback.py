"""What those get about whom nothing may be read: a ranking that is the same for all of them."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from seg1._types import History, Id
from seg1.consent import ConsentDoor
from seg1.errors import PluginError, WrongIdTypeError
from seg1.events import Vocabulary
from seg1.recommend.ranking.itemset import ItemSet
from seg1.recommend.ranking.result import Ranking

__all__ = ["Anyone", "AnyoneRanker", "Request"]


class Request(NamedTuple):
    """What is asked for, apart from whom: checked once, also for many customers."""

    n: int
    exclude_seen: bool
    consent: ConsentDoor
    at_us: int
    allow: Collection[Id] | None = None
    deny: Collection[Id] = ()
    history: History | None = None


@runtime_checkable
class AnyoneRanker(Protocol):
    """Ranks items for anybody, reading nothing personal; a `Popularity` model."""

    def rank_for_anyone(
        self, n: int, *, allow: Iterable[Id] | None = None, deny: Iterable[Id] = ()
    ) -> Ranking:
        """Give at most n allowed items."""
        ...


class Anyone:
    """The fallback's ranking: asked for at most once, and checked."""

    def __init__(
        self, request: Request, fallback: AnyoneRanker | None, *, kind: str | None
    ) -> None:
        """Take a fallback for a recommender whose items have ids of a kind.

        Raises
        ------
        WrongIdTypeError
            Where the fallback tells its items, and they have ids of the other kind.
        """
        self._request = request
        self._fallback = fallback
        self._kind = kind
        own = getattr(fallback, "items", None)
        _check_kind(getattr(own, "kind", None), kind)

    @cached_property
    def ranking(self) -> Ranking:
        """The ranking, empty where there is no fallback."""
        if self._fallback is None:
            return Ranking(items=(), scores=np.zeros(0), personalised=False, reason="anyone")
        asked, own = self._request, getattr(self._fallback, "items", None)
        allow = None if asked.allow is None else _readable(asked.allow, own)
        ranking = self._fallback.rank_for_anyone(
            asked.n, allow=allow, deny=_readable(asked.deny, own)
        )
        _check_fallback(ranking, asked)
        for item in ranking.items:
            _check_kind("str" if isinstance(item, str) else "int", self._kind)
        return replace(ranking, personalised=False)


def _readable(ids: Collection[Id], items: Vocabulary | None) -> Collection[Id]:
    """Give a compiled set as plain ids to whom it was not compiled for."""
    return list(ids) if isinstance(ids, ItemSet) and ids.items is not items else ids


def _check_kind(own: str | None, kind: str | None) -> None:
    if own is not None and kind is not None and own != kind:
        raise WrongIdTypeError(
            f"the fallback knows items by {own} ids, and the recommender by {kind} ids; "
            "fit both on items of one kind"
        )


def _check_fallback(ranking: object, request: Request) -> None:
    if not isinstance(ranking, Ranking):
        raise PluginError(f"the fallback must give a Ranking, got {type(ranking).__name__}")
    shown = set(ranking.items)
    is_allowed = not _those_in(request.deny, shown) and (
        request.allow is None or _those_in(request.allow, shown) == shown
    )
    if not is_allowed or len(shown) != len(ranking) or len(ranking) > request.n:
        raise PluginError(
            "the fallback gave an item that is not allowed, an item twice, or more than n; "
            "its rank_for_anyone must heed n, allow and deny"
        )


def _those_in(ids: Collection[Id], shown: set[Id]) -> set[Id]:
    if isinstance(ids, ItemSet):
        return {item for item in shown if item in ids}
    return shown.intersection(ids)
