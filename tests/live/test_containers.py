"""Control groups and namespaces of processes on this kernel."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .acts import control_group
from .capture import Capture

pytestmark = pytest.mark.live


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group as docker names it."""
    with control_group(f"docker-{secrets.token_hex(32)}.scope") as path:
        yield path


def run_in(group: Path, code: str) -> None:
    """Runs Python code in a process that has moved to a control group."""
    move = f"import os; open('{group}/cgroup.procs', 'w').write('0'); {code}"
    subprocess.run([sys.executable, "-c", move], check=True)


def test_container_of_a_process_and_its_children(
    watching: Capture, group: Path, tmp_path: Path
) -> None:
    container = group.name.removeprefix("docker-").removesuffix(".scope")
    made = tmp_path / "made"
    # The audit source asks a program that is still there, whose children then inherit it.
    script = f"sleep 0.5; : > {made}; /bin/true {tmp_path}; true"
    code = f"os.execv('/bin/sh', ['sh', '-c', '{script}'])"
    run_in(group, code)
    event = watching.exec_of("/bin/true", str(tmp_path))
    assert event["container"] == {"id": container, "runtime": "docker"}
    assert event["action"]["properties"]["container_id"] == container
    assert watching.of_path(str(made), "file-created")["container"]["id"] == container

    if not watching.audits:
        run_in(group, f"os.execv('/bin/true', ['again', '{tmp_path}'])")
        assert watching.exec_of("again", str(tmp_path))["container"]["id"] == container

    subprocess.run(["true", str(tmp_path)], check=True)
    assert "container" not in watching.exec_of("true", str(tmp_path))


# The first thread ends before another one becomes a program that stays.
OUTLIVED = """
import ctypes, os, sys, threading
from pathlib import Path

first = Path(f"/proc/self/task/{threading.get_native_id()}/stat")

def execute():
    while ") Z " not in first.read_text():
        pass
    os.execv("/bin/sh", ["sh", "-c", "sleep 0.5; true", sys.argv[2]])

Path(sys.argv[1]).write_text("0")
threading.Thread(target=execute).start()
ctypes.CDLL(None).syscall(60, 0)  # exit, of a thread
"""


def test_container_of_a_program_that_another_thread_starts(
    watching: Capture, group: Path, tmp_path: Path
) -> None:
    marker = str(tmp_path)
    subprocess.run([sys.executable, "-c", OUTLIVED, group / "cgroup.procs", marker], check=True)
    event = watching.exec_of("sh", "-c", "sleep 0.5; true", marker)
    container = group.name.removeprefix("docker-").removesuffix(".scope")
    assert event["container"] == {"id": container, "runtime": "docker"}


def test_namespaces_other_than_the_hosts(watching: Capture, tmp_path: Path) -> None:
    # The audit source asks a program that is still there.
    stay = ["sh", "-c", "sleep 0.5; true"]
    script = 'readlink /proc/self/ns/net /proc/self/ns/uts; exec "$@"'
    marker = str(tmp_path)
    done = subprocess.run(
        ["unshare", "--net", "--uts", "sh", "-c", script, "sh", *stay, marker],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"needs namespaces: {done.stderr.strip()}")
    try:
        Path("/proc/2/ns/net").readlink()
    except OSError as error:
        pytest.skip(f"needs to see the host's own namespaces: {error}")
    properties = watching.exec_of(*stay, marker)["action"]["properties"]
    shown = [f"net:[{properties['ns_net']}]", f"uts:[{properties['ns_uts']}]"]
    assert shown == done.stdout.split()
    assert "ns_user" not in properties

    subprocess.run(["unshare", "--pid", "--fork", *stay, f"{marker}/pid"], check=True)
    assert "ns_pid" in watching.exec_of(*stay, f"{marker}/pid")["action"]["properties"]
    # One that only its children would be in is not its own.
    subprocess.run(["unshare", "--pid", *stay, f"{marker}/none"], check=True)
    assert "ns_pid" not in watching.exec_of(*stay, f"{marker}/none")["action"]["properties"]
