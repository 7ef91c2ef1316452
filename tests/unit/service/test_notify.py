from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoint_agent.service.notify import INTERVAL, PID, SOCKET, Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket of a service manager, and how it is named to the service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = str(tmp_path / "notify")
        listener.bind(name if request.param == "path" else f"\0{name}")
        listener.settimeout(10)
        yield listener, name if request.param == "path" else f"@{name}"


def test_what_the_manager_hears(manager: tuple[socket.socket, str]) -> None:
    listener, name = manager
    environment = {SOCKET: name, INTERVAL: "60000000", PID: str(os.getpid()), "OTHER": "stays"}
    notifier = Notifier(environment)
    assert notifier.interval == 60.0
    notifier.ready("it captures")
    notifier.alive()
    notifier.passes_to(12)
    notifier.stopping()
    heard = [listener.recv(4096).decode() for _ in range(4)]
    assert heard == ["READY=1\nSTATUS=it captures", "WATCHDOG=1", "MAINPID=12", "STOPPING=1"]
    # Whose child has another number than the one that was watched.
    assert notifier.environment() == {SOCKET: name, INTERVAL: "60000000"}


def test_no_child_gets_the_names(manager: tuple[socket.socket, str]) -> None:
    environment = {SOCKET: manager[1], INTERVAL: "1", PID: "1", "OTHER": "stays"}
    assert Notifier(environment).interval == 0.0, "another process is watched"
    assert environment == {"OTHER": "stays"}
    assert Notifier(environment).environment() == {}


@pytest.mark.parametrize("interval", ["", "0", "soon", "-1"])
def test_nobody_waits(interval: str) -> None:
    notifier = Notifier({SOCKET: "/nowhere", INTERVAL: interval})
    assert notifier.interval == 0.0


def test_nobody_listens(tmp_path: Path) -> None:
    for environment in ({}, {SOCKET: ""}, {SOCKET: str(tmp_path / "gone"), INTERVAL: "2000000"}):
        notifier = Notifier(environment)
        notifier.ready("it captures")
        notifier.alive()
        notifier.stopping()
