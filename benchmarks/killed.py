"""Kill a working process in mid-work, and hear what it had acknowledged."""

import os
import signal
import time
from collections.abc import Callable

__all__ = ["lines_of_killed"]


def lines_of_killed(work: Callable[[int], None], *, after_s: float) -> set[str]:
    """Fork a child that works for ever, kill it with SIGKILL, and give the lines it wrote.

    Parameters
    ----------
    work
        Is given a pipe; writes a line into it for each thing that was acknowledged.
    after_s
        How long the child lives after its first byte, seconds.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        work(writer)
    os.close(writer)
    told = os.read(reader, 1)  # it has begun
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    while part := os.read(reader, 65_536):
        told += part
    os.waitpid(child, 0)
    os.close(reader)
    return set(told.decode().split("\n")[:-1])  # the last may be cut
