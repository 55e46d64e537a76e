"""Histories that a caller gives, one or many: checked, and turned into codes and weights."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from seg1._types import Float32s, History, Int32s, Int64s
from seg1.errors import InvalidArgumentError, UnknownIdError
from seg1.events import Vocabulary

__all__ = ["Histories", "checked_histories", "checked_history"]

_AT_A_TIME = 32
_CODE_BITS = 31  # a code is less than 2 ** 31
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_NO_WEIGHT = (
    "every weight of a history must be a number > 0 that float32 can hold; "
    "weigh its events as the builder of the model does"
)


def checked_history(
    history: History, *, items: Vocabulary, n_items: int
) -> tuple[Int32s, Float32s]:
    """Turn a history into codes and weights, ascending by item.

    Items that are not known are passed over. A message names no weight: a history is personal.

    Raises
    ------
    InvalidArgumentError
        For a weight that is not a number > 0, or that float32 cannot hold.
    WrongIdTypeError
        For items of the other kind of id.
    """
    weights = _checked_weights(list(history.values()))
    codes = items.encode(history, unknown="ignore")
    order = codes.argsort()
    codes, weights = codes.take(order), weights.take(order)
    if len(codes) and not 0 <= codes[0] <= codes[-1] < n_items:
        first, last = codes.searchsorted((0, n_items))  # unknown, and added since the fit
        return codes[first:last], weights[first:last]
    return codes, weights


class Histories(NamedTuple):
    """Several histories, one behind the other, each ascending by item.

    Attributes
    ----------
    item_index, weights
        int32 and float32, shape (n_events,).
    starts
        int64, shape (n_histories + 1,): where each begins, and the end.
    """

    item_index: Int32s
    weights: Float32s
    starts: Int64s


def checked_histories(
    histories: Sequence[History], *, items: Vocabulary, n_items: int
) -> Histories:
    """Turn several histories into codes and weights, as `checked_history` does.

    Raises
    ------
    UnknownIdError
        Where none of the items of a history is known.
    """
    if not len(histories):
        return Histories(np.empty(0, np.int32), np.empty(0, np.float32), np.zeros(1, np.int64))
    weights, codes = _weights_and_codes(histories, items)
    n_events = np.array(list(map(len, histories)))
    of = np.repeat(np.arange(len(histories)), n_events)
    is_known = (codes >= 0) & (codes < n_items)
    if not is_known.all():
        codes, weights, of = codes[is_known], weights[is_known], of[is_known]
        n_events = np.bincount(of, minlength=len(histories))
    if not n_events.all():
        raise UnknownIdError(
            f"{int((n_events == 0).sum())} of {len(histories)} histories hold no item of the "
            f"model, the first at position {int(np.argmin(n_events))}"
        )
    # By history, then by item: of one word each they are sorted in a tenth of the time.
    order = ((of << _CODE_BITS) | codes).argsort()
    starts = np.concatenate(([0], n_events.cumsum()))
    return Histories(codes.take(order), weights.take(order), starts)


def _weights_and_codes(histories: Sequence[History], items: Vocabulary) -> tuple[Float32s, Int32s]:
    """Read a few histories at a time, so that what is read twice is still in the cache."""
    weights, codes = [], []
    for start in range(0, len(histories), _AT_A_TIME):
        some = histories[start : start + _AT_A_TIME]
        weights.append(_checked_weights(list(chain.from_iterable(h.values() for h in some))))
        codes.append(items.encode(chain.from_iterable(some), unknown="ignore"))
    return np.concatenate(weights), np.concatenate(codes)


def _checked_weights(values: list[float]) -> Float32s:
    if not values:
        return np.empty(0, np.float32)
    try:
        given = np.array(values)
    except ValueError:  # lists of several lengths
        raise InvalidArgumentError(_NO_WEIGHT) from None
    is_number = given.ndim == 1 and given.dtype.kind in "fiu"
    # Extremes by their places: a sixth of what `max` takes for a few numbers. NaN is found first.
    if is_number and given[given.argmax()] <= _FLOAT32_MAX:
        weights: Float32s = given.astype(np.float32)
        if weights[weights.argmin()] > 0:
            return weights
    raise InvalidArgumentError(_NO_WEIGHT)
