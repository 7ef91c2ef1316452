"""Each event that tells of tampering, against the table of fields."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.envelope import VERSION, Reporter
from endpoint_agent.service import manifest
from endpoint_agent.service.manifest import Difference
from endpoint_agent.signals import Signals
from endpoint_agent.trust import guard as guard_module
from endpoint_agent.trust import program, run
from endpoint_agent.trust.clock import Jump
from endpoint_agent.trust.guard import MAX_NAMED, Guard
from endpoint_agent.trust.run import Run

PAGE = Path(__file__).parents[3] / "docs/events.md"

TYPES: dict[str, type | tuple[type, ...]] = {
    "keyword": str,
    "date": str,
    "ip": str,
    "long": int,
    "float": (int, float),
    "boolean": bool,
}

Queued = Callable[[], list[dict[str, Any]]]


class Agent:
    """What there is of an agent: its configuration, its state, and its guard."""

    def __init__(self, folder: Path, reporter: Reporter, queued: Queued) -> None:
        self.config = folder / "config.yaml"
        self.config.write_text("IntakeKey: one\n")
        self.config.chmod(0o600)
        self.state = folder
        self._reporter = reporter
        self._queued = queued

    def start(self) -> Guard:
        """A run."""
        guard = Guard(self.state, self.state / "queue", self.config)
        guard.begin(self._reporter)
        return guard

    def told(self) -> list[dict[str, Any]]:
        """The events since."""
        events = self._queued()
        for event in events:
            check(event)
        return events

    def event(self) -> dict[str, Any]:
        """The one event since."""
        (event,) = self.told()
        return event


@pytest.fixture
def agent(tmp_path: Path, reporter: Reporter, queued: Queued) -> Agent:
    return Agent(tmp_path, reporter, queued)


def check(event: dict[str, Any]) -> None:
    """Asserts that the documentation has each field of an event, and its type."""
    rows = re.findall(r"^\| `([\w.@-]+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    table = {name: kind for name, kind in rows if kind in TYPES}
    for name, value in fields(event):
        assert isinstance(value, TYPES[table[name]]), name
    actions = re.findall(r"^\| `([\w-]+)` \| .*? \| (\w+) \| (\w+) \| ", PAGE.read_text(), re.M)
    kinds = {(action, category) for action, category, _ in actions}
    assert (event["event"]["action"], event["event"]["category"][0]) in kinds


def fields(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, member in value.items():
        name = prefix + key
        if isinstance(member, dict):
            yield from fields(member, f"{name}.")
        else:
            yield from ((name, one) for one in (member if isinstance(member, list) else [member]))


def wait_for(told: Queued) -> list[dict[str, Any]]:
    """Waits until there are events."""
    deadline = time.monotonic() + 20.0
    while not (events := told()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return events


def test_a_run_after_one_that_ended_has_nothing_to_tell(agent: Agent) -> None:
    agent.start().end()
    agent.start()
    assert agent.told() == []


def test_a_run_that_was_killed_is_told(agent: Agent) -> None:
    agent.start()
    os.utime(agent.state / run.FILE_NAME, (2_000_000_000, 2_000_000_000))

    agent.start()

    event = agent.event()
    assert event["event"] | {"sequence": 0, "start": ""} == {
        "kind": "event",
        "category": ["process"],
        "type": ["end"],
        "action": "crashed-program",
        "outcome": "failure",
        "reason": "the agent was killed, or failed without a word: "
        "last seen at 2033-05-18T03:33:20.000Z",
        "start": "",
        "end": "2033-05-18T03:33:20.000Z",
        "provider": "SEKOIA-IO-Endpoint",
        "sequence": 0,
    }
    assert event["process"] == {"pid": os.getpid()}


@pytest.mark.parametrize(
    ("ended", "outcome", "reason"),
    [
        (True, "success", "the host was booted since the last run of the agent"),
        (False, "failure", "the host went down without ending the agent, last seen at "),
    ],
)
def test_a_boot_is_told_apart(agent: Agent, ended: bool, outcome: str, reason: str) -> None:
    run.write(agent.state, Run("another boot", 7, 1000.0, VERSION, ended))

    agent.start()

    event = agent.event()["event"]
    assert (event["action"], event["category"], event["type"]) == (
        "booted-system",
        ["host"],
        ["start"],
    )
    assert event["outcome"] == outcome
    assert event["reason"].startswith(reason)
    assert ("start" in event) == (not ended)


def test_a_time_that_is_none_is_left_out(agent: Agent) -> None:
    run.write(agent.state, Run("another boot", 7, 1e300, VERSION))
    agent.start()
    assert "start" not in agent.event()["event"]


def test_a_configuration_that_changed_between_two_runs_is_told(agent: Agent) -> None:
    agent.start().end()
    agent.config.write_text("IntakeKey: two\n")

    agent.start()

    event = agent.event()
    assert event["event"]["action"] == "changed-configuration"
    assert event["event"]["category"] == ["configuration"]
    assert event["event"]["type"] == ["change"]
    assert event["event"]["reason"] == f"{agent.config} was changed since the last run of the agent"
    assert event["file"].keys() == {"path", "name", "directory", "mode", "uid", "hash"}
    assert event["file"]["mode"] == "0600"


def test_a_configuration_that_changes_is_told_once(agent: Agent) -> None:
    guard = agent.start()
    agent.config.unlink()
    guard.tick()
    guard.tick()

    event = agent.event()
    assert event["event"]["type"] == ["deletion"]
    assert event["file"].keys() == {"path", "name", "directory"}

    guard.end()
    agent.start()
    assert agent.told() == []


def test_watches_are_configuration_too(agent: Agent) -> None:
    guard = agent.start()
    (agent.state / "watches.yaml").write_text("watches: []\n")
    guard.tick()
    assert agent.event()["file"]["name"] == "watches.yaml"


@pytest.mark.parametrize(
    ("jump", "reason"),
    [
        (Jump(1000.0, 4600.0), "the clock was set forward by 3600.0 s"),
        (Jump(4600.0, 1000.0), "the clock was set back by 3600.0 s"),
    ],
)
def test_a_jump_of_the_clock_is_told(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, jump: Jump, reason: str
) -> None:
    guard = agent.start()
    monkeypatch.setattr(guard_module.Clock, "jump", lambda _: jump)
    guard.tick()

    event = agent.event()
    assert event["event"]["action"] == "changed-system-time"
    assert event["event"]["reason"] == reason
    assert event["event"]["start"] != event["event"]["end"]
    assert event["action"]["properties"] == {"offset": jump.after - jump.before}


def test_who_ends_the_agent_is_told(agent: Agent) -> None:
    guard = agent.start()
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.wait(20) == {signal.SIGTERM}
        guard.stopped(signal.SIGTERM)

    event = agent.event()
    assert event["event"]["action"] == "stopped-service"
    assert event["event"]["reason"].startswith(f"SIGTERM of process {os.getpid()} (")
    assert event["process"]["pid"] == os.getpid()
    assert event["process"]["command_line"]
    assert event["user"] == {"id": str(os.getuid())}
    assert event["action"]["properties"] == {"signal": 15}
    assert event["sekoiaio"] == {"target_process": {"pid": os.getpid()}}
    # It ended by itself.
    agent.start()
    assert agent.told() == []


def test_nobody_sends_what_a_terminal_does(agent: Agent) -> None:
    guard = agent.start()
    with Signals():
        guard.stopped(signal.SIGINT)

    event = agent.event()
    assert event["event"]["reason"] == "SIGINT of the kernel, as by a terminal, ends the agent"
    assert "process" not in event
    assert "user" not in event


@pytest.fixture
def version(agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agent runs from a version's folder."""
    folder = tmp_path / "version"
    folder.mkdir()
    for number in range(100):
        (folder / str(number)).touch()
    manifest.write(folder)
    monkeypatch.setattr(program, "folder", lambda: folder)
    return folder


