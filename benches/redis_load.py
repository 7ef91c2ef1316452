"""Debian's redis under its own load generator, looked at in short stretches."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from pathlib import Path

from tests.live.daemon import wait

from stretches import Stretch, in_stretches

CLIENTS = 50

# More than a turn has time for.
REQUESTS = 1_000_000_000

# Seconds.
WARM = 0.3
STRETCH = 0.05

PROCESSED = re.compile(rb"total_commands_processed:([0-9]+)")


class RedisLoad:
    """A server on a free port of the loopback, without files, and clients that ask it.

    All share a core, so that whatever either of them pays shows. On two, how the neighbours slow
    one of them and how both wake each other decide more than what is measured.
    """

    def __init__(self, folder: Path) -> None:
        """Starts the server, and waits until it answers."""
        self._core = max(os.sched_getaffinity(0))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        options = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", ""]
        self._server = self._start("redis-server", *options, "--dir", str(folder))
        wait(self._answers)

    def close(self) -> None:
        """Ends the server."""
        self._end(self._server)

    def run(self, stretches: int) -> list[Stretch]:
        """Has the clients ask without a pause, and counts."""
        at = ["-h", "127.0.0.1", "-p", str(self._port)]
        work = ["-t", "get", "-n", str(REQUESTS), "-c", str(CLIENTS), "-q"]
        clients = self._start("redis-benchmark", *at, *work)
        try:
            # Until the clients are connected: their connects are watched, and are no requests.
            time.sleep(WARM)
            with socket.create_connection(("127.0.0.1", self._port)) as asker:
                return in_stretches(lambda: _rate(asker), stretches, {self._core})
        finally:
            self._end(clients)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        on_core = ["taskset", "-c", str(self._core)]
        return subprocess.Popen([*on_core, *command], stdout=subprocess.DEVNULL)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait()

    def _answers(self) -> bool:
        ping = ["redis-cli", "-h", "127.0.0.1", "-p", str(self._port), "ping"]
        return subprocess.run(ping, capture_output=True).stdout == b"PONG\n"


def _rate(asker: socket.socket) -> float:
    """Requests answered per second, over a stretch from now."""
    first, begin = _processed(asker), time.monotonic()
    time.sleep(STRETCH)
    last, now = _processed(asker), time.monotonic()
    return (last - first) / (now - begin)


def _processed(asker: socket.socket) -> int:
    """The requests that the server has answered since its start."""
    asker.sendall(b"INFO stats\r\n")
    answer = b""
    while (found := PROCESSED.search(answer)) is None or not answer.endswith(b"\r\n\r\n"):
        if not (more := asker.recv(65_536)):
            raise ConnectionError("redis has ended the connection")
        answer += more
    return int(found[1])
