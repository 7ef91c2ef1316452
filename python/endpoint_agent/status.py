"""`endpoint-agent status`: the running agent answers on a Unix socket that only root may use."""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from endpoint_agent.balance import describe
from endpoint_agent.errors import AgentError, NotPermittedError

if TYPE_CHECKING:
    from endpoint_agent.config import Settings

SOCKET_NAME = "agent.sock"
MAX_ANSWER = 4_194_304

# Seconds. The server serves one client at a time, so a client that does not read is left soon.
SERVER_TIMEOUT = 2.0
CLIENT_TIMEOUT = 5.0

# pid, uid and gid of the peer: struct ucred of unix(7).
_UCRED = struct.Struct("3i")
_LOGGER = logging.getLogger(__name__)


class StatusServer:
    """Answers every connection with one JSON object and closes it."""

    def __init__(self, state_directory: Path, snapshot: Callable[[], Mapping[str, Any]]) -> None:
        """Listens. `snapshot` makes the answer; it is called on the server's own thread.

        Raises:
            AgentError: the socket cannot be made.
        """
        self._path = state_directory / SOCKET_NAME
        self._snapshot = snapshot
        self._socket = _listen(self._path)
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and removes the socket."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(SERVER_TIMEOUT + 1)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return  # The socket was shut down.
                time.sleep(1.0)  # No descriptor is left: the client waits.
                continue
            with connection:
                try:
                    self._answer(connection)
                except Exception:
                    _LOGGER.debug("a status client was not answered", exc_info=True)

    def _answer(self, connection: socket.socket) -> None:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        _, uid, _ = _UCRED.unpack(credentials)
        if uid not in (0, os.geteuid()):
            return
        connection.settimeout(SERVER_TIMEOUT)
        connection.sendall(orjson.dumps(self._snapshot()))


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


def ask(state_directory: Path) -> dict[str, Any]:
    """The answer of the agent with this state folder.

    Raises:
        NotPermittedError: the socket is not for this user.
        AgentError: no agent runs there, or it does not answer.
    """
    path = state_directory / SOCKET_NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CLIENT_TIMEOUT)
            connection.connect(str(path))
            answer = orjson.loads(_read_all(connection))
    except PermissionError as error:
        raise NotPermittedError(f"cannot ask the agent at {path}; run as root") from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise AgentError(
            f"no agent runs with the state folder {state_directory}; start it, "
            "or name the configuration of the running one with --config"
        ) from error
    except (OSError, ValueError) as error:
        raise AgentError(f"the agent at {path} does not answer: {error}; see its log") from error
    if not isinstance(answer, dict):
        raise AgentError(f"{path} is not the socket of an agent; see StateDirectory")
    return answer


def _read_all(connection: socket.socket) -> bytes:
    answer = bytearray()
    while block := connection.recv(65536):
        answer += block
        if len(answer) > MAX_ANSWER:
            raise ValueError("its answer is too long")
    return bytes(answer)


def show(settings: Settings, as_json: bool) -> int:
    """Prints the state of the running agent; the exit status.

    Raises:
        AgentError: as `ask`.
    """
    answer = ask(settings.state_directory)
    if as_json:
        print(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode("utf-8"))
    else:
        print(describe(answer))
    return 0
