"""Checks at the engine's door; no message names a customer or a value of theirs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from seg1._checks import check_at_least
from seg1.bandit import OfferSelector
from seg1.consent import ConsentDoor
from seg1.decide.early import EarlyAnswers
from seg1.decide.holdout import Holdout
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import id_problem
from seg1.recommend import ALSModel

__all__ = [
    "check_part",
    "check_parts",
    "check_special",
    "check_word",
    "checked_answer",
    "checked_context",
]

_KINDS: Final = {
    "selector": OfferSelector,
    "recommender": ALSModel,
    "holdout": Holdout,
    "delay_model": EarlyAnswers,
}
_LARGEST_REWARD: Final = 1e30  # draws are float32, and what is drawn is of that size


def check_parts(**parts: object) -> None:
    """Accept what an engine is made of, by name; all but the selector may be None."""
    for name, part in parts.items():
        if part is not None or name == "selector":
            check_part(name, part)


def check_part(name: str, part: object) -> None:
    """Accept one of the parts, by the name of its argument.

    Raises
    ------
    InvalidTypeError
        For another kind.
    """
    kind = _KINDS[name].__name__
    if not isinstance(part, _KINDS[name]):
        article = "an" if kind[0] in "AEIOU" else "a"
        raise InvalidTypeError(f"{name} must be {article} {kind}, got {type(part).__name__}")


def checked_context(context: Mapping[str, object] | None) -> Mapping[str, object]:
    """Copy a context into what neither the caller nor a filter can change."""
    if context is not None and not isinstance(context, Mapping):
        raise InvalidTypeError(f"context must be a mapping, got {type(context).__name__}")
    return MappingProxyType(dict(context or {}))


def check_special(selector: OfferSelector, consent: ConsentDoor) -> None:
    """Refuse a feature of a special category without a rule of its own in the policy."""
    for name in selector.schema.special:
        if not consent.governs(name):
            raise InvalidArgumentError(
                f"feature {name!r} is of a special category, and the policy has no rule of its own "
                f'for it: write Consent.for_purposes(..., features={{{name!r}: "its purpose"}})'
            )


def check_word(value: object, *, name: str) -> str:
    """Accept a non-empty str of at most 256 bytes; the value is not in the message."""
    problem = id_problem(value)
    if not isinstance(value, str):
        raise InvalidTypeError(f"{name} must be a str, got {type(value).__name__}")
    if problem is not None:
        raise InvalidArgumentError(f"{name} must be a non-empty str of at most 256 bytes")
    return str(value)


def checked_answer(*, accepted: bool | None, reward: float | None) -> tuple[str, float]:
    """Give kind and number of an answer, which is one of the two."""
    if (accepted is None) == (reward is None):
        raise InvalidArgumentError("report either accepted= or reward=, exactly one of them")
    if reward is None:
        if not isinstance(accepted, bool | np.bool_):
            raise InvalidTypeError(f"accepted must be a bool, got {type(accepted).__name__}")
        return "accepted", float(accepted)
    # Squares are summed: what they cannot hold would spoil the fold once it is in the journal.
    value = check_at_least(reward, name="reward", low=-_LARGEST_REWARD)
    if value > _LARGEST_REWARD:
        raise InvalidArgumentError(f"reward must be at most {_LARGEST_REWARD:g}")
    return "reward", value
