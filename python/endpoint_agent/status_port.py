"""Where a running agent is asked how it fares, on Windows, whose Python has no Unix sockets.

It is a port of the host itself; a file in the state folder tells its number, and a word to be said.
So who may ask is who may read that file: the folder's access list says who that is.
"""

from __future__ import annotations

import hmac
import os
import socket
from pathlib import Path

import msgspec

from endpoint_agent import durable
from endpoint_agent.errors import AgentError

FILE_NAME = "agent.port"

MAX_FILE = 1024


class _Place(msgspec.Struct):
    port: int
    word: str


class Door:
    """Listens, and tells it in a state folder."""

    def __init__(self, state_directory: Path) -> None:
        """Takes a port that is free.

        Raises:
            AgentError: there is none, or the file cannot be written.
        """
        self._path = state_directory / FILE_NAME
        self._word = os.urandom(32).hex()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            # Or another program could take the port as well.
            if (exclusive := getattr(socket, "SO_EXCLUSIVEADDRUSE", None)) is not None:
                self.socket.setsockopt(socket.SOL_SOCKET, exclusive, 1)
            self.socket.bind(("127.0.0.1", 0))
            self.socket.listen(4)
            place = _Place(self.socket.getsockname()[1], self._word)
            durable.write(self._path, msgspec.json.encode(place), 0o600)
        except OSError as error:
            self.socket.close()
            raise AgentError(
                f"cannot be asked by {self._path}: {error.strerror or error}; "
                "make StateDirectory a folder that the agent may write"
            ) from error

    def knows(self, connection: socket.socket) -> bool:
        """Whether the other end says the word."""
        said = b""
        while len(said) < len(self._word):
            if not (block := connection.recv(len(self._word) - len(said))):
                return False
            said += block
        return hmac.compare_digest(said, self._word.encode("ascii"))

    def wake(self) -> None:
        """Ends a wait for a connection: it is one."""
        socket.create_connection(self.socket.getsockname(), 1.0).close()

    def close(self) -> None:
        """Gives the port back, and removes the file."""
        self.socket.close()
        self._path.unlink(missing_ok=True)


def connect(state_directory: Path, timeout: float) -> socket.socket:
    """A connection to the agent with this state folder.

    Raises:
        OSError: there is none, or this user may not.
        ValueError: the file is damaged.
    """
    with (state_directory / FILE_NAME).open("rb") as file:
        place = msgspec.json.decode(file.read(MAX_FILE), type=_Place)
    connection = socket.create_connection(("127.0.0.1", place.port), timeout)
    connection.sendall(place.word.encode("ascii"))
    return connection
