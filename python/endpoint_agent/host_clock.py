"""Time since the host was started, sleep included."""

from __future__ import annotations

import sys
import time


def since_boot() -> float:
    """Seconds."""
    if sys.platform == "win32":
        # Its clocks go on while the host sleeps, and begin with it.
        return time.monotonic()
    return time.clock_gettime(time.CLOCK_BOOTTIME)