def test_a_program_that_was_changed_is_an_alert(agent: Agent, version: Path) -> None:
    (version / "5").write_text("changed")
    (version / "7").unlink()
    guard = agent.start()
    guard.verify()
    (event,) = wait_for(agent.told)
    assert event["event"]["kind"] == "alert"
    assert event["event"]["action"] == "checked-integrity-of"
    assert event["event"]["outcome"] == "failure"
    reason = "the program is not what was installed: 5: changed, and 1 more"
    assert event["event"]["reason"] == reason
    assert event["file"] == {"path": str(version)}
    properties = {"differences": ["5: changed", "7: missing"], "count": 2}
    assert event["action"]["properties"] == properties


def test_what_an_alert_names_is_bounded(agent: Agent) -> None:
    guard = agent.start()
    guard._tell_differences([Difference("x" * 100, "added")] * 1000)
    properties = agent.event()["action"]["properties"]
    assert len(properties["differences"]) == MAX_NAMED
    assert properties["count"] == 1000


def test_another_manifest_of_the_same_version_is_told(agent: Agent, version: Path) -> None:
    agent.start().end()
    (version / "8").write_text("changed")
    manifest.write(version)

    agent.start().end()

    assert agent.event()["action"]["properties"]["differences"] == ["MANIFEST: changed"]


def test_another_version_has_another_manifest(agent: Agent, version: Path) -> None:
    last = Run(run.boot_id(), 7, 1000.0, "v0.0.1", True, "another manifest")
    run.write(agent.state, last)
    agent.start()
    assert agent.told() == []
