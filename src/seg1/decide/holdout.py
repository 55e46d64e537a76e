"""`Holdout`: who gets no offer, so that the effect of all contacts can be measured."""

import hashlib
import hmac
from dataclasses import dataclass, field

from seg1._types import Id
from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = ["Holdout"]

_LEAST_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Holdout:
    """Hold a share of the customers out, each by a keyed hash of the id, for as long as the key.

    Parameters
    ----------
    share
        Which share, in (0, 1).
    key
        A secret of at least 16 bytes. Who knows it can tell who is held out.

    Examples
    --------
    >>> Holdout(0.05, key=b"sixteen bytes at least").is_control(1024)
    False
    """

    share: float
    key: bytes = field(kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.share, float) or not 0 < self.share < 1:
            raise InvalidArgumentError(f"share must lie in (0, 1), got {self.share!r}")
        if not isinstance(self.key, bytes):
            raise InvalidTypeError(f"key must be bytes, got {type(self.key).__name__}")
        if len(self.key) < _LEAST_KEY_BYTES:
            raise InvalidArgumentError(f"key must have at least {_LEAST_KEY_BYTES} bytes")

    def is_control(self, customer: Id) -> bool:
        """Say whether a customer is held out."""
        text = f"{type(customer).__name__}:{customer}".encode()
        digest = hmac.digest(self.key, text, hashlib.sha256)
        return int.from_bytes(digest[:8], "big") < self.share * 2**64
