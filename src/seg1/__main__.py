"""The command line: ``python -m seg1 demo [--out DIR] [--json] [--seed N]``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from seg1 import __version__
from seg1.errors import Seg1Error

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give its exit code: 0, or 2 with one line on standard error."""
    parsed = _parser().parse_args(arguments)
    try:
        from seg1.demo.run import run  # noqa: PLC0415  # --help and --version need none of it

        run(parsed.out, seed=parsed.seed, as_json=parsed.json)
    except BrokenPipeError:
        # Who reads has seen enough (`| head`). Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Seg1Error, OSError) as error:
        sys.stderr.write(f"seg1 demo: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m seg1", description="Segment-of-one personalization."
    )
    parser.add_argument("--version", action="version", version=f"seg1 {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="run the main job on the bundled retail data")
    demo.add_argument(
        "--out", type=Path, default=Path("seg1-demo"), metavar="DIR", help="folder to write into"
    )
    demo.add_argument("--json", action="store_true", help="print the figures as the last line")
    demo.add_argument("--seed", type=_seed, default=0, metavar="N", help="0 to 4294967295")
    return parser


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 4294967295, got {text}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
