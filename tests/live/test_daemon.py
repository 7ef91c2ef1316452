from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.balance import SUMS
from endpoint_agent.selftest import CHILD, acts, recognise

from .capture import PATIENCE
from .daemon import COMMAND, NOWHERE, Agent, Intake, wait

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="eBPF needs root"),
]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    yield agent
    agent.kill()


@dataclass(frozen=True)
class Acts:
    """What a program has just done: in a folder, and to a port."""

    folder: str
    port: int

    def unseen(self, events: Iterable[dict[str, Any]]) -> list[str]:
        """Names of the acts that no event tells."""
        sought = acts(self.folder, self.port)
        recognise(b"\n".join(json.dumps(event).encode() for event in events), sought)
        return [one.name for one in sought if not one.seen]

    def unseen_at(self, intake: Intake) -> list[str]:
        """Names of the acts that no event at the intake tells, whatever else happens here."""
        found = intake.events(text=self.folder) + intake.events(text=f'"port":{self.port}')
        return self.unseen(found)


def act(folder: Path) -> Acts:
    """Executes a program that creates, writes, renames and deletes a file and connects."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        fd = listener.fileno()
        command = [sys.executable, "-I", "-S", "-c", CHILD, str(folder), str(port), str(fd)]
        subprocess.run(command, check=True, timeout=10 * PATIENCE, pass_fds=[fd])
    return Acts(folder.name, port)


def stats(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The counters of every heartbeat."""
    return [
        event["action"]["properties"] for event in events if event["event"].get("action") == "stats"
    ]


def sequences(events: list[dict[str, Any]]) -> list[int]:
    """The sequence numbers of events, ordered."""
    return sorted(event["event"]["sequence"] for event in events)


