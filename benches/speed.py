"""Whether the machine runs at its full speed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

Outcome = TypeVar("Outcome")

# Additions in a loop: some three milliseconds, of which the best of a few counts, so that an agent
# that works for a moment is not taken for a slow machine.
LOOP = 80_000
LOOPS = 3

# As long as this part more than the shortest loop seen.
SLOW = 1.2

# Seconds.
CALIBRATION = 5.0
POLL = 0.1
PATIENCE = 60.0


class Machine:
    """A virtual machine whose neighbours take up to a third of its speed for seconds at a time.

    That is more than what most benchmarks look for. A loop that only computes shows when it is so.
    """

    def __init__(self) -> None:
        """Finds out how fast the machine can be."""
        self._best = float("inf")
        self._patience = 0.0
        self.measured = 0
        """How many times something was done."""
        self.disturbed = 0
        """How many of them counted although the machine was slow, after `PATIENCE`."""
        end = time.monotonic() + CALIBRATION
        while time.monotonic() < end:
            self._is_fast()
            time.sleep(POLL)

    def be_patient(self) -> None:
        """Has `PATIENCE` with a slow machine from now on."""
        self._patience = PATIENCE

    def undisturbed(self, work: Callable[[], Outcome]) -> Outcome:
        """Does the work until the machine has been at its full speed before and after it."""
        self.measured += 1
        while True:
            fast = self._wait()
            begin = time.monotonic()
            outcome = work()
            if fast and self._is_fast():
                return outcome
            self._patience -= time.monotonic() - begin
            if self._patience <= 0:
                self.disturbed += 1
                return outcome

    def _wait(self) -> bool:
        """Waits for the full speed while there is patience; whether it is there."""
        while not (fast := self._is_fast()) and self._patience > 0:
            time.sleep(POLL)
            self._patience -= POLL
        return fast

    def _is_fast(self) -> bool:
        """Every core by itself: they have different neighbours."""
        cores = os.sched_getaffinity(0)
        took = []
        try:
            for core in cores:
                os.sched_setaffinity(0, {core})
                took.append(min(_loop() for _ in range(LOOPS)))
        finally:
            os.sched_setaffinity(0, cores)
        self._best = min(self._best, *took)
        return max(took) < SLOW * self._best


def _loop() -> float:
    begin = time.perf_counter()
    total = 0
    for number in range(LOOP):
        total += number
    return time.perf_counter() - begin
