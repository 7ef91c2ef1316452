"""What else the audit source tells: changes of files and mounts, what processes become and do."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .acts import module_comes_and_goes
from .capture import PATIENCE, Capture

pytestmark = pytest.mark.live

CHANGES = """
import ctypes, os, sys
from pathlib import Path

libc = ctypes.CDLL(None)
place = Path(sys.argv[1])
made, other, link, text = (place / name for name in ("made", "other", "link", "text"))
folder, below = place / "folder", place / "below"
made.touch()
other.touch()
folder.mkdir()
below.mkdir()
os.mkfifo(place / "pipe", 0o600)
os.link(made, link)
os.symlink("../made", text)
made.chmod(0o751)
kept = os.open(other, os.O_RDONLY)
os.fchmod(kept, 0o604)
os.chown(made, 12, -1)
os.lchown(text, 13, 14)
os.utime(made)
os.truncate(made, 99)
os.setxattr(made, "trusted.x", b"y")
os.removexattr(made, "trusted.x")
assert libc.syscall(316, -100, bytes(made), -100, bytes(folder), 2) == 0  # RENAME_EXCHANGE
assert libc.unshare(0x20000) == 0  # CLONE_NEWNS
assert libc.mount(None, b"/", None, 1 << 14 | 1 << 18, None) == 0  # MS_REC | MS_PRIVATE
assert libc.mount(bytes(below), bytes(made), None, 1 << 12, None) == 0  # MS_BIND
assert libc.umount2(bytes(made), 2) == 0  # MNT_DETACH
os.chroot(below)
sys.stdin.readline()
"""


def test_changes_of_files_and_mounts(auditing: Capture, tmp_path: Path) -> None:
    def told(name: str, action: str) -> dict[str, Any]:
        return auditing.of_path(str(tmp_path / name), action)

    command = [sys.executable, "-I", "-c", CHANGES, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        # The files behind descriptors are found as long as these are open.
        by_descriptor = told("other", "changed-file-permissions-of")
        process.communicate("go\n", timeout=30 * PATIENCE)
    assert process.returncode == 0
    assert by_descriptor["file"]["mode"] == "0604"
    assert told("folder", "directory-created")["file"]["type"] == "dir"
    assert told("pipe", "file-created")["file"]["type"] == "fifo"
    linked = told("link", "linked")
    assert linked["action"]["properties"]["old_path"] == str(tmp_path / "made")
    assert told("text", "symlinked")["file"]["target_path"] == "../made"
    assert told("made", "changed-file-permissions-of")["file"]["mode"] == "0751"
    assert told("made", "changed-file-ownership-of")["file"]["uid"] == "12"
    owned = told("text", "changed-file-ownership-of")
    assert (owned["file"]["uid"], owned["file"]["gid"]) == ("13", "14")
    assert owned["action"]["properties"]["flags"] == ["AT_SYMLINK_NOFOLLOW"]
    assert "mtime" in told("made", "changed-timestamp-of")["file"]
    cut = auditing.wait_for(
        lambda event: (
            event.get("file", {}).get("path") == str(tmp_path / "made")
            and event["file"].get("size") == 99
        )
    )
    assert cut["event"]["action"] == "file-modified"
    removed = auditing.wait_for(
        lambda event: (
            event["event"]["action"] == "changed-file-attributes-of"
            and event["file"]["path"] == str(tmp_path / "made")
            and "removed" in event["action"]["properties"]
        )
    )
    assert removed["action"]["properties"]["syscall"] == "removexattr"
    exchanged = told("folder", "renamed")
    assert exchanged["action"]["properties"]["old_path"] == str(tmp_path / "made")
    assert exchanged["action"]["properties"]["flags"] == ["RENAME_EXCHANGE"]
    mounted = told("made", "mounted")
    assert mounted["action"]["properties"]["source"] == str(tmp_path / "below")
    assert mounted["action"]["properties"]["flags"] == ["MS_BIND"]
    assert told("made", "unmounted")["action"]["properties"]["flags"] == ["MNT_DETACH"]
    assert told("below", "changed-root-directory-of")["process"]["pid"] == process.pid


ACTS = """
import ctypes, os, signal, socket, struct, subprocess, sys

libc = ctypes.CDLL(None, use_errno=True)
child = subprocess.Popen(["sleep", "1234"])
print(child.pid, flush=True)
sys.stdin.readline()
assert libc.ptrace(16, child.pid, None, None) == 0  # PTRACE_ATTACH
os.waitpid(child.pid, 0)
libc.ptrace(17, child.pid, None, None)  # PTRACE_DETACH
stack = next(line for line in open(f"/proc/{child.pid}/maps") if "[stack]" in line)
data = ctypes.create_string_buffer(b"injected")
local = struct.pack("QQ", ctypes.addressof(data), 8)
remote = struct.pack("QQ", int(stack.split("-")[0], 16), 8)
assert libc.process_vm_writev(child.pid, local, 1, remote, 1, 0) == 8
sys.stdin.readline()
child.kill()
child.wait()
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    sys.stdin.readline()
with socket.socket() as client:
    print(client.connect_ex(("127.0.0.1", int(sys.argv[1]))), flush=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"x", ("127.0.0.1", 9))
