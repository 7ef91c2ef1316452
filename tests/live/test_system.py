"""What processes may do, and what they do to others and to the kernel, on this kernel.

The second witness is /proc: what it says of a process, a namespace or a program is what an event
has to say.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from .capture import Capture, Event

pytestmark = pytest.mark.live

LIBC = ctypes.CDLL(None, use_errno=True)

# System calls of x86-64 that Python and the C library do not offer.
RT_SIGQUEUEINFO, FINIT_MODULE, BPF, EXECVEAT = 129, 313, 321, 322

PTRACE_POKEDATA, PTRACE_ATTACH, PTRACE_DETACH = 5, 16, 17

BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_PROG_ATTACH, BPF_RAW_TRACEPOINT_OPEN = 0, 5, 8, 17
SOCKET_FILTER, SK_SKB, RAW_TRACEPOINT = 1, 14, 17
SOCKMAP, STREAM_VERDICT = 15, 5


def run(code: str, *arguments: str) -> tuple[int, list[str]]:
    """Runs a piece of Python: its pid, and the lines it has written."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    return child.pid, output.splitlines()


def of(pid: int, action: str, **properties: Any) -> Callable[[Event], bool]:
    """Whether an event is an act of a process with these properties."""
    return lambda event: (
        event["event"]["action"] == action
        and event["process"]["pid"] == pid
        and properties.items() <= event.get("action", {}).get("properties", {}).items()
    )


def onto(pid: int, action: str, **properties: Any) -> Callable[[Event], bool]:
    """Whether an event is an act of this process on another."""
    own = of(os.getpid(), action, **properties)
    return lambda event: own(event) and event["sekoiaio"]["target_process"]["pid"] == pid


@pytest.fixture
def sleeper(watching: Capture) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which does nothing."""
    child = subprocess.Popen(["sleep", "1234"])
    try:
        # The call returns shortly before the exec is told.
        watching.wait_for(of(child.pid, "process-created"))
        yield child
    finally:
        child.kill()
        child.wait()


def stack_of(pid: int) -> int:
    """An address that a process may write to."""
    found = re.search(r"^(\w+)-.*\[stack\]$", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE)
    assert found
    return int(found[1], 16)


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
    assert properties["args"] == [str(refused), "", "one more"]
    assert "truncated" not in properties
    assert event["process"]["executable"] == os.path.realpath(sys.executable)


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
    finally:
        os.close(folder)
    event = watching.of_path(str(tmp_path / "absent"), "process-creation-failed")
    assert {"syscall": "execveat", "exit": "ENOENT"}.items() <= event["action"][
        "properties"
    ].items()
    assert event["process"]["pid"] == os.getpid()


def test_file_that_is_only_in_memory(watching: Capture) -> None:
    name = f"only-{uuid4()}"
    os.close(os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    event = watching.of_path(f"/memfd:{name}", "file-created")
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


IDENTITY = """
import ctypes, os
os.setresuid(0, 0, 0)
os.setgroups([7, 8])
os.setresgid(11, 12, 13)
ctypes.CDLL(None).setfsuid(5)
os.setresuid(1001, 1002, 1003)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
for name in ("Uid", "Gid", "Groups"):
    print(*status[name].split())
"""


def test_identity_before_and_after(watching: Capture) -> None:
    pid, (users, groups, supplementary) = run(IDENTITY)
    changed = of(pid, "changed-identity-of", syscall="setresuid")
    last = watching.wait_for(changed)
    told = last["action"]["properties"]
    assert [told[key] for key in ("uid", "euid", "suid", "fsuid")] == users.split()
    assert [told[key] for key in ("gid", "egid", "sgid", "fsgid")] == groups.split()
    assert told["groups"] == supplementary.split() == ["7", "8"]
    assert [told[f"old_{key}"] for key in ("uid", "euid", "suid", "fsuid")] == ["0", "0", "0", "5"]
    assert (last["user"]["id"], last["user"]["effective"]["id"]) == ("1001", "1002")
    assert last["event"]["category"] == ["process", "iam"]
    calls = [
        event["action"]["properties"]["syscall"]
        for event in watching.events
        if of(pid, "changed-identity-of")(event)
    ]
    # The first call changed nothing.
    assert calls == ["setgroups", "setresgid", "setfsuid", "setresuid"]


def test_identity_that_is_changed_more_often_than_anyone_does(watching: Capture) -> None:
    pid, _ = run("import os\nfor _ in range(300):\n    os.seteuid(1)\n    os.seteuid(0)")
    changed = of(pid, "changed-identity-of")
    told: list[tuple[str, str]] = []

    def all_are_told(event: Event) -> bool:
        if changed(event):
            told.append(tuple(event["action"]["properties"][key] for key in ("old_euid", "euid")))
        return len(told) == 600

    watching.wait_for(all_are_told)
    assert sorted(told) == [("0", "1")] * 300 + [("1", "0")] * 300


def test_identity_of_one_thread(watching: Capture) -> None:
    code = """
