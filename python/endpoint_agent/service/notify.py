"""What the agent tells the service manager: sd_notify(3), of systemd."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import MutableMapping
from contextlib import suppress

SOCKET = "NOTIFY_SOCKET"
INTERVAL = "WATCHDOG_USEC"
PID = "WATCHDOG_PID"


class Notifier:
    """Sends words to the manager; to nobody where none asked for them."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Takes what the manager has put into the environment out of it: it is not for children."""
        environment = os.environ if environment is None else environment
        self._address = environment.pop(SOCKET, "")
        interval, pid = environment.pop(INTERVAL, ""), environment.pop(PID, "")
        is_watched = interval.isdecimal() and pid in ("", str(os.getpid()))
        self._interval = interval if is_watched and self._address else ""
        self.interval = int(self._interval or 0) / 1e6
        """Seconds within which the manager waits for the next `alive`; 0 when it does not."""

    @property
    def is_heard(self) -> bool:
        """Whether there is a manager."""
        return bool(self._address)

    def environment(self) -> dict[str, str]:
        """What the process has to be given that will be the service's."""
        given = {SOCKET: self._address, INTERVAL: self._interval}
        return {name: value for name, value in given.items() if value}

    def ready(self, status: str) -> None:
        """The service has started. `status` is what `systemctl status` shows of it."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """The main loop still turns."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def passes_to(self, pid: int) -> None:
        """Another process is the service's from now on, and it alone is heard."""
        self._send(f"MAINPID={pid}")

    def _send(self, words: str) -> None:
        if sys.platform == "win32" or not self._address:
            return
        # A leading @ stands for the zero byte of an abstract address.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        # What the manager does not hear, it deals with: by its timeouts.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.setblocking(False)
            connection.connect(address)
            connection.send(words.encode("utf-8"))
