"""Time since the host was started, sleep included."""

from __future__ import annotations

import sys
import time


def since_boot() -> float:
    """Seconds."""
    if sys.platform == "win32":
        # GetTickCount64, which goes on while the host sleeps.
        return time.monotonic()
    return time.clock_gettime(time.CLOCK_BOOTTIME)
