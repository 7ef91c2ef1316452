"""What two agents say to each other, and the moment that they agree on."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass

from endpoint_agent.host_clock import since_boot

VARIABLE = "ENDPOINT_AGENT_HANDOVER"
"""In the environment of the next one: the number of its socket."""

READY, AGREED, LATE, DONE, TAKEN = b"ready", b"agreed", b"late", b"done", b"taken"
FAILED = b"failed "

# Bytes of a word.
MAX_WORD = 4_096

# Seconds until the next one captures, and between two looks.
PATIENCE = 120.0
POLL = 0.2

# Seconds after the cut in which programs of the kernel that had begun before it have ended.
GRACE = 0.05


@dataclass(frozen=True)
class Cut:
    """The moment of a change."""

    boot: int
    wall: int
    """In nanoseconds since boot, and since the epoch."""

    @classmethod
    def ahead(cls, seconds: float) -> Cut:
        """The moment in so many seconds."""
        later = int(seconds * 1e9)
        return cls(int(since_boot() * 1e9) + later, time.time_ns() + later)

    def wait(self, offset: float = 0.0) -> None:
        """Sleeps until so many seconds after it."""
        left = self.boot / 1e9 - since_boot() + offset
        time.sleep(max(0.0, left))


def receive(connection: socket.socket, timeout: float) -> bytes | None:
    """The next word, nothing where the other end is closed, None where no word comes."""
    if not select.select([connection], [], [], timeout)[0]:
        return None
    try:
        return connection.recv(MAX_WORD)
    except OSError:
        return b""
