"""A service that decides and answers until it is killed; it tells what was acknowledged."""

import os
import sys

from small_engine import T0, decide, engine_of


def main(path: str) -> None:
    engine = engine_of(journal=path)
    n = len(list(engine.journal.read()))
    while True:
        n += 1
        decision = decide(engine, n % 50, at=T0 + n, key=f"visit-{n}")
        engine.exposed(decision.id, at=T0 + n)
        engine.outcome(decision.id, accepted=n % 2 == 0, at=T0 + n)
        # Unbuffered: a line that was written is a line that the parent will read.
        os.write(1, f"{decision.id} {n % 2 == 0:d}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
