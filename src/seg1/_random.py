"""Keyed draws: a uniform number that a seed, a purpose and an id decide, and nothing else.

A draw can be made again at any time, by anybody who knows the seed, in any order. Each purpose has
a domain of its own, so that no two draws of one id share their bits.
"""

from hashlib import blake2b

__all__ = ["keyed_uniform"]

_UNIT = 2.0**-53


def keyed_uniform(seed: int, *, purpose: str, draw_id: str | int, attempt: int = 0) -> float:
    """Draw a number in [0, 1).

    Parameters
    ----------
    seed
        Whose draws these are, >= 0.
    purpose
        What is drawn ("arm", "fallback"); a domain of its own.
    draw_id
        What it is drawn for, such as a decision's id.
    attempt
        0 for the first draw of that id and purpose, 1 for the next.

    Returns
    -------
    float
        A multiple of 2**-53.

    Examples
    --------
    >>> keyed_uniform(7, purpose="arm", draw_id="visit-1")
    0.2462713362275395
    """
    # Lengths stand before the parts, so that no two ways of cutting a text draw alike.
    text = f"{seed}:{attempt}:{len(purpose)}:{purpose}:{type(draw_id).__name__}:{draw_id}"
    digest = blake2b(text.encode(), digest_size=8, person=b"seg1 draw").digest()
    return (int.from_bytes(digest, "big") >> 11) * _UNIT
