"""The audit source beside somebody who causes process events as fast as a host can."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .audit import Client, State
from .capture import PATIENCE
from .daemon import NOWHERE, Agent, wait

pytestmark = pytest.mark.live

# Seconds.
SOON = 5.0 * PATIENCE

# Bytes of memory that the agent may take more than before.
ROOM = 30 << 20

# Two threads that name themselves, or that start threads, without end.
FLOOD = """
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *end(void *nothing) { return nothing; }

static void *name(void *nothing) {
    for (;;) prctl(PR_SET_NAME, "flood");
    return nothing;
}

static void *start(void *nothing) {
    for (pthread_t thread;;)
        if (!pthread_create(&thread, NULL, end, NULL)) pthread_join(thread, NULL);
    return nothing;
}

int main(int count, char **arguments) {
    void *(*act)(void *) = count > 1 && arguments[1][0] == 's' ? start : name;
    pthread_t threads[2];
    for (int at = 0; at < 2; at++) pthread_create(&threads[at], NULL, act, NULL);
    alarm(60);
    pause();
}
"""


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: the flood is compiled")
    program = tmp_path_factory.mktemp("flood") / "flood"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-x", "c", "-", "-o", program]
    subprocess.run(["gcc", *flags], input=FLOOD, text=True, check=True)
    return program


@pytest.fixture
def agent(audit: Client, before: State, tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path)
    agent.configure(NOWHERE, CaptureSource="audit")
    agent.start()
    yield agent
    agent.kill()
    assert audit.state() == before


@pytest.mark.parametrize("act", ["name", "start"])
def test_a_flood_neither_blinds_nor_holds_up(
    agent: Agent, flood: Path, act: str, tmp_path: Path
) -> None:
    with subprocess.Popen([flood, act]) as flooding:
        try:
            time.sleep(1.0)
            memory = resident(agent)
            marker = f"marker-of-{tmp_path}-{act}"
            subprocess.run(["true", marker], check=True)
            wait(
                lambda: any(marker in told["process"]["args"] for told in execs(agent, marker)),
                SOON,
            )
            assert resident(agent) < memory + ROOM
            # What is lost is told once a second.
            time.sleep(1.5)
            lost = [event["action"]["properties"] for event in agent.queued("events-lost")]
            assert "process event" not in {loss["what"] for loss in lost}
            began = time.monotonic()
            assert agent.stop(signal.SIGTERM) == 0
            assert time.monotonic() - began < SOON
            assert flooding.poll() is None
        finally:
            flooding.kill()


def execs(agent: Agent, marker: str) -> list[dict[str, dict[str, object]]]:
    """Programs that were told of with this argument."""
    told = agent.queued(marker)
    return [event for event in told if event["event"]["action"] == "process-created"]


def resident(agent: Agent) -> int:
    """The agent's memory in bytes."""
    status = wait(agent.status)
    pages = Path(f"/proc/{status['pid']}/statm").read_text().split()[1]
    return int(pages) * 4096
