"""Programs that may not be executed, and files and programs that are only in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from .acts import LIBC, of, run
from .capture import Capture

pytestmark = pytest.mark.live

# A system call of x86-64 that Python and the C library do not offer.
EXECVEAT = 322


def test_program_that_may_not_be_executed(watching: Capture, tmp_path: Path) -> None:
    refused = tmp_path / "refused"
    refused.write_text("#!/bin/sh\n")
    with pytest.raises(PermissionError):
        subprocess.run([refused, "", "one more"], check=False)
    event = watching.of_path(str(refused), "process-creation-failed")
    assert event["event"]["outcome"] == "failure"
    assert event["event"]["code"] == 1
    properties = event["action"]["properties"]
    assert {"syscall": "execve", "exit": "EACCES"}.items() <= properties.items()
    if not watching.audits:
        assert properties["args"] == [str(refused), "", "one more"]
        assert "truncated" not in properties
    assert event["process"]["executable"] == os.path.realpath(sys.executable)


@pytest.mark.ebpf("the arguments of a program that was not started")
def test_arguments_that_are_too_many_or_too_long(watching: Capture, tmp_path: Path) -> None:
    for name, arguments, told, is_cut in (
        ("many", ["x"] * 64, ["x"] * 64, False),
        ("more", ["x"] * 65, ["x"] * 64, True),
        ("long", ["y" * 2000, "z"], ["y" * 1023], True),
        ("large", ["z" * 1000] * 6, ["z" * 1000] * 5, True),
    ):
        with pytest.raises(FileNotFoundError):
            subprocess.run(arguments, executable=tmp_path / name, check=False)
        event = watching.of_path(str(tmp_path / name), "process-creation-failed")
        properties = event["action"]["properties"]
        assert properties["args"] == told
        assert properties.get("truncated") == (["action.properties.args"] if is_cut else None)


def test_program_that_is_not_there_below_a_folder(watching: Capture, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert LIBC.syscall(EXECVEAT, folder, b"absent", None, None, 0) == -1
        event = watching.of_path(str(tmp_path / "absent"), "process-creation-failed")
    finally:
        os.close(folder)
    assert {"syscall": "execveat", "exit": "ENOENT"}.items() <= event["action"][
        "properties"
    ].items()
    assert event["process"]["pid"] == os.getpid()


def test_file_that_is_only_in_memory(watching: Capture) -> None:
    name = f"only-{uuid4()}"
    file = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    event = watching.of_path(f"/memfd:{name}", "file-created")
    os.close(file)
    assert event["process"]["pid"] == os.getpid()
    assert event["event"]["code"] == 11
    properties = event["action"]["properties"]
    assert properties["flags"] == ["MFD_CLOEXEC", "MFD_ALLOW_SEALING"]
    assert properties["deleted"] is True


IN_MEMORY = """
import os, sys
for number in range(200):
    os.close(os.memfd_create(sys.argv[1]))
    os.close(os.memfd_create(f"{sys.argv[1]}-{number}"))
"""


@pytest.mark.ebpf("repeats are events of their own")
def test_files_in_memory_of_one_name_are_counted(watching: Capture) -> None:
    name = f"often-{uuid4()}"
    pid, _ = run(IN_MEMORY, name)
    watching.wait_for(of(pid, "process-ended"))
    made = [
        (event["file"]["name"], event["sekoiaio"].get("repeat", {}).get("count", 1))
        for event in watching.events
        if event["event"]["action"] == "file-created" and event["process"]["pid"] == pid
    ]
    counts = [count for found, count in made if found == f"memfd:{name}"]
    assert sum(counts) == 200
    assert len(counts) < 200
    for number in range(200):
        assert made.count((f"memfd:{name}-{number}", 1)) == 1


def test_program_in_memory_is_told_twice(watching: Capture) -> None:
    file = os.memfd_create("twice")
    os.write(file, Path("/bin/true").read_bytes())
    subprocess.run(["true", "twice"], executable=f"/proc/self/fd/{file}", pass_fds=[file])
    os.close(file)
    created = watching.exec_of("true", "twice")
    event = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "fileless-execution"
            and event["process"].get("args") == ["true", "twice"]
        )
    )
    assert event["event"]["code"] == 1
    assert event["process"] == created["process"]
    assert event["sekoiaio"] == created["sekoiaio"]
