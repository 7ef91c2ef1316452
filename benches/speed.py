"""How fast the machine is just now."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

# Additions in a loop: some four milliseconds.
LOOP = 80_000
LOOPS = 2


def loop_seconds(cores: Collection[int]) -> float:
    """CPU seconds of a loop that only computes, on average of these cores.

    A virtual machine's neighbours take up to a third of a core's speed, for seconds at a time. What
    else runs in this machine meanwhile does not count: the CPU time of this thread is taken.
    """
    before = os.sched_getaffinity(0)
    try:
        return sum(map(_quickest, cores)) / len(cores)
    finally:
        os.sched_setaffinity(0, before)


def _quickest(core: int) -> float:
    os.sched_setaffinity(0, {core})
    return min(_loop() for _ in range(LOOPS))


def _loop() -> float:
    begin = time.thread_time()
    total = 0
    for number in range(LOOP):
        total += number
    return time.thread_time() - begin


@contextmanager
def one_core() -> Iterator[None]:
    """This thread, and those that it starts, run on one core only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
