"""Programs that try to start, to end or to run unseen, or under another name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.live.capture import Capture, Event

from .conftest import Tricks, by_descriptor

pytestmark = pytest.mark.live

# The code with which `leader_exits` ends its first thread.
LEADERS = 3

ECHO = os.path.realpath("/bin/echo")


def end_of(capture: Capture, started: Event) -> Event:
    """The end of a process that an event tells of."""
    guid = started["sekoiaio"]["process"]["guid"]
    return capture.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended"
            and event["sekoiaio"]["process"]["guid"] == guid
        )
    )


def ends_of(capture: Capture, pid: int) -> list[Event]:
    return [
        event
        for event in capture.events
        if event["event"]["action"] == "process-ended" and event["process"]["pid"] == pid
    ]


def test_arguments_rewritten_during_exec(watching: Capture, tricks: Tricks, marker: str) -> None:
    for number in range(5):
        own = f"{marker}-{number}"
        given = tricks.play("arguments_rewritten", own).lines[0].removesuffix(f" {own}")
        watching.exec_of("echo", given, own)


def test_arguments_on_a_page_that_faults(watching: Capture, tricks: Tricks, marker: str) -> None:
    assert tricks.play("arguments_faulting", marker).lines == [f"late {marker}"]
    event = watching.exec_of("echo", "late", marker)
    assert event["process"]["args_count"] == 3
    assert "truncated" not in event["action"]["properties"]


def test_exec_from_another_thread(watching: Capture, tricks: Tricks, marker: str) -> None:
    played = tricks.play("exec_from_thread", marker)
    event = watching.exec_of("echo", marker)
    assert event["process"]["pid"] == played.pid
    assert event["process"]["executable"] == ECHO
    assert end_of(watching, event)["process"]["exit_code"] == 0
    assert len(ends_of(watching, played.pid)) == 1


def test_process_that_outlives_its_leader(
    watching: Capture, tricks: Tricks, tmp_path: Path
) -> None:
    """The audit source tells that it has ended when its leader has."""
    made = tmp_path / "made"
    played = tricks.play("leader_exits", made, status=None)
    event = watching.of_path(str(made), "file-created")
    assert event["process"]["pid"] == played.pid
    assert event["process"]["name"] == "leader_exits"
    # Whose code it is, the leader's or the last thread's, kernels have not always agreed on.
    assert played.status in (LEADERS, 5)
    status = LEADERS if watching.audits else played.status
    assert end_of(watching, event)["process"]["exit_code"] == status
    assert len(ends_of(watching, played.pid)) == 1


def test_exec_after_the_leader_is_gone(
    watching: Capture, tricks: Tricks, tmp_path: Path, marker: str
) -> None:
    played = tricks.play("leader_exits", tmp_path / "made", marker)
    event = watching.exec_of("echo", marker)
    assert event["process"]["pid"] == played.pid
    assert end_of(watching, event)["process"]["exit_code"] == (LEADERS if watching.audits else 0)


def test_vfork(watching: Capture, tricks: Tricks, marker: str) -> None:
    played = tricks.play("vforked", marker)
    event = watching.exec_of("true", marker)
    assert event["process"]["pid"] == int(played.lines[0])
    assert event["process"]["parent"]["pid"] == played.pid
    assert event["process"]["parent"]["name"] == "vforked"


def test_processes_of_less_than_a_millisecond(watching: Capture, tricks: Tricks) -> None:
    played = tricks.play("brief")
    parent = watching.exec_of(str(tricks.program("brief")))
    guid = end_of(watching, parent)["sekoiaio"]["process"]["guid"]
    children = [
        (event["process"]["pid"], event["process"]["exit_code"])
        for event in watching.events
        if event["event"]["action"] == "process-ended"
        and event["sekoiaio"]["process"].get("parent_guid") == guid
    ]
    assert children == [(int(pid), number % 100) for number, pid in enumerate(played.lines)]


def test_number_of_a_process_that_is_gone(watching: Capture, tricks: Tricks, marker: str) -> None:
    played = tricks.play("pid_reused", f"{marker}-1", f"{marker}-2")
    one, other = watching.exec_of("true", f"{marker}-1"), watching.exec_of("true", f"{marker}-2")
    assert one["process"]["pid"] == other["process"]["pid"] == int(played.lines[0])
    assert one["sekoiaio"]["process"]["guid"] != other["sekoiaio"]["process"]["guid"]
    for event in (one, other):
        end = end_of(watching, event)
        assert end["process"]["command_line"] == event["process"]["command_line"]
        assert end["process"]["parent"]["pid"] == played.pid


def test_exec_by_descriptor(watching: Capture, tricks: Tricks, tmp_path: Path, marker: str) -> None:
    program = tmp_path / "program"
    shutil.copy("/bin/echo", program)
    tricks.play("executed_by_descriptor", program, marker)
    event = watching.exec_of("echo", marker)
    assert event["process"]["executable"] == str(program)
    assert "deleted" not in event["action"]["properties"]


def test_exec_in_a_tree_that_is_mounted_nowhere(
    watching: Capture, tricks: Tricks, tmp_path: Path, marker: str
) -> None:
    """Its path is no whole one, which rules and watches would take for another program's.

    The audit system writes down what is known of it as if it were one.
    """
    program = tmp_path / "usr/sbin/echo"
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/echo", program)
    tricks.play("executed_unmounted", tmp_path, "usr/sbin/echo", marker)
    event = watching.exec_of("echo", marker)
    cut = "" if watching.audits else "…"
    assert event["process"]["executable"] == f"{cut}/usr/sbin/echo"


def test_exec_from_memory(watching: Capture, tricks: Tricks, marker: str) -> None:
    played = tricks.play("executed_from_memory", marker)
    made = by_descriptor(watching, played.pid, "file-created", "/memfd:trick", "")
    assert made["action"]["properties"]["deleted"] is True
    event = watching.exec_of("echo", marker)
    assert event["process"]["executable"] == "/memfd:trick"
    assert event["action"]["properties"]["deleted"] is True


def test_exec_after_deletion(
    watching: Capture, tricks: Tricks, tmp_path: Path, marker: str
) -> None:
    program = tmp_path / "program"
    shutil.copy("/bin/echo", program)
    tricks.play("executed_after_deletion", program, marker)
    event = watching.exec_of("echo", marker)
    assert event["process"]["executable"] == str(program)
    assert event["action"]["properties"]["deleted"] is True


def test_script_of_a_script(watching: Capture, tricks: Tricks, tmp_path: Path, marker: str) -> None:
    tricks.play("nested_shebang", tmp_path, marker)
    inner, outer = str(tmp_path / "inner"), str(tmp_path / "outer")
    event = watching.exec_of("/bin/echo", "y", inner, "x", outer, marker)
    assert event["process"]["executable"] == ECHO


def test_registered_format(watching: Capture, tricks: Tricks, tmp_path: Path, marker: str) -> None:
    program = tmp_path / "program"
    program.write_text("TRICK")
    program.chmod(0o755)
    tricks.play("registered_format", tmp_path, marker)
    event = watching.exec_of("/bin/echo", "program", marker)
    assert event["process"]["executable"] == ECHO


def test_arguments_forged_after_the_start(
    watching: Capture, tricks: Tricks, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    tricks.play("arguments_forged", "honest", made)
    program = str(tricks.program("arguments_forged"))
    event = watching.of_path(str(made), "file-created")
    assert event["process"]["command_line"] == f"{program} honest {made}"
    assert event["process"]["name"] == "arguments_forged"
    assert end_of(watching, event)["process"]["command_line"] == f"{program} honest {made}"
