from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.live.children import Child, ChildEndedError

StandIn = Callable[[str], Child]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Makes a child that runs a script of the shell instead of a command of the package."""

    def start(script: str) -> Child:
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(program))
        return Child("agent", ["run"], tmp_path / "agent.log", {"SECRET": "in the environment"})

    return start


def ended(child: Child) -> ChildEndedError:
    with pytest.raises(ChildEndedError) as caught:
        child.check(patience=10)
    return caught.value


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_that_runs_is_left_alone(stand_in: StandIn) -> None:
    child = stand_in("exec sleep 60")
    child.check()
    child.stop()
    assert "killed by signal 15, Terminated" in str(ended(child))


def test_the_command_and_the_environment_reach_it(stand_in: StandIn) -> None:
    child = stand_in('echo "$SECRET"; echo "$@" >&2')
    ended(child)
    assert child.output() == "in the environment\n-P -m endpoint_agent run\n"


def test_a_child_that_cannot_start_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(AgentError, match=r"cannot start the agent: .*No such file or directory"):
        Child("agent", ["run"], tmp_path / "agent.log", {})


def test_ctrl_c_in_the_terminal_does_not_reach_it(stand_in: StandIn) -> None:
    child = stand_in("exec sleep 60")
    assert os.getsid(child._process.pid) != os.getsid(0)
    child.stop()


def test_what_it_may_not_do_is_told_in_its_own_words(stand_in: StandIn) -> None:
    error = ended(stand_in("echo a line of the log; echo 'endpoint-agent: run as root'; exit 3"))
    assert (str(error), error.exit_status) == ("run as root", 3)


def test_an_unexpected_end_is_told_with_the_last_lines(stand_in: StandIn) -> None:
    error = ended(stand_in("seq 100; printf '\\033[2J\\n'; exit 1"))
    assert error.exit_status == 1
    last = "".join(f"\n  {n}" for n in range(92, 101))
    assert str(error) == (
        f"the agent has ended by itself (exit status 1); its last lines:{last}\n  \\x1b[2J"
    )


def test_a_killed_child_names_the_signal(stand_in: StandIn) -> None:
    error = ended(stand_in("kill -KILL $$"))
    assert str(error) == (
        "the agent has ended by itself (killed by signal 9, Killed); its last lines: none"
    )
    assert error.exit_status == 1


def test_only_the_end_of_long_output_is_read(stand_in: StandIn) -> None:
    child = stand_in("seq 100000")
    ended(child)
    assert len(child.output()) <= 16_384
    assert child.output().endswith("\n100000\n")


def test_one_that_does_not_end_is_killed(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endpoint_agent.live.children.PATIENCE", 0.2)
    child = stand_in("trap '' TERM; echo deaf; while :; do sleep 1; done")
    until(lambda: child.output() == "deaf\n")
    child.stop()
    assert "killed by signal 9, Killed" in str(ended(child))
    child.stop()


def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from endpoint_agent.live.children import Child\n"
        "child = Child('intake', ['serve', '--data', sys.argv[1], '--listen', '127.0.0.1:0'],"
        "Path(sys.argv[2]), {'ENDPOINT_AGENT_INTAKE_KEY': 'k'});"
        "print(child._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "data"), str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
