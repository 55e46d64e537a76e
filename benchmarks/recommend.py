"""Every speed of events, matrices and recommenders, in one run and one JSON object.

Usage: ``python benchmarks/recommend.py [--json]`` runs ``building.py`` and ``serving.py`` (with
loading and damage) one after the other, each in a process of its own, with one BLAS thread.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PARTS = ("building", "serving")


def main() -> None:
    """Run the parts, show what they print, and join their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    as_json = parser.parse_args().json
    told: dict[str, Any] = {}
    for part in PARTS:
        script = Path(__file__).with_name(f"{part}.py")
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(  # noqa: S603  # our own scripts
            [sys.executable, str(script), "--json"],
            check=True, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        *lines, last = done.stdout.splitlines()
        print("\n".join(lines))
        told |= json.loads(last)
    if as_json:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
