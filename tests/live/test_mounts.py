"""Mounts and roots on this kernel, in a mount namespace of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .capture import Capture, Event

pytestmark = pytest.mark.live

# Calls of libc and of the kernel below a folder, and what each returned.
BEGIN = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
here = sys.argv[1]
os.chdir(here)
for name in "mnt", "bound", "new", "jail":
    os.mkdir(name)
def must(result):
    if result < 0:
        code = ctypes.get_errno()
        print(os.strerror(code))
        sys.exit(code)
    return result
"""


def run(tmp_path: Path, acts: str) -> None:
    """Runs acts as a process of its own; skips what this kernel or its policy does not have."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    command = ["unshare", "--mount", sys.executable, "-I", "-c", BEGIN + acts, tmp_path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode and not done.stderr:
        pytest.skip(f"cannot mount here: {done.stdout}")
    assert done.returncode == 0, done.stderr


def mounted(watching: Capture, path: Path, **properties: object) -> Event:
    """The first event of a mount on a folder with these properties."""
    return watching.wait_for(
        lambda event: (
            event["event"]["action"] == "mounted"
            and event["file"]["path"] == str(path)
            and properties.items() <= event["action"]["properties"].items()
        )
    )


def test_mount_and_unmount(watching: Capture, tmp_path: Path) -> None:
    acts = """
must(libc.mount(b"some device", b"./mnt", b"tmpfs", 2 | 4, None))
must(libc.mount(b"mnt", os.fsencode(here + "/bound"), None, 4096, None))
must(libc.mount(None, b"bound", None, 1 << 18, None))
must(libc.umount2(b"bound", 2))
by_descriptor = [f"/proc/self/fd/{os.open(name, os.O_PATH)}".encode() for name in ("jail", "new")]
must(libc.mount(*by_descriptor, None, 4096, None))
"""
    run(tmp_path, acts)
    # Of what the call has in memory a record tells paths alone.
    told = {} if watching.audits else {"source": "some device", "fstype": "tmpfs"}
    event = mounted(watching, tmp_path / "mnt", **told)
    assert event["action"]["properties"]["flags"] == ["MS_NOSUID", "MS_NODEV"]
    assert event["event"]["category"] == ["file"]
    mounted(watching, tmp_path / "bound", source=str(tmp_path / "mnt"), flags=["MS_BIND"])
    mounted(watching, tmp_path / "bound", flags=["MS_PRIVATE"])
    if not watching.audits:
        mounted(watching, tmp_path / "new", source=str(tmp_path / "jail"), flags=["MS_BIND"])
    event = watching.of_path(str(tmp_path / "bound"), "unmounted")
    assert event["action"]["properties"]["flags"] == ["MNT_DETACH"]


@pytest.mark.ebpf("what is mounted, and how, where the call has it in memory")
def test_mount_that_was_made_apart(watching: Capture, tmp_path: Path) -> None:
    """As mount(8) does since util-linux 2.39: fsopen, fsconfig, fsmount, move_mount."""
    acts = """
call = libc.syscall
context = must(call(430, b"tmpfs", 0))
must(call(431, context, 1, b"source", b"apart", 0))
must(call(431, context, 6, None, None, 0))
mount = must(call(432, context, 0, 0))
folder = os.open("mnt", os.O_PATH)
must(call(429, mount, b"", folder, b"", 0x44))
must(call(429, -100, b"mnt", -100, b"new", 0))
"""
    run(tmp_path, acts)
    mounted(
        watching,
        tmp_path / "mnt",
        source="apart",
        fstype="tmpfs",
        flags=["MOVE_MOUNT_F_EMPTY_PATH", "MOVE_MOUNT_T_EMPTY_PATH"],
    )
    mounted(watching, tmp_path / "new", source=str(tmp_path / "mnt"))


def test_roots(watching: Capture, tmp_path: Path) -> None:
    acts = """
must(libc.mount(b"tmpfs", b"new", b"tmpfs", 0, None))
os.mkdir("new/old")
must(libc.syscall(155, os.fsencode(here + "/new"), os.fsencode(here + "/new/old")))
os.mkdir("/jail")
os.chdir("/")
os.chroot("jail")
"""
    run(tmp_path, acts)
    event = watching.of_path(str(tmp_path / "new"), "changed-root-directory-of")
    assert event["action"]["properties"]["put_old"] == str(tmp_path / "new/old")
    assert event["event"]["category"] == ["process"]
    guid = event["sekoiaio"]["process"]["guid"]
    jailed = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "changed-root-directory-of"
            and event["sekoiaio"]["process"]["guid"] == guid
            and event["file"]["path"] == "/jail"
        )
    )
    assert jailed["file"]["name"] == "jail"
