from __future__ import annotations

import json
import os
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from endpoint_agent import status, status_port, status_socket
from endpoint_agent.errors import AgentError, NotPermittedError
from endpoint_agent.status import StatusServer, ask

ANSWER: dict[str, Any] = {
    "version": "v0.1.0",
    "pid": 42,
    "uptime": 7.5,
    "source": "ebpf",
    "coverage": [["exec", "attached", ""]],
    "counters": {"captured": 1, "spooled": 1, "queued": 1},
    "queued": 1,
    "rules": {},
    "delivery": {"last_error": None},
    "agent": {"cpu_seconds": 0.5, "memory_bytes": 30_000_000},
}

Serve = Callable[[Callable[[], Any]], StatusServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server that answers with what a function returns."""
    servers: list[StatusServer] = []

    def start(snapshot: Callable[[], Any]) -> StatusServer:
        servers.append(StatusServer(tmp_path, snapshot))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    """A mock of the settings that `show` looks at."""
    return SimpleNamespace(state_directory=tmp_path)


def test_every_client_gets_the_answer(tmp_path: Path, serve: Serve) -> None:
    serve(lambda: ANSWER)

    assert [ask(tmp_path) for _ in range(10)] == [ANSWER] * 10


def test_the_socket_is_for_its_owner_only(tmp_path: Path, serve: Serve) -> None:
    serve(lambda: ANSWER)

    mode = (tmp_path / status_socket.SOCKET_NAME).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_a_peer_that_is_another_user_gets_nothing(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(lambda: ANSWER)
    # As if the kernel said that the peer is user 1000.
    monkeypatch.setattr(
        status_socket,
        "_UCRED",
        SimpleNamespace(size=12, unpack=lambda _: (os.getpid(), 1000, 1000)),
    )
    assert os.geteuid() != 1000

    with pytest.raises(AgentError, match="does not answer"):
        ask(tmp_path)


def test_credentials_are_read_as_the_kernel_writes_them() -> None:
    one, two = socket.socketpair()
    with one, two:
        found = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        assert status_socket._UCRED.unpack(found) == (os.getpid(), os.getuid(), os.getgid())


def test_a_socket_of_a_dead_agent_is_replaced(tmp_path: Path, serve: Serve) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / status_socket.SOCKET_NAME))
    with pytest.raises(AgentError, match="no agent runs"):
        ask(tmp_path)

    serve(lambda: ANSWER)

    assert ask(tmp_path) == ANSWER


def test_stopping_ends_the_thread_and_removes_the_socket(tmp_path: Path) -> None:
    server = StatusServer(tmp_path, lambda: ANSWER)
    server.stop()

    assert not list(tmp_path.iterdir())
    assert "status" not in {thread.name for thread in threading.enumerate()}


def test_a_client_that_does_not_read_is_left(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "SERVER_TIMEOUT", 1.0)
    long = {"text": "x" * 3_000_000}
    serve(lambda: long)

    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(tmp_path / status_socket.SOCKET_NAME))
        assert ask(tmp_path) == long


def test_a_fault_in_the_answer_costs_one_answer(tmp_path: Path, serve: Serve) -> None:
    answers = iter([object(), ANSWER])
    serve(lambda: next(answers))

    with pytest.raises(AgentError, match="does not answer"):
        ask(tmp_path)
    assert ask(tmp_path) == ANSWER


def test_an_answer_is_bounded(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "MAX_ANSWER", 1000)
    serve(lambda: {"text": "x" * 2000})

    with pytest.raises(AgentError, match="too long"):
        ask(tmp_path)


def test_what_is_no_agent_is_told(tmp_path: Path, serve: Serve) -> None:
    serve(lambda: [1])

    with pytest.raises(AgentError, match="is no agent"):
        ask(tmp_path)


def test_without_an_agent_the_error_says_what_to_do(settings: Any) -> None:
    with pytest.raises(AgentError, match=r"no agent runs with the state folder .*; start it"):
        status.show(settings, as_json=False)


def test_a_user_without_rights_is_told_to_be_root(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class MockSocket(socket.socket):
        """A mock of a socket that the kernel refuses."""

        def connect(self, _: Any) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", MockSocket)

    with pytest.raises(NotPermittedError, match="run as root"):
        status.show(settings, as_json=False)


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()

    with pytest.raises(AgentError, match="at most 90 bytes"):
        StatusServer(folder, lambda: ANSWER)


def test_the_answer_is_printed(
    serve: Serve, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(lambda: ANSWER)

    assert status.show(settings, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == ANSWER
    assert status.show(settings, as_json=False) == 0
    assert "Into the queue: the sum holds" in capsys.readouterr().out


@pytest.fixture
def by_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setattr(status, "Door", status_port.Door)
    monkeypatch.setattr(status, "connect", status_port.connect)


@pytest.mark.usefixtures("by_port")
def test_by_a_port_every_client_gets_the_answer(tmp_path: Path, serve: Serve) -> None:
    with pytest.raises(AgentError, match="no agent runs"):
        ask(tmp_path)
    serve(lambda: ANSWER)

    assert [ask(tmp_path) for _ in range(10)] == [ANSWER] * 10
    mode = (tmp_path / status_port.FILE_NAME).stat().st_mode
    assert os.name != "posix" or stat.S_IMODE(mode) == 0o600


@pytest.mark.usefixtures("by_port")
def test_by_a_port_who_does_not_know_the_word_gets_nothing(tmp_path: Path, serve: Serve) -> None:
    serve(lambda: ANSWER)
    place = json.loads((tmp_path / status_port.FILE_NAME).read_text())
    word = place["word"]
    for said in (b"", b"x" * len(word), word[:-1].encode() + b"x"):
        with socket.create_connection(("127.0.0.1", place["port"]), 5) as stranger:
            stranger.sendall(said)
            stranger.shutdown(socket.SHUT_WR)
            assert stranger.recv(1) == b""

    assert ask(tmp_path) == ANSWER


@pytest.mark.usefixtures("by_port")
def test_by_a_port_stopping_leaves_nothing(tmp_path: Path) -> None:
    server = StatusServer(tmp_path, lambda: ANSWER)
    server.stop()

    assert not list(tmp_path.iterdir())
    assert "status" not in {thread.name for thread in threading.enumerate()}
    (tmp_path / status_port.FILE_NAME).write_text("{")
    with pytest.raises(AgentError, match="does not answer"):
        ask(tmp_path)
