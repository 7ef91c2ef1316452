"""Two agents, of which one is killed at any step of a change, both are, or one is slow to end."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from endpoint_agent.handover.words import VARIABLE

from ..live.capture import PATIENCE
from ..live.daemon import Intake, wait
from ..live.test_handover import Agents, runs

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs root"),
    pytest.mark.skipif(PATIENCE > 1, reason="an agent has two minutes to be in place"),
]

# The agent, in whose way a test stands: `before` is the one that hands over, `is_next` the other.
PROGRAM = f"""
import functools, os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[0]).parent
is_next, before = "{VARIABLE}" in os.environ, os.getppid()
from endpoint_agent import agent, handover
from endpoint_agent.handover import successor, words
if (folder / "way").exists():
    exec((folder / "way").read_text())
from endpoint_agent.cli import main
sys.exit(main())
"""

# Kills somebody when the next agent has come to a step.
KILL = """
def kill():
    if who != "next" and os.getppid() == before:
        os.kill(before, signal.SIGKILL)
    if who != "before":
        os.kill(os.getpid(), signal.SIGKILL)

def stand(place, name, *, is_behind):
    done = getattr(place, name)
    @functools.wraps(done)
    def do(*given, **named):
        if not is_behind:
            kill()
        answer = done(*given, **named)
        if is_behind:
            kill()
        return answer
    setattr(place, name, do)

if is_next:
    if step == "loads":
        stand(handover, "stand_by", is_behind=False)
    elif step == "is ready":
        stand(handover.Predecessor, "take_turn", is_behind=False)
    elif step == "has agreed":
        say = handover.Predecessor._say
        def tell(self, word):
            say(self, word)
            if word == words.AGREED:
                kill()
        handover.Predecessor._say = tell
    elif step == "waits":
        # The moment has come, and the one before is still at work.
        say = handover.Predecessor._say
        def tell(self, word):
            say(self, word)
            if word == words.AGREED:
                time.sleep(successor.AHEAD)
                kill()
        handover.Predecessor._say = tell
    elif step == "may begin":
        stand(handover.Predecessor, "take_turn", is_behind=True)
    elif step == "has the queue":
        stand(agent.Agent, "_open_queue", is_behind=True)
    elif step == "captures":
        stand(agent.Agent, "_start_capture", is_behind=True)
