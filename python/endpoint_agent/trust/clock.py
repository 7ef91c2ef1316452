"""Whether the host's clock was set: its time against that since the boot.

Both go on while the host sleeps, so a sleep is no jump. Nor is it one that a clock is made to run
faster or slower, as by NTP.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from endpoint_agent.host_clock import since_boot

# Seconds.
THRESHOLD = 10.0

# Seconds a second that the kernel may slew the clock by, at most: twice the 500 ppm of adjtimex(2).
SLEW = 0.001

Clocks = Callable[[], tuple[float, float]]


class Jump(NamedTuple):
    """The clock was set. Times are seconds since 1970, or how many."""

    before: float
    """What it would show now."""
    after: float
    """What it shows."""


def clocks() -> tuple[float, float]:
    """The time, and that since the boot, of one moment."""
    before = since_boot()
    now = time.time()
    return now, (before + since_boot()) / 2


class Clock:
    """Watches the clock from now on."""

    def __init__(self, read: Clocks = clocks) -> None:
        """`read` tells the time and that since the boot."""
        self._read = read
        now, self._looked = read()
        self._offset = now - self._looked

    def jump(self) -> Jump | None:
        """By how much the clock was set since the last look; None where it was not."""
        now, since_boot = self._read()
        drift = now - since_boot - self._offset
        if abs(drift) >= THRESHOLD:
            self._looked, self._offset = since_boot, now - since_boot
            return Jump(now - drift, now)
        # What slewing can have done is forgiven; small steps add up.
        most = SLEW * max(0.0, since_boot - self._looked)
        self._looked = since_boot
        self._offset += min(max(drift, -most), most)
        return None