import ctypes, threading
def change():
    assert ctypes.CDLL(None).syscall(117, 1234, 1234, 1234) == 0
    print(threading.get_native_id())
thread = threading.Thread(target=change)
thread.start()
thread.join()
"""
    pid, (thread,) = run(code)
    event = watching.wait_for(of(pid, "changed-identity-of", syscall="setresuid", uid="1234"))
    assert event["process"]["thread"]["id"] == int(thread)
    assert event["action"]["properties"]["old_uid"] == "0"


def test_capabilities_before_and_after(watching: Capture) -> None:
    code = """
import ctypes, struct
def shown():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(*(status[name].strip() for name in ("CapPrm", "CapInh", "CapEff", "CapAmb")))
    return int(status["CapPrm"], 16), int(status["CapInh"], 16), int(status["CapEff"], 16)
permitted, inheritable, effective = shown()
effective &= ~(1 << 25)  # CAP_SYS_TIME
sets = []
for shift in (0, 32):
    sets += [value >> shift & 0xFFFFFFFF for value in (effective, permitted, inheritable)]
header = struct.pack("Ii", 0x20080522, 0)
assert ctypes.CDLL(None).capset(header, struct.pack("6I", *sets)) == 0
shown()
"""
    pid, (before, after) = run(code)
    event = watching.wait_for(of(pid, "changed-capabilities-of"))
    told = event["action"]["properties"]
    assert [told[f"old_{key}"] for key in ("pp", "pi", "pe", "pa")] == before.split()
    assert [told[key] for key in ("pp", "pi", "pe", "pa")] == after.split()
    assert before != after


def test_namespaces_that_a_process_leaves_and_enters(watching: Capture) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None)
old = os.open("/proc/self/ns/uts", os.O_RDONLY)
assert libc.unshare(0x04000000 | 0x200) == 0  # CLONE_NEWUTS, and CLONE_FS, which is none
print(os.readlink("/proc/self/ns/uts"))
assert libc.setns(old, 0) == 0
print(os.readlink("/proc/self/ns/uts"))
assert libc.unshare(0x200) == 0
"""
    pid, (left, entered) = run(code)
    new = watching.wait_for(of(pid, "changed-namespace-of", syscall="unshare"))
    assert new["action"]["properties"]["namespaces"] == [left]
    old = watching.wait_for(of(pid, "changed-namespace-of", syscall="setns"))
    assert old["action"]["properties"]["namespaces"] == [entered]
    watching.wait_for(of(pid, "process-ended"))
    told = [event for event in watching.events if of(pid, "changed-namespace-of")(event)]
    assert len(told) == 2


def test_namespace_of_a_new_process(watching: Capture) -> None:
    code = """
import ctypes, os
child = ctypes.CDLL(None).syscall(56, 0x04000000 | 17, None, None, None, None)
if child == 0:
    os.write(1, f"{os.readlink('/proc/self/ns/uts')}\\n".encode())
    os._exit(0)
os.waitpid(child, 0)
print(child)
"""
    pid, (namespace, child) = run(code)
    event = watching.wait_for(of(int(child), "changed-namespace-of"))
    assert {"syscall": "clone", "namespaces": [namespace]}.items() <= event["action"][
        "properties"
    ].items()
    assert event["process"]["parent"]["pid"] == pid


def test_attach_to_a_process(watching: Capture, sleeper: subprocess.Popen[bytes]) -> None:
    assert LIBC.ptrace(PTRACE_ATTACH, sleeper.pid, None, None) == 0
    os.waitpid(sleeper.pid, 0)
    LIBC.ptrace(PTRACE_DETACH, sleeper.pid, None, None)
    event = watching.wait_for(onto(sleeper.pid, "injected-into", request="PTRACE_ATTACH"))
    assert event["event"]["code"] == 8
    assert event["action"]["properties"]["syscall"] == "ptrace"
    ends = event["sekoiaio"]
    assert ends["source_process"]["guid"] == ends["process"]["guid"]
    assert ends["source_process"]["executable"] == os.path.realpath(sys.executable)
    target = ends["target_process"]
    assert target["command_line"] == "sleep 1234"
    assert target["executable"] == os.path.realpath("/bin/sleep")
    started = watching.wait_for(of(sleeper.pid, "process-created"))
    assert target["guid"] == started["sekoiaio"]["process"]["guid"]


