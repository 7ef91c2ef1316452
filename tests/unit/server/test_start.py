"""How the intake starts, refuses to start, and ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from endpoint_agent.errors import ServerError, UsageError
from endpoint_agent.server import listen
from endpoint_agent.server.main import serve


def test_the_line_it_prints(intake) -> None:
    assert intake.printed == [f"intake listening on http://127.0.0.1:{intake.port}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(start, tmp_path: Path, number: signal.Signals) -> None:
    running = start(tmp_path)
    with running.client("key-0") as client:
        assert client.post("/plain", content=b"x").status_code == 202
    assert running.end(number) == (0, "")
    assert not (tmp_path / "events.db-wal").exists()


def is_read(sender: socket.socket, port: int) -> bool:
    """Whether the server has accepted a connection and read what came over it (proc(5))."""
    ends = f"0100007F:{port:04X} 0100007F:{sender.getsockname()[1]:04X}"
    line = next(it for it in Path("/proc/net/tcp").read_text().splitlines() if ends in it).split()
    return line[4].endswith(":00000000") and line[9] != "0"


def test_a_request_under_way_is_finished(start, tmp_path: Path) -> None:
    running = start(tmp_path)
    head = "POST /plain?intake_key=key-0 HTTP/1.1\r\nHost: intake\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port)) as sender:
        sender.settimeout(10)
        sender.sendall(head.encode() + b"x")
        while not is_read(sender, running.port):
            time.sleep(0.01)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        sender.sendall(b"y")
        assert sender.recv(4096).startswith(b"HTTP/1.1 202")
    assert running.end() == (0, "")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    assert listen.split(address) == expected


@pytest.mark.parametrize(
    "address",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "h:65536", "::1:80", "h:²"],
)
def test_bad_addresses(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        serve(tmp_path / "data", address, ["key"])
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"])
def test_plain_http_stays_on_this_machine(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--tls-self-signed"):
        serve(tmp_path / "data", address, ["key"])
    assert not (tmp_path / "data").exists()


def test_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerError, match="in use"):
            serve(tmp_path, address, ["key"])


@pytest.mark.parametrize("keys", [[], [""], ["key", "two words"], ["ü"], ["x" * 257], ["a\nb"]])
def test_bad_keys(keys: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="key") as refused:
        serve(tmp_path, "127.0.0.1:0", keys)
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize("missing", ["uvicorn", "starlette", "cryptography"])
def test_without_the_extra(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ServerError, match=rf"{missing}.*endpoint-agent\[server\]"):
        serve(tmp_path, "127.0.0.1:0", ["key"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ServerError, match="--data"):
        serve(tmp_path / "data", "127.0.0.1:0", ["key"])
