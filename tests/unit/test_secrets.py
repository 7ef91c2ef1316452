"""The key and the proxy's password, planted, and looked for wherever the agent leaves words."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.status import ask

KEY = "planted-key/4f7c1d1e"
PASSWORD = "planted:pass"

SECRETS = [
    KEY,
    PASSWORD,
    quote(PASSWORD, safe=""),
    base64.b64encode(f"user:{PASSWORD}".encode()).decode(),
]

# Nothing listens on the discard port. The intake is never asked: the proxy is.
CONFIGURATION = f"""
IntakeKey: {KEY}
IntakeURL: https://intake.example
HTTPProxyURL: http://user:{quote(PASSWORD, safe="")}@127.0.0.1:9
LogLevel: debug
"""

# The daemon with a mock of the capture, which works, or has a fault while secrets are on the stack.
DAEMON = """
import sys
from endpoint_agent import agent, cli, support

class MockPipeline:
    def __init__(self, spool, **given): pass
    def start(self):
        if sys.argv[2] == "fault":
            raise RuntimeError("a fault")
    def ready(self, timeout): return True
    def finished(self): return False
    def coverage(self): return []
    def set_envelope(self, members): pass
    def set_rules(self, rules): pass
    def notices(self): return []
    def stop(self): pass

agent.Pipeline = MockPipeline
support.facts = support.audit_facts = list
sys.exit(cli.main(["run", "--config", sys.argv[1]]))
"""


class Daemon:
    """The agent in a process, and all that it leaves."""

    def __init__(self, folder: Path, mode: str, config: str = "") -> None:
        self._folder = folder
        self._state = folder / "state"
        self._config = folder / "config.yaml"
        text = config or f"{CONFIGURATION}StateDirectory: {self._state}\nLogFile: {self.log_file}\n"
        self._config.write_text(text)
        self._config.chmod(0o600)
        environment = {key: value for key, value in os.environ.items() if "AGENT" not in key}
        self.process = subprocess.Popen(
            [sys.executable, "-c", DAEMON, str(self._config), mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )

    @property
    def log_file(self) -> Path:
        return self._folder / "agent.log"

    def status(self) -> str:
        """What it answers, once it does; nothing before."""
        try:
            return str(ask(self._state))
        except AgentError:
            return ""

    def end(self) -> str:
        """All words it has left, in files of its own and in its output, once it has ended."""
        said, _ = self.process.communicate(timeout=60)
        for path in self._folder.rglob("*"):
            if path.is_file() and path != self._config:
                said += path.read_bytes().decode("utf-8", "replace")
        return said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    started: list[Daemon] = []

    def start(*options: str) -> Daemon:
        started.append(Daemon(tmp_path, *options))
        return started[0]

    yield start
    for daemon in started:
        daemon.process.kill()
        daemon.process.communicate()


def assert_nothing_in(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_delivery_that_fails_tells_none(start: Callable[..., Daemon]) -> None:
    daemon = start("works")
    deadline = time.monotonic() + 60
    while "Connection refused" not in (answer := daemon.status()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    command = Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
    daemon.process.send_signal(signal.SIGTERM)

    left = daemon.end()
    assert "stopped-service" in left
    assert_nothing_in(answer + command + left)


def test_a_crash_tells_none(start: Callable[..., Daemon]) -> None:
    daemon = start("fault")
    left = daemon.end()
    assert daemon.process.returncode == 1
    assert "Traceback" in left
    assert "RuntimeError: a fault" in left
    assert_nothing_in(left)


@pytest.mark.parametrize("text", [f"IntakeKey: [{KEY}", f"IntakeKey:{KEY}", f"HTTPProxyURL: {KEY}"])
def test_a_configuration_that_is_wrong_tells_none(start: Callable[..., Daemon], text: str) -> None:
    daemon = start("works", text)
    left = daemon.end()
    assert daemon.process.returncode == 2
    assert left.startswith("endpoint-agent: ")
    assert_nothing_in(left)