@dataclass(frozen=True)
class Life:
    """One run of an agent that looks for no answers of DNS, and what was asked of it meanwhile."""

    agent: Agent
    pid: int
    hooks: list[str]
    done: Acts
    second: subprocess.CompletedProcess[str]
    """Another agent on the same queue."""
    status: subprocess.CompletedProcess[str]
    status_after: subprocess.CompletedProcess[str]
    events: list[dict[str, Any]]
    """What the intake has after its end."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """A life that ends well."""
    folder = tmp_path_factory.mktemp("life")
    intake, agent = Intake(folder / "intake"), Agent(folder)

    def ask(command: str) -> subprocess.CompletedProcess[str]:
        words = [*COMMAND, command, "--config", str(agent.config)]
        return subprocess.run(words, capture_output=True, text=True, timeout=30 * PATIENCE)

    try:
        agent.configure(intake.url, EnableDNSResolutions="false")
        agent.start()
        answer = wait(agent.status)
        done = act(folder / "act-once")
        second, status = ask("run"), ask("status")
        # The second has taken nothing from the first.
        wait(lambda: agent.counters()["delivered"])
        assert agent.stop() == 0
        hooks = [name for name, _, _ in answer["coverage"]]
        after = ask("status")
        yield Life(agent, answer["pid"], hooks, done, second, status, after, intake.events())
    finally:
        agent.kill()
        intake.stop()


def test_what_happens_on_the_host_arrives_and_the_balance_holds(life: Life) -> None:
    assert life.done.unseen(life.events) == []
    assert life.events[-1]["event"]["action"] == "stats"
    first, *_, last = stats(life.events)
    assert first["captured"] < last["captured"]
    assert SUMS[0].difference(last) == 0
    # Nothing is missing, and nothing came twice.
    assert sequences(life.events) == list(range(1, len(life.events) + 1))


def test_every_event_says_whose_it_is(life: Life) -> None:
    assert {event["agent"]["id"] for event in life.events} == {
        (life.agent.state / "agent-id").read_text()[:64]
    }
    assert len({event["agent"]["ephemeral_id"] for event in life.events}) == 1
    assert {event["host"]["hostname"] for event in life.events} == {socket.gethostname()}
    assert {event["event"]["provider"] for event in life.events} == {"SEKOIA-IO-Endpoint"}


def test_the_agent_does_not_report_itself(life: Life) -> None:
    pids = {event["process"]["pid"] for event in life.events if "process" in event}
    assert pids
    assert life.pid not in pids


def test_its_last_words_tell_who_ended_it(life: Life) -> None:
    (stopped,) = (one for one in life.events if one["event"].get("action") == "stopped-service")
    assert stopped["process"]["pid"] == os.getpid()
    assert stopped["sekoiaio"]["target_process"] == {"pid": life.pid}


def test_a_second_agent_on_the_same_queue_is_refused(life: Life) -> None:
    assert life.second.returncode == 1
    assert str(life.agent.state) in life.second.stderr


def test_status_prints_the_balance(life: Life) -> None:
    # Answers need not be looked for then.
    assert "cgroup_skb/egress" in life.hooks
    assert "cgroup_skb/ingress" not in life.hooks
    assert life.status.returncode == 0
    assert "Out of the queue" in life.status.stdout
    assert life.status_after.returncode == 1
    assert "no agent runs" in life.status_after.stderr


def test_a_reload_delivers_what_waited(tmp_path: Path, intake: Intake, agent: Agent) -> None:
    agent.configure(NOWHERE)
    agent.start()
    done = act(tmp_path / "act-before-reload")
    wait(lambda: wait(agent.status)["delivery"]["last_error"])

    agent.configure(intake.url, EventBufferCacheSize=50)
    agent.reload()
    wait(lambda: done.unseen_at(intake) == [])
    agent.stop()

    log = agent.log.read_text()
    assert "EventBufferCacheSize takes effect at the next start" in log
    assert "the intake takes events again" in log


def test_a_reload_drops_and_tags_by_new_rules(tmp_path: Path, intake: Intake, agent: Agent) -> None:
    agent.configure(intake.url)
    agent.start()
    uuid, dropped, tagged = "6d7d1b3e-0f1c-4a7b-9a64-1f6f7a1f9a01", "rule-drops", "watch-tags"
    condition = {"field": "file.name", "operator": "==", "value": dropped}
    rule = {"uuid": uuid, "action": 1, "filters": [condition]}
    watches = agent.config.with_name("watches.yaml")
    watches.write_text(f'watches: [{{tag: mine, paths: ["*/{tagged}"]}}]\n')
    watches.chmod(0o644)

    agent.configure(intake.url, OptimizationRules=json.dumps([rule]))
    agent.reload()
    # The capture has the rules within a second: until one drops, it has not.
    wait(lambda: (tmp_path / dropped).write_text("x") and agent.counters()["filtered"])
    (tmp_path / tagged).write_text("x")
    assert wait(agent.status)["rules"][uuid] > 0
    agent.stop()

    (event,) = intake.events(text=f"{tmp_path}/{tagged}")
    assert event["tags"] == ["mine"]
    last = stats(intake.events())[-1]
    assert last["filtered_by"] == {uuid: last["filtered"]}
    assert SUMS[0].difference(last) == 0


def test_a_reload_of_a_bad_file_changes_nothing(
    tmp_path: Path, intake: Intake, agent: Agent
) -> None:
    agent.configure(intake.url)
    agent.start()
    agent.config.write_text("IntakeKey: [")
    agent.reload()
    wait(lambda: "the configuration stays as it was" in agent.log.read_text())
    done = act(tmp_path / "act-after-reload")

    assert agent.stop() == 0
    assert done.unseen_at(intake) == []
    assert intake.events(text="the configuration stays as it was")


def test_nothing_that_was_queued_is_lost_to_a_kill(
    tmp_path: Path, intake: Intake, agent: Agent
) -> None:
    agent.configure(NOWHERE, EventBufferSyncInterval=0)
    agent.start()
    done = act(tmp_path / "act-before-kill")
    wait(lambda: done.unseen(agent.queued()) == [])
    status = wait(agent.status)
    queued, killed = status["queued"], status["pid"]
    agent.stop(signal.SIGKILL)

    agent.configure(intake.url)
    agent.start()
    wait(lambda: agent.counters()["delivered"] >= queued)
    assert agent.stop() == 0

    events = intake.events()
    assert done.unseen(events) == []
    told = {event["event"].get("action"): event for event in events}
    assert told["crashed-program"]["process"] == {"pid": killed}
    assert told["changed-configuration"]["file"]["path"] == str(agent.config)
    assert events[-1]["event"]["action"] == "stats"
    last = stats(events)[-1]
    assert last["recovered"] >= queued
    assert last["damaged"] == 0
    assert [one.difference(last) for one in SUMS] == [0, 0]
    assert sequences(events[: last["recovered"]]) == list(range(1, last["recovered"] + 1))


def test_a_recording_replays_what_happened(tmp_path: Path, intake: Intake, agent: Agent) -> None:
    recording = tmp_path / "recording"
    agent.configure(intake.url)
    agent.start("--record", str(recording))
    done = act(tmp_path / "act-recorded")
    agent.stop()

    assert done.unseen_at(intake) == []
    replay = subprocess.run(
        [*COMMAND, "replay", str(recording)], capture_output=True, timeout=60 * PATIENCE
    )

    # The kernel counted the second open of the file; a recording holds what it sent.
    assert set(done.unseen(map(json.loads, replay.stdout.splitlines()))) <= {"file written"}
    assert replay.returncode == 0


# The records of the first are more than both rings hold; the others fill what these have left.
LARGE = "x" * 30_000
LARGE_PROGRAMS, SMALL_PROGRAMS = 120, 200


def test_a_program_whose_start_was_lost_is_found(agent: Agent) -> None:
    agent.configure(NOWHERE)
    agent.start()
    agent.send(signal.SIGSTOP)
    try:
        for arguments in [[LARGE]] * LARGE_PROGRAMS + [[]] * SMALL_PROGRAMS:
            subprocess.run(["true", *arguments], check=True)
        child = subprocess.Popen(["sleep", "600"])
    finally:
        agent.send(signal.SIGCONT)
    try:
        event = wait(
            lambda: next(
                (
                    event
                    for event in agent.queued('"process_inferred"')
                    if event["process"]["pid"] == child.pid
                ),
                None,
            )
        )
    finally:
        child.kill()
        child.wait()
    assert agent.stop() == 0
    assert event["event"]["action"] == "process-created"
    assert event["process"]["args"] == ["sleep", "600"]
    losses = agent.queued('"events-lost"')
    assert any(loss["action"]["properties"]["what"] == "exec" for loss in losses)
