"""The audit system as the source: the same events as from eBPF, from the agent's own rules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .alike import assert_alike
from .audit import Client
from .capture import MANY, PATIENCE, Capture

pytestmark = pytest.mark.live


def test_the_agent_is_the_audit_daemon_where_none_runs(audit: Client, auditing: Capture) -> None:
    status = audit.status()
    assert (status["enabled"], status["pid"]) == (1, os.getpid())
    assert status["backlog_limit"] >= 8192
    assert "failed" not in {state for _, state, _ in auditing.pipeline.coverage()}


def test_exec_exit_and_parent(auditing: Capture, tmp_path: Path) -> None:
    arguments = ["sh", "-c", "exit 3", "", "two words", str(tmp_path)]
    child = subprocess.Popen(arguments, cwd=tmp_path)
    child.wait()
    event = auditing.exec_of(*arguments)
    process = event["process"]
    assert process["pid"] == child.pid
    assert process["executable"] == os.path.realpath(shutil.which("sh") or "")
    assert process["working_directory"] == str(tmp_path)
    assert process["args_count"] == len(arguments)
    assert process["parent"]["pid"] == os.getpid()
    assert process["parent"]["executable"] == os.path.realpath(sys.executable)
    assert (event["user"]["id"], event["event"]["code"]) == ("0", 1)
    properties = event["action"]["properties"]
    assert (properties["syscall"], properties["arch"]) == ("execve", "x86_64")
    assert properties["exit"] == "0"
    ended = auditing.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == child.pid
        )
    )
    assert ended["process"]["exit_code"] == 3
    assert ended["sekoiaio"] == event["sekoiaio"]


@pytest.mark.ebpf("the other one is here as well")
def test_a_child_is_named_as_by_ebpf(auditing: Capture, watching: Capture, tmp_path: Path) -> None:
    subprocess.run(["true", str(tmp_path)], check=True)
    expected = watching.exec_of("true", str(tmp_path))
    found = auditing.exec_of("true", str(tmp_path))
    assert found["sekoiaio"] == expected["sekoiaio"]
    assert found["process"] == expected["process"]
    assert found["user"] == expected["user"]


@pytest.mark.ebpf("the other one is here as well")
def test_acts_have_the_fields_that_they_have_by_ebpf(
    auditing: Capture, watching: Capture, tmp_path: Path
) -> None:
    assert_alike(watching, auditing, tmp_path)


# The kernel never watches a process that began before the audit system was turned on for the first
# time since the boot, so these acts are those of a new one.
FILES = """
import os, sys
from pathlib import Path

place = Path(sys.argv[1])
made, moved, folder = place / "made", place / "moved", place / "folder"
base = os.open(place, os.O_RDONLY)
os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o640, dir_fd=base))
sys.stdin.readline()
os.close(os.open(made, os.O_RDONLY))
os.close(os.open(made, os.O_WRONLY))
made.rename(moved)
moved.unlink()
folder.mkdir()
folder.rmdir()
"""

CONNECTIONS = """
import socket

with socket.create_server(("127.0.0.1", 0)) as listener:
    with socket.create_connection(listener.getsockname()) as client:
        print(listener.getsockname()[1], client.getsockname()[1])
        listener.accept()[0].close()
"""


def test_files(auditing: Capture, tmp_path: Path) -> None:
    made, moved, folder = tmp_path / "made", tmp_path / "moved", tmp_path / "folder"
    with subprocess.Popen(
        [sys.executable, "-c", FILES, tmp_path], stdin=subprocess.PIPE, text=True
    ) as process:
        # The folder is found by the descriptor, which has to be open until then.
        created = auditing.of_path(str(made), "file-created")
        process.communicate("go\n", timeout=30 * PATIENCE)

    assert created["file"]["mode"] == "0640"
    assert created["process"]["pid"] == process.pid
    auditing.of_path(str(made), "file-modified")
    renamed = auditing.of_path(str(moved), "renamed")
    assert renamed["action"]["properties"]["old_path"] == str(made)
    auditing.of_path(str(moved), "file-deleted")
    assert auditing.of_path(str(folder), "file-deleted")["file"]["type"] == "dir"
    # Opening for reading is not told.
    found = [event for event in auditing.events if event.get("file", {}).get("path") == str(made)]
    assert [event["event"]["action"] for event in found] == ["file-created", "file-modified"]


def test_connections(auditing: Capture) -> None:
    command = [sys.executable, "-c", CONNECTIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    port, own = map(int, done.stdout.split())
    event = auditing.wait_for(
        lambda event: (
            event["event"]["action"] == "connected-to" and event["destination"]["port"] == port
        )
    )
    assert event["destination"]["ip"] == "127.0.0.1"
    assert event["network"]["direction"] == "egress"
    assert event["process"]["executable"] == os.path.realpath(sys.executable)
    assert event["action"]["properties"]["socket_port"] == str(port)
    accepted = auditing.wait_for(
        lambda event: (
            event["event"]["action"] == "accepted-connection-from"
            and event["source"]["port"] == own
        )
    )
    assert accepted["source"]["ip"] == "127.0.0.1"
    assert accepted["process"]["pid"] == event["process"]["pid"]


def test_many_short_processes_are_all_there(auditing: Capture) -> None:
    pids = []
    for _ in range(MANY):
        child = subprocess.Popen(["/bin/true", "audited"])
        pids.append(child.pid)
        child.wait()
    auditing.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == pids[-1]
        )
    )
    execs = [
        event
        for event in auditing.events
        if event.get("process", {}).get("args") == ["/bin/true", "audited"]
        and event["event"]["action"] == "process-created"
    ]
    # A host that does too much at once loses records, and says so.
    told = any(event["event"]["action"] == "events-lost" for event in auditing.events)
    assert told or [event["process"]["pid"] for event in execs] == pids
    guids = {event["sekoiaio"]["process"]["guid"] for event in execs}
    ends = {
        event["sekoiaio"]["process"]["guid"]
        for event in auditing.events
        if event["event"]["action"] == "process-ended"
    }
    assert len(guids) == len(execs)
    assert told or guids <= ends
