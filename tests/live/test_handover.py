"""One agent takes over from another while the host is at work, and each act is told once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.handover.words import VARIABLE
from endpoint_agent.status import ask

from .audit import MASK_ENABLED, USER_LOGIN, Client, State, audit_client
from .capture import PATIENCE
from .daemon import KEY, Intake, wait
from .storm import Storm

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs root"),
    pytest.mark.skipif(PATIENCE > 1, reason="an agent has two minutes to be in place"),
]

# The agent, but for what a broken version of it does instead of taking over.
PROGRAM = f"""
import os, pathlib, sys, time
instead = pathlib.Path(sys.argv[0]).with_name("instead")
if "{VARIABLE}" in os.environ and instead.exists():
    exec(instead.read_text())
from endpoint_agent.cli import main
sys.exit(main())
"""


class Agents:
    """One agent after the other, on the same configuration."""

    def __init__(self, folder: Path, url: str, text: str = PROGRAM) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.log = folder / "agent.log"
        config = folder / "config.yaml"
        config.write_text(
            f"IntakeKey: {KEY}\nIntakeURL: {url}\nStateDirectory: {self.state}\n"
            f"LogFile: {self.log}\n"
        )
        config.chmod(0o600)
        program = folder / "agent.py"
        program.write_text(text)
        self._words = [sys.executable, program, "run", "--config", config]
        self.pids: list[int] = []
        self.start()

    def start(self) -> None:
        """Starts the first, or one after which none runs."""
        self.first = subprocess.Popen(self._words)
        self.pids.append(self.first.pid)
        wait(lambda: (self.status() or {}).get("pid") == self.first.pid, 120.0)

    def status(self) -> dict[str, Any] | None:
        """What the agent that runs answers."""
        try:
            return ask(self.state)
        except AgentError:
            return None

    def ask_for_change(self) -> None:
        """Has the agent that runs hand over, which takes it some seconds."""
        os.kill(self.pids[-1], signal.SIGUSR2)

    def change(self) -> dict[str, Any]:
        """The answer of the next one, once it has taken over."""
        self.ask_for_change()

        def answer() -> dict[str, Any] | None:
            found = self.status()
            if found is None or found["pid"] == self.pids[-1]:
                assert not (found and found["handover"]["failed"]), found
                return None
            return found

        found = wait(answer, 120.0 * PATIENCE)
        self.pids.append(found["pid"])
        return dict(found)

    def end(self) -> None:
        """Ends the agent that runs, by force if need be."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in filter(runs, self.pids):
                os.kill(pid, number)
            with suppress(AssertionError):
                wait(lambda: not any(map(runs, self.pids)))
        self.first.wait()


def runs(pid: int) -> bool:
    """Whether a process has not ended, be it that nobody has asked for its status."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def agents(tmp_path: Path, intake: Intake) -> Iterator[Agents]:
    agents = Agents(tmp_path, intake.url)
    yield agents
    agents.end()


@pytest.fixture
def storm(tmp_path: Path, agents: Agents) -> Iterator[Storm]:
    storm = Storm(tmp_path / "markers")
    yield storm
    storm.kill()


class Logins:
    """Logins, one after the other, as the audit system hears of them."""

    def __init__(self, audit: Client) -> None:
        self.terminal = f"handover-{os.getpid()}-"
        self._audit = audit
        self._stop = threading.Event()
        self._count = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self._audit.tell(USER_LOGIN, f"op=login id=0 terminal={self.terminal}{self._count:05}")
            self._count += 1

    def end(self) -> list[str]:
        """Their terminals."""
        self._stop.set()
        self._thread.join()
        return [f"{self.terminal}{number:05}" for number in range(self._count)]


@pytest.fixture
def audit() -> Iterator[Client]:
    with audit_client() as client:
        yield client


@pytest.fixture
def before(audit: Client) -> State:
    """The audit system without an agent, and off."""
    audit.set(MASK_ENABLED, enabled=0)
    return audit.state()


def test_each_act_is_told_once_over_two_changes(
    audit: Client, before: State, agents: Agents, storm: Storm, intake: Intake
) -> None:
    logins = Logins(audit)
    answers = [agents.change(), agents.change()]
    terminals = logins.end()
    assert agents.first.wait(90.0) == 0
    assert len(set(agents.pids)) == 3
    for answer in answers:
        assert answer["source"] == "ebpf"
        assert answer["handover"] == {"possible": True, "failures": 0, "failed": ""}
    wait(lambda: (agents.status() or {}).get("heartbeat_delivered"))
    storm.check(intake)
    told = intake.events(text=logins.terminal)
    assert [event["action"]["properties"]["terminal"] for event in told] == terminals
    agents.end()
    assert audit.state() == before
    log = agents.log.read_text()
    assert " ERROR " not in log
    assert log.count("stopped-service:") == 1

    events = intake.events()
    actions = {event["event"].get("action") for event in events}
    assert "crashed-program" not in actions
    # Neither tells of the other, nor of itself.
    agents_acts = [
        event
        for event in events
        if event.get("process", {}).get("pid") in agents.pids
        and event["event"]["action"] != "killed-pid"
    ]
    assert agents_acts == []
    runs = {event["agent"]["ephemeral_id"] for event in events}
    assert len(runs) == 3
    for run in runs:
        numbers = [e["event"]["sequence"] for e in events if e["agent"]["ephemeral_id"] == run]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_one_that_cannot_take_over_changes_nothing(
    agents: Agents, storm: Storm, intake: Intake
) -> None:
    instead = agents.folder / "instead"
    instead.write_text("sys.exit(7)")
    agents.ask_for_change()

    def failed(count: int) -> str | None:
        answer = agents.status()
        assert answer is None or answer["pid"] == agents.pids[0]
        handover = (answer or {}).get("handover", {"failures": 0})
        return handover["failed"] if handover["failures"] == count else None

    assert wait(lambda: failed(1)) == "it has ended with status 7; see the log"
    instead.write_text("sys.argv[-1] = '/nowhere'")
    agents.ask_for_change()
    assert wait(lambda: failed(2)) == "it has ended with status 2; see the log"
    # One that hangs goes with the agent that has started it.
    started = agents.folder / "started"
    instead.write_text(
        f"pathlib.Path({str(started)!r}).write_text(str(os.getpid()))\ntime.sleep(99)"
    )
    agents.ask_for_change()
    hanging = int(wait(lambda: started.exists() and started.read_text()))
    storm.check(intake)
    agents.end()
    assert agents.first.returncode == 0
    assert not runs(hanging)
