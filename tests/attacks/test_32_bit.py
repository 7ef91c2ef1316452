"""System calls of 32-bit programs, for all that is no act on files (those are in test_files.py)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.live.acts import of
from tests.live.capture import Capture, Event

from .conftest import Tricks

pytestmark = pytest.mark.live

# What is done by which call; of mounts, memory files and sockets no event tells the call.
ACTS = [
    *[("mounted", None)] * 5,
    *[("unmounted", None)] * 2,
    *[("changed-root-directory-of", None)] * 2,
    ("loaded-bpf-program", None),
    ("injected-into", "ptrace"),
    ("killed-pid", "rt_sigqueueinfo"),
    ("process-creation-failed", "execve"),
    ("process-creation-failed", "execveat"),
    *[("changed-namespace-of", "unshare")] * 2,
    ("changed-namespace-of", "setns"),
    ("changed-capabilities-of", "capset"),
    ("changed-identity-of", "setgroups"),
    ("changed-identity-of", "setresgid"),
    ("changed-identity-of", "setresuid"),
]

# The audit source tells these while the process and its sockets are there, or not at all.
BY_EBPF = [
    *[("listen-for-connections", None)] * 2,
    *[("accepted-connection-from", None)] * 2,
    ("injected-into", "process_vm_writev"),
]


def test_acts_of_32_bit_calls(
    watching: Capture, tricks: Tricks, tmp_path: Path, marker: str
) -> None:
    """Tracepoints of calls leave out all but the signal, whose own tracepoint tells it."""
    folder, moved = tmp_path / "folder", tmp_path / "moved"
    folder.mkdir()
    moved.mkdir()
    played = tricks.play("acted_as_32_bit", folder, moved, marker)
    watching.wait_for(of(played.pid, "process-ended"))
    told = [event for event in watching.events if event["process"]["pid"] == played.pid]
    killed = [event for event in told if event["event"]["action"] == "killed-pid"]
    assert [called(event) for event in killed] == [("killed-pid", "rt_sigqueueinfo")]
    assert killed[0]["sekoiaio"]["target_process"]["pid"] == int(played.lines[-1].split()[1])
    if not watching.sees_32_bit_calls():
        names = {called(event) for event in told} - {("killed-pid", "rt_sigqueueinfo")}
        assert names.isdisjoint([*ACTS, *BY_EBPF]), names
        return
    counted = Counter(map(called, told))
    assert counted >= Counter(ACTS if watching.audits else [*ACTS, *BY_EBPF])
    assert {event["file"]["path"] for event in told if called(event)[0] == "unmounted"} == {
        str(folder)
    }
    ends = [event["destination"] for event in told if "destination" in event]
    assert {end["port"] for end in ends if end["ip"] == "255.255.255.255"} == {9, 10}
    failed = [event for event in told if called(event)[0] == "process-creation-failed"]
    for event in failed:
        assert event["process"]["pid"] == played.pid
        assert marker in str(event)
        assert "/nowhere/to-be-found" in str(event)
    identity = [event["action"]["properties"] for event in told if called(event)[1] == "setresuid"]
    assert [identity[0][key] for key in ("uid", "euid", "suid")] == ["1001", "1002", "1003"]
    made = [event for event in told if event["event"]["action"] == "file-created"]
    # The audit source tells the name as long as it is open.
    names = ["in-memory", "…/"] if watching.audits else ["in-memory"]
    assert any(name in event["file"]["path"] for event in made for name in names)


def called(event: Event) -> tuple[str, str | None]:
    """What an event tells, and by which call it was done where the acts name that."""
    action = event["event"]["action"]
    act = action, event.get("action", {}).get("properties", {}).get("syscall")
    return act if act in ACTS or act in BY_EBPF else (action, None)
