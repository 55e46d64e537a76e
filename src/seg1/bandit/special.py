"""Special categories of data (GDPR, article 9): features that need a basis of their own."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = ["checked_bases"]

# Of one word, or of two that follow each other. A name is a hint, and no proof of the contrary.
_WORDS: Final = frozenset((
    "biometric", "biometrics", "faceid", "fingerprint", "gait", "iris", "retina", "voiceprint",
    "bmi", "depressed", "depression", "diabetes", "diagnosis", "disability", "disease", "fatigue",
    "fertility", "glucose", "health", "heartbeat", "heartrate", "illness", "insulin", "medical",
    "medication", "menstrual", "mental", "pain", "pregnancy", "pregnant", "prescription", "pulse",
    "sick", "sleep", "symptom", "symptoms", "therapy",
    "bereavement", "emotion", "emotions", "grief", "mood", "sentiment", "stress", "stressed",
    "dna", "genetic", "genome",
    "ethnic", "ethnicity", "faith", "political", "race", "religion", "religious", "sexual",
    "sexuality", "tradeunion",
))  # fmt: skip
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def checked_bases(special: object, *, names: Iterable[str]) -> Mapping[str, str]:
    """Accept the bases of special features; refuse a name that sounds like one and has none.

    Parameters
    ----------
    special
        Name of a feature to the basis on which it is used.
    names
        All declared features.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For a special feature without a basis, or a basis of nothing.

    Examples
    --------
    >>> dict(checked_bases({"mood": "explicit consent"}, names=["hour", "mood"]))
    {'mood': 'explicit consent'}
    """
    if not isinstance(special, Mapping):
        raise InvalidTypeError(f"special must be a mapping, got {type(special).__name__}")
    declared = list(names)
    for name, basis in special.items():
        if name not in declared:
            raise InvalidArgumentError("special names a feature that is not declared")
        if not isinstance(basis, str) or not basis.strip():
            raise InvalidArgumentError(f"special[{name!r}] must say the basis, as words")
    for name in declared:
        if name not in special and _sounds_special(name):
            raise InvalidArgumentError(
                f"feature {name!r} sounds like a special category of data (health, emotion, "
                "biometrics, belief, ...): name the basis on which it may be used, "
                f"special={{{name!r}: 'explicit consent'}}, or call it what it is"
            )
    return dict(special)


def _sounds_special(name: str) -> bool:
    parts = [part.lower() for part in _PART.findall(name)]
    joined = {first + second for first, second in pairwise(parts)}
    return bool(_WORDS & {*parts, *joined})