"""

# Who answers afterwards; after both have died, it is up to the service manager to start one. The
# one before goes on, or starts again where it had ended all it does: which of both, where the other
# has died just when it agreed, is a matter of moments.
STEPS = {
    ("loads", "next"): "before",
    ("loads", "before"): "next",
    ("loads", "both"): None,
    ("is ready", "next"): "before",
    ("is ready", "before"): "next",
    ("is ready", "both"): None,
    ("has agreed", "next"): "before",
    ("has agreed", "before"): "next",
    ("has agreed", "both"): None,
    ("waits", "next"): "before",
    ("waits", "before"): "next",
    ("waits", "both"): None,
    ("may begin", "next"): "before",
    ("has the queue", "next"): "before",
    ("captures", "next"): "before",
}


@pytest.fixture
def agents(tmp_path: Path, intake: Intake) -> Iterator[Agents]:
    agents = Agents(tmp_path, intake.url, PROGRAM)
    yield agents
    agents.end()


def test_who_is_left_goes_on_and_what_is_on_the_disk_starts(
    agents: Agents, intake: Intake, tmp_path: Path
) -> None:
    for number, ((step, who), left) in enumerate(STEPS.items()):
        way = tmp_path / "way"
        way.write_text(f"{step = }\n{who = }\n{KILL}")
        before = agents.pids[-1]
        failures = wait(agents.status)["handover"]["failures"]
        starts = starts_of(agents)
        agents.ask_for_change()
        successor = child_of(before)
        if left != "before":
            wait_end(before)
        if left != "next":
            wait_end(successor)
        way.unlink()
        if left == "next":
            agents.pids.append(successor)
        elif left is None:
            agents.start()
        else:
            wait(partial(is_back, agents, failures, starts), 120.0)
        assert wait(agents.status)["pid"] == agents.pids[-1], (step, who)
        marker = tmp_path / f"marker-{number:02}"
        marker.touch()
        created = created_in(intake, marker)
        assert len(created) == 1, (step, who)

    events = intake.events()
    for run in {event["agent"]["ephemeral_id"] for event in events}:
        numbers = {e["event"]["sequence"] for e in events if e["agent"]["ephemeral_id"] == run}
        assert numbers == set(range(1, max(numbers) + 1)), run


def child_of(pid: int) -> int:
    """The agent that another one has started."""
    (child,) = wait(psutil.Process(pid).children)
    return int(child.pid)


def starts_of(agents: Agents) -> int:
    """How often the agent that runs has started in its process."""
    return agents.log.read_text().count(f" starts, pid {agents.pids[-1]}\n")


def is_back(agents: Agents, failures: int, starts: int) -> bool:
    """Whether the agent before tells that no other took over, or has started again."""
    answer = agents.status()
    if answer is None or answer["pid"] != agents.pids[-1]:
        return False
    return answer["handover"]["failures"] > failures or starts_of(agents) > starts


def wait_end(pid: int) -> None:
    """Until it has let go of all that it held: other threads may be at that behind the first."""

    def has_ended() -> bool:
        try:
            return not runs(pid) and len(psutil.Process(pid).threads()) <= 1
        except psutil.NoSuchProcess:
            return True

    wait(has_ended, 120.0)


def created_in(intake: Intake, path: Path) -> list[dict[str, Any]]:
    """What is told of a new file, as soon as it is."""
    events: list[dict[str, Any]] = wait(lambda: intake.events(text=str(path)), 60.0)
    return [event for event in events if event["event"]["action"] == "file-created"]


def lost_in(intake: Intake) -> Counter[str]:
    """How much of what was told as lost."""
    lost = Counter[str]()
    for event in intake.events(action="events-lost"):
        properties = event["action"]["properties"]
        assert properties["cause"] in ("overload", "ring full")
        lost[properties["what"]] += properties["count"]
    return lost


# The agent that hands over takes its time.
SLOW = """
if not is_next:
    done = successor.Successor.done
    def wait(*given):
        (folder / "waits").touch()
        while not (folder / "go").exists():
            time.sleep(0.05)
        done(*given)
    successor.Successor.done = wait
"""

# More than the 32 MiB that the next one keeps, and its rings.
PROGRAMS = 2_000
ARGUMENT = "x" * 30_000


def test_what_the_next_one_cannot_keep_is_counted(
    agents: Agents, intake: Intake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # It is in the way of the one that runs, too.
    agents.end()
    (tmp_path / "way").write_text(SLOW)
    agents.start()
    agents.ask_for_change()
    wait((tmp_path / "waits").exists, 120.0)
    (tmp_path / "way").unlink()
    successor = child_of(agents.pids[-1])
    mark = f"flood-{os.getpid()}"
    for _ in range(PROGRAMS):
        subprocess.run(["/bin/true", mark, ARGUMENT], check=True)
    memory = psutil.Process(successor).memory_info().rss
    (tmp_path / "go").touch()
    agents.pids.append(successor)
    wait(lambda: (agents.status() or {}).get("pid") == successor, 60.0)
    last = tmp_path / "behind-the-flood"
    last.touch()
    assert created_in(intake, last)

    told = sum(event["event"]["action"] == "process-created" for event in intake.events(text=mark))
    assert 100 < told < PROGRAMS
    # Those of others of this host are among them.
    lost = wait(lambda: losses if (losses := lost_in(intake))["exec"] >= PROGRAMS - told else None)
    assert memory < 150_000_000
    with capsys.disabled():
        said = f"{told} of {PROGRAMS} programs told, {lost['exec']} counted as lost"
        print(f"\n{said}; {memory / 1e6:.0f} MB while it waited")