file = os.memfd_create("secret")
os.write(file, open("/bin/true", "rb").read())
subprocess.run(["true", sys.argv[2]], executable=f"/proc/self/fd/{file}", pass_fds=[file])
try:
    os.execv(sys.argv[2] + "/absent", ["absent"])
except FileNotFoundError:
    pass
assert libc.unshare(0x4000000) == 0  # CLONE_NEWUTS
parted = libc.syscall(56, 0x8000000 | signal.SIGCHLD, None, None, None, None)  # CLONE_NEWIPC
if parted == 0:
    signal.pause()
print(parted, flush=True)
sys.stdin.readline()
os.kill(parted, signal.SIGKILL)
os.waitpid(parted, 0)
header = struct.pack("Ii", 0x20080522, 0)
sets = ctypes.create_string_buffer(24)
assert libc.capget(header, sets) == 0
assert libc.capset(header, sets) == 0
os.setgroups([7, 8])
os.setresgid(11, 12, 13)
os.setresuid(1001, 1002, 1003)
sys.stdin.readline()
"""


def test_what_processes_do_to_others_and_become(auditing: Capture, tmp_path: Path) -> None:
    with socket.socket() as reserved:
        # Nobody listens there.
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        command = [sys.executable, "-I", "-c", ACTS, str(port), str(tmp_path)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None

            def told(action: str, **properties: Any) -> dict[str, Any]:
                """An act, for which the process waits."""
                return auditing.wait_for(
                    lambda event: (
                        event["event"]["action"] == action
                        and event["process"]["pid"] == process.pid
                        and properties.items() <= event["action"]["properties"].items()
                    )
                )

            def go_on() -> None:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()

            child = int(process.stdout.readline())
            auditing.wait_for(
                lambda event: (
                    event["event"]["action"] == "process-created"
                    and event["process"]["pid"] == child
                )
            )
            go_on()
            for properties in ({"request": "PTRACE_ATTACH"}, {"syscall": "process_vm_writev"}):
                injected = told("injected-into", **properties)
                target = injected["sekoiaio"]["target_process"]
                assert (target["pid"], target["command_line"]) == (child, "sleep 1234")
            go_on()
            killed = told("killed-pid", signal=9)
            assert killed["sekoiaio"]["target_process"]["pid"] == child
            listening = int(process.stdout.readline())
            listens = told("listen-for-connections")
            assert listens["destination"]["port"] == listening
            go_on()
            assert int(process.stdout.readline()) == errno.ECONNREFUSED
            refused = told("connected-to", exit="ECONNREFUSED")
            assert refused["destination"]["port"] == port
            assert refused["event"]["outcome"] == "failure"
            if auditing.sees_datagrams():
                assert told("sent-to")["destination"]["port"] == 9
            failed = told("process-creation-failed", exit="ENOENT")
            assert failed["file"]["path"] == str(tmp_path / "absent")
            parted = int(process.stdout.readline())
            made = auditing.wait_for(
                lambda event: (
                    event["event"]["action"] == "changed-namespace-of"
                    and event["process"]["pid"] == parted
                )
            )
            space = str(Path(f"/proc/{parted}/ns/ipc").readlink())
            assert made["action"]["properties"]["namespaces"] == [space]
            assert made["action"]["properties"]["syscall"] == "clone"
            assert made["process"]["parent"]["pid"] == process.pid
            go_on()
            space = str(Path(f"/proc/{process.pid}/ns/uts").readlink())
            assert told("changed-namespace-of")["action"]["properties"]["namespaces"] == [space]
            assert "pe" in told("changed-capabilities-of")["action"]["properties"]
            last = told("changed-identity-of", syscall="setresuid")["action"]["properties"]
            assert [last[key] for key in ("uid", "euid", "suid")] == ["1001", "1002", "1003"]
            assert [last[key] for key in ("old_uid", "old_euid", "old_egid")] == ["0", "0", "12"]
            assert last["groups"] == ["7", "8"]
            go_on()
    fileless = auditing.wait_for(
        lambda event: (
            event["event"]["action"] == "fileless-execution"
            and event["process"].get("args") == ["true", str(tmp_path)]
        )
    )
    assert fileless["process"]["executable"] == "/memfd:secret"


def test_program_of_the_kernel(auditing: Capture) -> None:
    # An empty program of eBPF that returns 0.
    code = """
import ctypes, struct, sys
program = struct.pack("QQ", 0xB7, 0x95)
text, licence = ctypes.create_string_buffer(program, 16), ctypes.create_string_buffer(b"GPL")
asked = struct.pack("IIQQ", 1, 2, ctypes.addressof(text), ctypes.addressof(licence))
asked = ctypes.create_string_buffer(asked, 72)
assert ctypes.CDLL(None).syscall(321, 5, asked, 72) > 0
print(flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen(
        [sys.executable, "-I", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        loaded = auditing.wait_for(
            lambda event: (
                event["event"]["action"] == "loaded-bpf-program"
                and event["process"]["pid"] == process.pid
            )
        )
        process.communicate("\n", timeout=30 * PATIENCE)
    assert process.returncode == 0
    assert loaded["action"]["properties"]["prog-type"] == "socket_filter"
    assert int(loaded["action"]["properties"]["prog-id"]) > 0


def test_module_comes_and_goes(auditing: Capture) -> None:
    module_comes_and_goes(auditing)
