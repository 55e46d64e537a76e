"""What the data say of coupons: which campaigns, who got them, who redeemed, in which segment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from seg1._types import Bools, Float64s, Id, Int64s
from seg1.demo.extract import Extract

__all__ = ["MIN_MAILED", "N_ITEMS", "SEGMENTS", "Campaigns", "count_campaigns"]

SEGMENTS: Final = ("light", "medium", "heavy")
"""Thirds of the households by receipt lines before the split."""

MIN_MAILED: Final = 40
"""A campaign becomes an offer where at least so many households of the extract got it."""

N_ITEMS: Final = 20
"""So many products stand for a campaign: those with its coupons that were bought most often."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaigns:
    """The campaigns that become offers, and how often each segment redeemed them.

    Attributes
    ----------
    ids
        Id of each campaign, rising.
    items
        For each campaign the products that stand for it.
    segment_of
        Household to the position of its segment in `SEGMENTS`.
    n_mailed, n_redeemed
        Households of a segment that were mailed a campaign, and those of them that redeemed at
        least one of its coupons; int64, shape (n_campaigns, n_segments).
    """

    ids: tuple[int, ...]
    items: tuple[tuple[Id, ...], ...]
    segment_of: Mapping[Id, int]
    n_mailed: Int64s
    n_redeemed: Int64s


def count_campaigns(extract: Extract, *, split_us: int) -> Campaigns:
    """Count mailings and redemptions by campaign and segment.

    A mailing is one (household, campaign). It counts as redeemed where the household redeemed at
    least one coupon of the campaign, at any time: which coupons were mailed is not recorded.

    Parameters
    ----------
    extract
        The data.
    split_us
        Segments and items are told by receipt lines before this time, microseconds UTC.
    """
    is_before = extract.receipts["time"] < split_us
    segment_of = _segments(extract.receipts["household_id"], is_before=is_before)
    ids, n_mailed_of = np.unique(extract.mailings["campaign_id"], return_counts=True)
    ids = ids[n_mailed_of >= MIN_MAILED]
    mailed = _pairs(extract.mailings)
    redeemed = _pairs(extract.redemptions) & mailed
    return Campaigns(
        ids=tuple(ids.tolist()),
        items=tuple(_items(extract, campaign, is_before=is_before) for campaign in ids.tolist()),
        segment_of=segment_of,
        n_mailed=_table(mailed, ids, segment_of),
        n_redeemed=_table(redeemed, ids, segment_of),
    )


def _segments(household_ids: Int64s, *, is_before: Bools) -> dict[Id, int]:
    """Cut the households into thirds by lines before the split; equal counts stay together."""
    households, place = np.unique(household_ids, return_inverse=True)
    n_lines = np.bincount(place[is_before], minlength=len(households))
    edges: Float64s = np.quantile(n_lines, [1 / 3, 2 / 3])
    segments = np.searchsorted(edges, n_lines)
    return dict(zip(households.tolist(), segments.tolist(), strict=True))


def _pairs(table: Mapping[str, Int64s]) -> set[tuple[int, int]]:
    return set(zip(table["household_id"].tolist(), table["campaign_id"].tolist(), strict=True))


def _table(pairs: set[tuple[int, int]], ids: Int64s, segment_of: Mapping[Id, int]) -> Int64s:
    """Count (household, campaign) pairs, (n_campaigns, n_segments)."""
    counts = np.zeros((len(ids), len(SEGMENTS)), dtype=np.int64)
    place_of = {campaign: place for place, campaign in enumerate(ids.tolist())}
    for household, campaign in pairs:
        if campaign in place_of and household in segment_of:
            counts[place_of[campaign], segment_of[household]] += 1
    return counts


def _items(extract: Extract, campaign_id: int, *, is_before: Bools) -> tuple[Id, ...]:
    """Name the products with coupons of a campaign that had most lines before the split."""
    covered = np.unique(
        extract.coupons["product_id"][extract.coupons["campaign_id"] == campaign_id]
    )
    bought = extract.receipts["product_id"][is_before]
    products, n_lines = np.unique(bought[np.isin(bought, covered)], return_counts=True)
    order = np.lexsort((products, -n_lines))[:N_ITEMS]
    return tuple(products[order].tolist())
