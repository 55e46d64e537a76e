"""The built wheel alone, with core dependencies: loads fast, without implicit, tells the story."""

import subprocess
import sys
import time
from pathlib import Path

OUT = Path(sys.argv[1])
LOAD = (
    "import sys, seg1; seg1.Events, seg1.ALSModel; "
    "assert 'implicit' not in sys.modules, 'implicit was imported'"
)


def seconds_to_load() -> float:
    """Time a fresh interpreter that loads the two names, less one that loads nothing."""
    spent = []
    for code in ("pass", LOAD):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
        spent.append(time.perf_counter() - began)
    return spent[1] - spent[0]


def main() -> None:
    """Check the installation, the load time, and the demo in text."""
    import seg1  # noqa: PLC0415

    if "site-packages" not in str(seg1.__file__):
        raise SystemExit(f"not the wheel: {seg1.__file__}")
    best = min(seconds_to_load() for _ in range(5))
    print(f"seg1.Events and seg1.ALSModel load in {best:.2f} s")
    if best >= 0.5:
        raise SystemExit("loading takes 0.5 s or more")
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-m", "seg1", "demo", "--out", str(OUT)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for wanted in ("1. Events", "2. Who", "3. Three", "consent: withdrawn", "no report.html"):
        if wanted not in told:
            raise SystemExit(f"the demo in text does not say {wanted!r}")


if __name__ == "__main__":
    main()