def test_every_word_that_a_tracer_writes_is_counted(
    watching: Capture, sleeper: subprocess.Popen[bytes]
) -> None:
    address = ctypes.c_void_p(stack_of(sleeper.pid))
    assert LIBC.ptrace(PTRACE_ATTACH, sleeper.pid, None, None) == 0
    os.waitpid(sleeper.pid, 0)
    for word in range(100):
        assert LIBC.ptrace(PTRACE_POKEDATA, sleeper.pid, address, ctypes.c_void_p(word)) == 0
    LIBC.ptrace(PTRACE_DETACH, sleeper.pid, None, None)
    wrote = onto(sleeper.pid, "injected-into", request="PTRACE_POKEDATA")
    counts: list[int] = []

    def all_are_told(event: Event) -> bool:
        if wrote(event):
            counts.append(event["sekoiaio"].get("repeat", {}).get("count", 1))
        return sum(counts) == 100

    watching.wait_for(all_are_told)
    assert len(counts) < 100


def test_write_into_the_memory_of_a_process(
    watching: Capture, sleeper: subprocess.Popen[bytes]
) -> None:
    address = stack_of(sleeper.pid)
    data = ctypes.create_string_buffer(b"injected")
    local = struct.pack("QQ", ctypes.addressof(data), 8)
    remote = struct.pack("QQ", address, 8)
    assert LIBC.process_vm_writev(sleeper.pid, local, 1, remote, 1, 0) == 8
    event = watching.wait_for(onto(sleeper.pid, "injected-into", syscall="process_vm_writev"))
    assert event["action"]["properties"]["bytes"] == 8

    os.close(os.open(f"/proc/{sleeper.pid}/mem", os.O_RDWR))
    event = watching.wait_for(onto(sleeper.pid, "injected-into", syscall="openat"))
    assert event["sekoiaio"]["target_process"]["command_line"] == "sleep 1234"


