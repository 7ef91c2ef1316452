"""Where a running agent is asked how it fares, on Linux: a Unix socket that only root may use."""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

from endpoint_agent.errors import AgentError

assert sys.platform != "win32"  # noqa: S101

SOCKET_NAME = "agent.sock"

# pid, uid and gid of the peer: struct ucred of unix(7).
_UCRED = struct.Struct("3i")


class Door:
    """Listens in a state folder."""

    def __init__(self, state_directory: Path) -> None:
        """Makes the socket.

        Raises:
            AgentError: it cannot be made.
        """
        self._path = state_directory / SOCKET_NAME
        self.socket = _listen(self._path)

    def knows(self, connection: socket.socket) -> bool:
        """Whether the other end may ask: root, or this user."""
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        _, uid, _ = _UCRED.unpack(credentials)
        return uid in (0, os.geteuid())

    def wake(self) -> None:
        """Ends a wait for a connection."""
        self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Removes the socket."""
        self.socket.close()
        self._path.unlink(missing_ok=True)


def connect(state_directory: Path, timeout: float) -> socket.socket:
    """A connection to the agent with this state folder.

    Raises:
        OSError: there is none, or this user may not.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(str(state_directory / SOCKET_NAME))
    except OSError:
        connection.close()
        raise
    return connection


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Whoever holds the queue's lock is the only agent: an older socket is nobody's.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(4)
    except OSError as error:
        listener.close()
        raise AgentError(
            f"cannot listen on {path}: {error.strerror or error}; "
            "make StateDirectory a writable folder with a path of at most 90 bytes"
        ) from error
    return listener
