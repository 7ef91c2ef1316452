"""Delivery to the embedded intake: what both sides say about a batch, they mean."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .delivery import (
    KEY,
    QUICK,
    assert_balance,
    delivering,
    events,
    settings,
    settled,
    until,
)

pytest.importorskip("uvicorn", reason="the extra `server` is not installed")

SERVE = """
import sys
from pathlib import Path
from endpoint_agent.server import app
from endpoint_agent.server.main import serve
app.MAX_EVENT = int(sys.argv[4])
serve(Path(sys.argv[1]), sys.argv[2], [sys.argv[3]])
"""


@contextlib.contextmanager
def embedded_intake(
    data: Path, port: int, key: str = KEY, longest: int = 250_000
) -> Iterator[subprocess.Popen[str]]:
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-c", SERVE, str(data), address, key, str(longest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert "listening" in process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.fixture
def data(tmp_path) -> Path:
    return tmp_path / "intake"


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return unused.getsockname()[1]


def stored(data: Path) -> list[bytes]:
    with contextlib.closing(sqlite3.connect(data / "events.db")) as database:
        return [raw.encode() for (raw,) in database.execute("SELECT raw FROM events ORDER BY id")]


def test_an_event_too_long_for_the_intake_goes_to_quarantine(queue, quarantined, data, port):
    # Longer than this intake takes: what none would take, the queue refuses.
    long = b'"%s"' % (b"x" * 1000)
    spool = queue(100)
    spool.append(long)
    for event in events(100):
        spool.append(event)
    with (
        embedded_intake(data, port, longest=1000),
        delivering(spool, f"http://127.0.0.1:{port}"),
    ):
        settled(spool)
    assert stored(data) == events(100) * 2
    assert quarantined() == [long]
    assert_balance(spool, delivered=200, rejected=1)


def test_a_wrong_key_stores_nothing_and_loses_nothing(queue, data, port):
    spool = queue(100)
    url = f"http://127.0.0.1:{port}"
    with (
        embedded_intake(data, port, key="another-key"),
        delivering(spool, url) as deliverer,
    ):
        until(lambda: deliverer.state().key_refused)
        assert stored(data) == []
        assert_balance(spool, queued=100)
        right = settings(url)
        deliverer.reconfigure(type(right)(intake_key="another-key", intake_url=url))
        settled(spool)
    assert stored(data) == events(100)
    assert_balance(spool, delivered=100)


def test_an_intake_killed_at_work_has_each_event_once(queue, data, port):
    spool = queue(20_000)
    with delivering(spool, f"http://127.0.0.1:{port}", QUICK):
        for delivered in (2_000, 6_000):
            with embedded_intake(data, port) as intake:
                until(lambda least=delivered: spool.counters()["delivered"] >= least)
                intake.kill()
                intake.wait()
        with embedded_intake(data, port):
            settled(spool)
    assert stored(data) == events(20_000)
    assert_balance(spool, delivered=20_000)