def test_process_named_by_its_number_in_a_namespace(watching: Capture) -> None:
    code = """
import ctypes, os, signal
libc = ctypes.CDLL(None)
child = os.fork()
if child == 0:
    signal.pause()
assert libc.ptrace(16, child, None, None) == 0
os.waitpid(child, 0)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""
    command = ["unshare", "--pid", "--fork", sys.executable, "-I", "-c", code, "inside"]
    subprocess.run(command, check=True)
    inside = watching.exec_of(*command[3:])
    event = watching.wait_for(
        of(inside["process"]["pid"], "injected-into", request="PTRACE_ATTACH")
    )
    target = event["sekoiaio"]["target_process"]
    assert target["parent"]["pid"] == inside["process"]["pid"]
    assert target["command_line"] == inside["process"]["command_line"]
    watching.wait_for(of(target["pid"], "process-ended", signal=9))


def test_signals_that_end_and_that_do_not(
    watching: Capture, sleeper: subprocess.Popen[bytes]
) -> None:
    os.kill(sleeper.pid, signal.SIGTSTP)
    os.kill(sleeper.pid, signal.SIGTERM)
    event = watching.wait_for(onto(sleeper.pid, "killed-pid"))
    assert {"syscall": "kill", "signal": 15}.items() <= event["action"]["properties"].items()
    assert event["sekoiaio"]["target_process"]["command_line"] == "sleep 1234"
    assert event["user"]["target"]["id"] == "0"
    assert event["event"]["type"] == ["end"]


def test_signal_to_another_user(watching: Capture) -> None:
    child = subprocess.Popen(["sleep", "1235"], user=65534, group=65534, extra_groups=[])
    os.kill(child.pid, signal.SIGTSTP)
    child.kill()
    child.wait()
    event = watching.wait_for(onto(child.pid, "killed-pid", signal=int(signal.SIGTSTP)))
    assert event["user"]["target"]["id"] == "65534"
    watching.wait_for(onto(child.pid, "killed-pid", signal=9))


def test_signal_that_pretends_to_come_from_a_timer(
    watching: Capture, sleeper: subprocess.Popen[bytes]
) -> None:
    info = struct.pack("iii116x", signal.SIGTERM, 0, -2)  # SI_TIMER
    assert LIBC.syscall(RT_SIGQUEUEINFO, sleeper.pid, signal.SIGTERM, info) == 0
    event = watching.wait_for(onto(sleeper.pid, "killed-pid"))
    assert {"syscall": "rt_sigqueueinfo", "signal": 15}.items() <= event["action"][
        "properties"
    ].items()


def test_what_is_no_module_is_not_told(watching: Capture, tmp_path: Path) -> None:
    file = tmp_path / "module.ko"
    file.write_bytes(b"\x7fELF and no more")
    with file.open("rb") as opened:
        assert LIBC.syscall(FINIT_MODULE, opened.fileno(), b"", 0) == -1
    assert ctypes.get_errno() in (errno.ENOSYS, errno.ENOEXEC, errno.EPERM)
    (tmp_path / "end").write_text("")
    watching.of_path(str(tmp_path / "end"), "file-created")
    modules = [
        event for event in watching.events if event["event"]["action"] == "loaded-kernel-module"
    ]
    assert str(file) not in [event.get("file", {}).get("path") for event in modules]


def test_module_comes_and_goes(watching: Capture) -> None:
    if not Path("/proc/modules").exists():
        pytest.skip("needs a kernel with modules")
    if subprocess.run(["modprobe", "dummy", "numdummies=0"], check=False).returncode:
        pytest.skip("needs the module dummy")
    subprocess.run(["modprobe", "-r", "dummy"], check=True)

    def told(action: str) -> Event:
        return watching.wait_for(
            lambda event: (
                event["event"]["action"] == action
                and event["action"]["properties"]["name"] == "dummy"
            )
        )

    loaded = told("loaded-kernel-module")
    assert loaded["event"]["code"] == 6
    assert loaded["action"]["properties"]["syscall"] in ("init_module", "finit_module")
    if loaded["action"]["properties"]["syscall"] == "finit_module":
        assert loaded["file"]["name"].startswith("dummy.ko")
    assert told("unloaded-kernel-module")["action"]["properties"]["syscall"] == "delete_module"


def bpf(command: int, attributes: bytes) -> int:
    """A descriptor from bpf(2), or what else it returned."""
    result = LIBC.syscall(BPF, command, attributes, len(attributes))
    assert result >= 0, os.strerror(ctypes.get_errno())
    return int(result)


def load(kind: int, name: bytes) -> int:
    """A program that returns 0, of a type."""
    code = ctypes.create_string_buffer(bytes.fromhex("b7000000000000009500000000000000"))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "IIQQIIQII16s",
        *(kind, 2, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0, name),
    )
    return bpf(BPF_PROG_LOAD, attributes)


def told_of(descriptor: int) -> dict[str, str]:
    """What /proc says of a program."""
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def program(name: str, op: str) -> Callable[[Event], bool]:
    """Whether an event is about a program of a name."""
    return lambda event: (
        event["event"]["action"].endswith("-bpf-program")
        and event["action"]["properties"].get("prog-name") == name
        and event["action"]["properties"]["op"] == op
    )


def test_bpf_program_is_loaded_and_linked(watching: Capture) -> None:
    loaded = load(RAW_TRACEPOINT, b"linked_here")
    witness = told_of(loaded)
    name = ctypes.create_string_buffer(b"sched_process_hang")
    link = bpf(BPF_RAW_TRACEPOINT_OPEN, struct.pack("QI4x", ctypes.addressof(name), loaded))
    os.close(link)
    os.close(loaded)
    event = watching.wait_for(program("linked_here", "LOAD"))
    assert event["event"]["action"] == "loaded-bpf-program"
    assert event["process"]["pid"] == os.getpid()
    told = event["action"]["properties"]
    assert (told["prog-id"], told["prog-tag"]) == (witness["prog_id"], witness["prog_tag"])
    assert told["prog-type"] == "raw_tracepoint"
    linked = watching.wait_for(program("linked_here", "LINK"))
    assert linked["event"]["action"] == "attached-bpf-program"
    assert linked["action"]["properties"]["link-type"] == "raw_tracepoint"
    assert linked["action"]["properties"]["prog-id"] == witness["prog_id"]


def test_bpf_program_is_attached_to_stay(watching: Capture) -> None:
    sockets = bpf(BPF_MAP_CREATE, struct.pack("IIIII", SOCKMAP, 4, 4, 1, 0))
    loaded = load(SK_SKB, b"attached_here")
    bpf(BPF_PROG_ATTACH, struct.pack("IIII", sockets, loaded, STREAM_VERDICT, 0))
    os.close(sockets)
    os.close(loaded)
    event = watching.wait_for(program("attached_here", "ATTACH"))
    assert event["event"]["action"] == "attached-bpf-program"
    assert event["action"]["properties"]["prog-type"] == "sk_skb"
