"""Execs and exits of this kernel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .capture import MANY, Capture

pytestmark = pytest.mark.live


def test_exec_has_arguments_directory_and_parent(watching: Capture, tmp_path: Path) -> None:
    arguments = ["true", "", "two words", str(tmp_path)]
    subprocess.run(arguments, cwd=tmp_path, executable="/bin/true", check=True)
    event = watching.exec_of(*arguments)
    process = event["process"]
    assert process["executable"] == os.path.realpath("/bin/true")
    assert process["working_directory"] == str(tmp_path)
    assert process["parent"]["pid"] == os.getpid()
    assert process["parent"]["executable"] == os.path.realpath(sys.executable)
    assert event["user"]["id"] == "0"
    assert event["event"]["code"] == 1


def test_ancestors_nearest_first(watching: Capture, tmp_path: Path) -> None:
    inner = f"/bin/true {tmp_path}; true"
    subprocess.run(["sh", "-c", f"sh -c '{inner}'; true"], check=True)
    event = watching.exec_of("/bin/true", str(tmp_path))
    ancestors = event["action"]["properties"]["ancestors"]
    shell = os.path.realpath("/bin/sh")
    assert ancestors["executable"][:3] == [shell, shell, os.path.realpath(sys.executable)]
    assert ancestors["pid"][0] == event["process"]["parent"]["pid"]
    assert ancestors["pid"][2] == os.getpid()
    assert ancestors["guid"][0] == event["sekoiaio"]["process"]["parent_guid"]
    assert len(ancestors["pid"]) == len(ancestors["executable"]) == len(ancestors["guid"]) <= 5


def test_login_survives_a_change_of_user(watching: Capture, tmp_path: Path) -> None:
    login_file = Path("/proc/self/loginuid")
    if not login_file.exists():
        pytest.skip("needs a kernel with audit: /proc/self/loginuid is missing")
    code = (
        "import os, pathlib;"
        "pathlib.Path('/proc/self/loginuid').write_text('4711');"
        "os.setresuid(65534, 65534, 65534);"
        "print(pathlib.Path('/proc/self/sessionid').read_text(), flush=True);"
        f"os.execv('/bin/true', ['true', '{tmp_path}'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the login may not be set here: {done.stderr.splitlines()[-1]}")
    event = watching.exec_of("true", str(tmp_path))
    assert event["user"]["id"] == "65534"
    assert event["user"]["audit"]["id"] == "4711"
    assert event["action"]["properties"]["ses"] == done.stdout.strip()


def test_script_beside_its_interpreter(watching: Capture, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    subprocess.run(["./script", str(tmp_path)], cwd=tmp_path, check=True)
    event = watching.exec_of("/bin/sh", "./script", str(tmp_path))
    assert event["process"]["executable"] == os.path.realpath("/bin/sh")
    assert event["action"]["properties"]["script"] == str(script)

    outer = tmp_path / "outer"
    outer.write_text(f"#!{script}\n")
    outer.chmod(0o755)
    subprocess.run([str(outer), "nested"], check=True)
    nested = watching.exec_of("/bin/sh", str(script), str(outer), "nested")
    assert nested["action"]["properties"]["script"] == str(outer)

    subprocess.run(["true", str(tmp_path)], check=True)
    assert "script" not in watching.exec_of("true", str(tmp_path))["action"]["properties"]


def test_exit_tells_code_and_belongs_to_its_exec(watching: Capture) -> None:
    child = subprocess.Popen(["sh", "-c", "exit 3"])
    child.wait()
    event = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == child.pid
        )
    )
    assert event["process"]["exit_code"] == 3
    started = watching.exec_of("sh", "-c", "exit 3")
    assert event["sekoiaio"]["process"]["guid"] == started["sekoiaio"]["process"]["guid"]


def test_exit_by_signal(watching: Capture) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    watching.exec_of("sleep", "1000")
    child.send_signal(signal.SIGKILL)
    child.wait()
    event = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == child.pid
        )
    )
    # As a shell tells it.
    assert event["process"]["exit_code"] == 128 + signal.SIGKILL


def test_arguments_of_32_kib_are_whole_and_longer_ones_marked(watching: Capture) -> None:
    whole = "w" * (32 * 1024 - len("true") - 2)
    longer = "l" * (64 * 1024)
    subprocess.run(["true", whole], check=True)
    subprocess.run(["true", longer], check=True)
    assert watching.exec_of("true", whole)["process"]["args_count"] == 2
    event = watching.wait_for(lambda event: "lllll" in event["process"].get("command_line", ""))
    assert "process.args" in event["action"]["properties"]["truncated"]


def test_hostile_bytes_become_valid_text(watching: Capture) -> None:
    subprocess.run([b"true", b"\xff\xfe", b'"\\\n\x1b[31m'], check=True)
    watching.exec_of("true", "\ufffd\ufffd", '"\\\n\x1b[31m')


def test_fork_without_exec_is_known_by_its_parent(watching: Capture, tmp_path: Path) -> None:
    path = tmp_path / "made"
    child = os.fork()
    if child == 0:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os._exit(0)
    os.waitpid(child, 0)
    event = watching.of_path(str(path), "file-created")
    assert event["process"]["pid"] == child
    assert event["process"]["parent"]["pid"] == os.getpid()
    assert event["process"]["executable"] == os.path.realpath(sys.executable)


@pytest.mark.ebpf("paths from outside of a chroot")
def test_program_in_a_chroot_and_deep_below(watching: Capture, tmp_path: Path) -> None:
    jail = tmp_path / "jail"
    jail.mkdir()
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("needs busybox: a program without libraries for a chroot")
    shutil.copy(busybox, jail / "busybox")
    subprocess.run(["chroot", jail, "/busybox", "touch", "/inside"], check=True)
    assert watching.exec_of("/busybox", "touch", "/inside")["process"]["executable"] == str(
        jail / "busybox"
    )
    watching.of_path(str(jail / "inside"), "file-created")


def test_many_short_processes_are_all_there(watching: Capture) -> None:
    pids = []
    for _ in range(MANY):
        child = subprocess.Popen(["/bin/true", "short-lived"])
        pids.append(child.pid)
        child.wait()
    watching.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == pids[-1]
        )
    )
    execs = [
        event["process"]["pid"]
        for event in watching.events
        if event["process"].get("args") == ["/bin/true", "short-lived"]
        and event["event"]["action"] == "process-created"
    ]
    assert execs == pids


def test_program_in_memory_is_marked(watching: Capture) -> None:
    file = os.memfd_create("in-memory")
    os.write(file, Path("/bin/true").read_bytes())
    subprocess.run(["true", "in-memory"], executable=f"/proc/self/fd/{file}", pass_fds=[file])
    os.close(file)
    event = watching.exec_of("true", "in-memory")
    assert event["process"]["executable"] == "/memfd:in-memory"
    assert event["action"]["properties"]["deleted"] is True


def test_program_whose_file_is_gone_is_marked(watching: Capture, tmp_path: Path) -> None:
    program = tmp_path / "gone"
    shutil.copy("/bin/true", program)
    file = os.open(program, os.O_RDONLY)
    program.unlink()
    subprocess.run(["true", "gone"], executable=f"/proc/self/fd/{file}", pass_fds=[file])
    os.close(file)
    assert watching.exec_of("true", "gone")["action"]["properties"]["deleted"] is True
