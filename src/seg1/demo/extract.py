"""The bundled extract of The Complete Journey: checked, then read."""

import hashlib
import io
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from seg1._checks import DAY_US, to_us
from seg1._types import Id
from seg1.errors import DamagedError

__all__ = ["Extract", "load_extract"]

_FILES = ("journey.npz", "journey.json")
_SECOND_US = 1_000_000


class _Meta(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    format: Literal[1]
    title: str
    source: str
    licence: str
    note: str
    first_day: Literal["2017-01-01"]
    names: list[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extract:
    """Lines of receipts, coupon campaigns, product names, and what the source says of itself.

    Attributes
    ----------
    receipts
        Columns household_id, product_id, time (int64 microseconds UTC), quantity and sales_value,
        each of shape (n_lines,).
    product_names
        Product id to name.
    first_us
        Start of the first day, microseconds UTC.
    mailings, redemptions
        Which household was mailed which campaign, columns household_id and campaign_id, shape
        (n_mailings,); and which redeemed a coupon of it, with the time of the day's start besides,
        shape (n_redemptions,). Which coupons were in a mailing is not recorded.
    coupons
        Which campaign had coupons for which product, columns campaign_id and product_id, one row
        for each coupon of a product.
    source, note
        Where the data come from, and what to know of them.
    """

    receipts: dict[str, NDArray[Any]]  # Any: each column has its dtype
    mailings: dict[str, NDArray[Any]]  # Any: as above
    redemptions: dict[str, NDArray[Any]]  # Any: as above
    coupons: dict[str, NDArray[Any]]  # Any: as above
    product_names: dict[Id, str]
    first_us: int
    source: str
    note: str

    def week_us(self, week: int) -> int:
        """Give the start of a week, counted from 1, in microseconds UTC."""
        return self.first_us + (week - 1) * 7 * DAY_US


def load_extract(folder: Traversable | None = None) -> Extract:
    """Read the extract, after its checksums.

    Parameters
    ----------
    folder
        Another folder than the bundled one.

    Raises
    ------
    DamagedError
        Where a file is missing or is not the one that was shipped.
    """
    folder = resources.files("seg1.demo") / "data" if folder is None else folder
    content = _checked_content(folder)
    try:
        meta = _Meta.model_validate_json(content["journey.json"])
        with np.load(io.BytesIO(content["journey.npz"]), allow_pickle=False) as archive:
            arrays = dict(archive)
        return _assemble(arrays, meta)
    except (ValidationError, KeyError, ValueError) as error:
        raise DamagedError("the bundled extract does not have its form; install again") from error


def _checked_content(folder: Traversable) -> dict[str, bytes]:
    try:
        sums = (folder / "journey.sha256").read_text().split()
        wanted = dict(zip(sums[1::2], sums[::2], strict=True))
        content = {name: (folder / name).read_bytes() for name in _FILES}
    except (OSError, ValueError) as error:
        raise DamagedError("the bundled extract cannot be read; install seg1 again") from error
    for name, text in content.items():
        if hashlib.sha256(text).hexdigest() != wanted.get(name):
            raise DamagedError(f"the bundled {name} is damaged; install seg1 again")
    return content


def _distinct(ids: list[int], codes: list[int], names: list[str]) -> dict[Id, str]:
    """Name products; where several share a name, with their id."""
    shared = Counter(codes)
    return {
        product: names[code] if shared[code] == 1 else f"{names[code]} #{product}"
        for product, code in zip(ids, codes, strict=True)
    }


def _assemble(arrays: dict[str, NDArray[Any]], meta: _Meta) -> Extract:
    first_us = to_us(np.datetime64(meta.first_day, "us").astype(np.int64).item())
    basket_of_line = np.repeat(np.arange(len(arrays["basket_lines"])), arrays["basket_lines"])
    second = arrays["basket_second"].astype(np.int64)[basket_of_line]
    names = _distinct(arrays["product_id"].tolist(), arrays["product_name"].tolist(), meta.names)
    receipts = {
        "household_id": arrays["household_id"][arrays["basket_household"]][basket_of_line],
        "product_id": arrays["product_id"][arrays["line_product"]],
        "time": first_us + second * _SECOND_US,
        "quantity": arrays["line_quantity"].astype(np.int64),
        "sales_value": arrays["line_cents"] / 100.0,
    }
    return Extract(
        receipts=receipts,
        **_campaigns(arrays, first_us=first_us),
        product_names=names,
        first_us=first_us,
        source=meta.source,
        note=meta.note,
    )


def _campaigns(
    arrays: dict[str, NDArray[Any]], *, first_us: int
) -> dict[str, dict[str, NDArray[Any]]]:
    """Lay out who was mailed which campaign, who redeemed, and what the coupons were for."""
    household, product, campaign = (
        arrays[f"{name}_id"] for name in ("household", "product", "campaign")
    )
    return {
        "mailings": {
            "household_id": household[arrays["mailed_household"]],
            "campaign_id": campaign[arrays["mailed_campaign"]],
        },
        "redemptions": {
            "household_id": household[arrays["redeemed_household"]],
            "campaign_id": campaign[arrays["redeemed_campaign"]],
            "time": first_us + arrays["redeemed_day"].astype(np.int64) * DAY_US,
        },
        "coupons": {
            "campaign_id": campaign[arrays["covers_campaign"]],
            "product_id": product[arrays["covers_product"]],
        },
    }
