"""`endpoint-agent status`: the running agent answers whoever may ask it."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from endpoint_agent.balance import describe
from endpoint_agent.errors import ADMINISTRATOR, AgentError, NotPermittedError

if sys.platform == "win32":
    from endpoint_agent.status_port import Door, connect
else:
    from endpoint_agent.status_socket import Door, connect

if TYPE_CHECKING:
    from endpoint_agent.config import Settings

MAX_ANSWER = 4_194_304

# Seconds. The server serves one client at a time, so a client that does not read is left soon.
SERVER_TIMEOUT = 2.0
CLIENT_TIMEOUT = 5.0

_LOGGER = logging.getLogger(__name__)


class StatusServer:
    """Answers every connection with one JSON object and closes it."""

    def __init__(self, state_directory: Path, snapshot: Callable[[], Mapping[str, Any]]) -> None:
        """Listens. `snapshot` makes the answer; it is called on the server's own thread.

        Raises:
            AgentError: it cannot listen.
        """
        self._snapshot = snapshot
        self._door = Door(state_directory)
        self._ends = False
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, and listens no more."""
        self._ends = True
        with suppress(OSError):
            self._door.wake()
        self._thread.join(SERVER_TIMEOUT + 1)
        self._door.close()

    def _serve(self) -> None:
        while not self._ends:
            try:
                connection, _ = self._door.socket.accept()
            except OSError:
                if not self._ends:
                    time.sleep(1.0)  # No descriptor is left: the client waits.
                continue
            with connection:
                try:
                    self._answer(connection)
                except Exception:
                    _LOGGER.debug("a status client was not answered", exc_info=True)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(SERVER_TIMEOUT)
        if self._door.knows(connection):
            connection.sendall(orjson.dumps(self._snapshot()))


def ask(state_directory: Path) -> dict[str, Any]:
    """The answer of the agent with this state folder.

    Raises:
        NotPermittedError: it is not for this user to ask.
        AgentError: no agent runs there, or it does not answer.
    """
    try:
        with connect(state_directory, CLIENT_TIMEOUT) as connection:
            answer = orjson.loads(_read_all(connection))
    except PermissionError as error:
        raise NotPermittedError(
            f"cannot ask the agent with the state folder {state_directory}; run as {ADMINISTRATOR}"
        ) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise AgentError(
            f"no agent runs with the state folder {state_directory}; start it, "
            "or name the configuration of the running one with --config"
        ) from error
    except (OSError, ValueError) as error:
        raise AgentError(
            f"the agent with the state folder {state_directory} does not answer: {error}; "
            "see its log"
        ) from error
    if not isinstance(answer, dict):
        raise AgentError(f"what answers for {state_directory} is no agent; see StateDirectory")
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
