"""Reads what has arrived at the intake, in the order of its arrival."""

from __future__ import annotations

import contextlib
import sqlite3
from http import HTTPStatus
from pathlib import Path

import httpcore
import msgspec

from endpoint_agent.errors import AgentError

PAGE = 1_000
"""Events of one answer, as many as the intake gives."""
KEPT = 10_000
"""Events that stay in the intake's database: the view has seen the rest, and runs for days."""
TIMEOUT = 15.0
FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class _Entry(msgspec.Struct):
    id: int
    event: str


_decode = msgspec.json.Decoder(list[_Entry]).decode


class Tail:
    """The events from the first one on. Keeps one connection open, for each would be an event."""

    def __init__(self, url: str, key: str, database: Path) -> None:
        """Takes the intake's address, its key and its database file."""
        self._url = f"{url}/events"
        self._headers = [("X-SEKOIAIO-INTAKE-KEY", key)]
        self._connection = httpcore.ConnectionPool(max_connections=1)
        # Autocommit: a deletion holds the intake up no longer than it takes.
        self._database = sqlite3.connect(database, isolation_level=None)
        self._last = 0
        self._forgotten = 0

    def read(self) -> list[str]:
        """The next events as JSON, at most `PAGE`; none if all were read.

        Raises:
            AgentError: the intake does not answer.
        """
        entries = self._page()
        if entries:
            self._last = entries[-1].id
            self._forget()
        return [entry.event for entry in entries]

    def close(self) -> None:
        """Closes the connections."""
        self._connection.close()
        self._database.close()

    def _page(self) -> list[_Entry]:
        try:
            answer = self._connection.request(
                "GET",
                f"{self._url}?after={self._last}&limit={PAGE}",
                headers=self._headers,
                extensions={"timeout": {"connect": TIMEOUT, "write": TIMEOUT, "read": TIMEOUT}},
            )
            if answer.status != HTTPStatus.OK:
                raise AgentError(f"the intake does not answer: HTTP {answer.status}")
            return _decode(answer.content)
        except (*FAILURES, msgspec.MsgspecError) as error:
            raise AgentError(f"the intake does not answer: {error}") from error

    def _forget(self) -> None:
        """Deletes old events from the intake's database, some at a time."""
        end = self._last - KEPT
        if end < self._forgotten + KEPT:
            return
        # Where the intake writes for longer than SQLite waits, the next time will do.
        with contextlib.suppress(sqlite3.OperationalError):
            self._database.execute("DELETE FROM events WHERE id <= ?", (end,))
            self._forgotten = end
