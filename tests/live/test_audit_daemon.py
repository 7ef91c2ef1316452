"""The audit system as the source, beside an audit daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .audit import MASK_ENABLED, Client, audit_client, auditing_into
from .capture import require_root

pytestmark = pytest.mark.live

# Becomes the audit daemon, however long that takes, and reads until its input ends.
DAEMON = """
import os, select, sys
from tests.live.audit import MASK_PID, Client

client = Client()
while True:
    try:
        client.set(MASK_PID, pid=os.getpid())
        break
    except FileExistsError:
        select.select([], [], [], 0.1)
print("daemon", flush=True)
while sys.stdin not in select.select([client.socket, sys.stdin], [], [])[0]:
    client.socket.recv(65536)
client.set(MASK_PID, pid=0)
"""


@contextmanager
def audit_daemon() -> Iterator[subprocess.Popen[str]]:
    """Another process that wants to be the audit daemon."""
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.fixture
def audit() -> Iterator[Client]:
    """The audit system of this host, as it is without an agent."""
    require_root()
    with audit_client() as client:
        if client.status()["pid"]:
            pytest.skip("needs a host without an audit daemon")
        yield client


def test_an_audit_daemon_that_comes_later_takes_over(audit: Client, tmp_path: Path) -> None:
    with auditing_into(tmp_path) as capture:
        assert audit.status()["pid"] == os.getpid()
        with audit_daemon() as daemon:
            assert daemon.stdout is not None
            assert daemon.stdout.readline() == "daemon\n"
            assert audit.status()["pid"] == daemon.pid
            subprocess.run(["true", str(tmp_path)], check=True)
            capture.exec_of("true", str(tmp_path))
        told = [message for _, message in capture.pipeline.notices()]
        assert any("another audit daemon wants to start" in message for message in told)
    # The daemon may rely on what the agent found off, and has turned on.
    assert audit.status()["enabled"] == 1
    assert audit.rules() == []


def test_beside_an_audit_daemon(audit: Client, tmp_path: Path) -> None:
    audit.set(MASK_ENABLED, enabled=1)
    with audit_daemon() as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "daemon\n"
        before = audit.state()
        with auditing_into(tmp_path) as capture:
            assert audit.status()["pid"] == daemon.pid
            subprocess.run(["true", str(tmp_path)], check=True)
            capture.exec_of("true", str(tmp_path))
        assert audit.state() == before
