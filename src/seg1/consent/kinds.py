"""Kinds of data: features that need a purpose of their own, and how long data may be used."""

from collections.abc import Iterable, Mapping
from typing import Final

from seg1._checks import DAY_US, check_number
from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = ["FEATURE", "checked_features", "checked_retention", "feature_of"]

FEATURE: Final = "features:"
"""What stands before a feature's name in a stage of its own: "features:mood"."""


def feature_of(stage: object) -> str | None:
    """Give the feature that a stage is about alone, or None."""
    if isinstance(stage, str) and stage.startswith(FEATURE) and len(stage) > len(FEATURE):
        return stage.removeprefix(FEATURE)
    return None


def checked_features(features: object) -> dict[str, str]:
    """Accept features with a purpose of their own: name to purpose."""
    if not isinstance(features, Mapping):
        raise InvalidTypeError(
            f'features must map names to purposes, as in {{"mood": "wellbeing"}}, '
            f"got {type(features).__name__}"
        )
    for name, purpose in features.items():
        if not all(isinstance(word, str) and word for word in (name, purpose)):
            raise InvalidArgumentError("features must map non-empty names to non-empty purposes")
    return dict(features)


def checked_retention(retention_days: object, *, purposes: Iterable[str]) -> dict[str, int]:
    """Accept how long data may be used for a purpose: purpose to days; give microseconds.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For a purpose that the policy does not name (data would be kept for ever, unseen), or days
        that are no number > 0.
    """
    if not isinstance(retention_days, Mapping):
        raise InvalidTypeError(
            f"retention_days must map purposes to days, got {type(retention_days).__name__}"
        )
    known = set(purposes)
    unknown = sorted(repr(purpose) for purpose in retention_days if purpose not in known)
    if unknown:
        raise InvalidArgumentError(
            f"retention_days names purposes that the policy does not: {', '.join(unknown)}"
        )
    return {
        purpose: round(check_number(days, name=f"retention_days[{purpose!r}]", above=0) * DAY_US)
        for purpose, days in retention_days.items()
    }
