"""What processes may do and where they are, and how that changes, on this kernel.

The second witness is /proc: what it says of a process or a namespace is what an event has to say.
"""

from __future__ import annotations

import pytest

from .acts import of, run, running
from .capture import Capture, Event

pytestmark = pytest.mark.live

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
    with running(IDENTITY) as (pid, (users, groups, supplementary)):
        last = watching.wait_for(of(pid, "changed-identity-of", syscall="setresuid"))
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
    # Of a record, the number is the process's.
    assert watching.audits or event["process"]["thread"]["id"] == int(thread)
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
    with running(code) as (pid, (before, after)):
        event = watching.wait_for(of(pid, "changed-capabilities-of"))
    told = event["action"]["properties"]
    old = [told.get(f"old_{key}") for key in ("pp", "pi", "pe", "pa")]
    assert old == ([None] * 4 if watching.audits else before.split())
    assert [told[key] for key in ("pp", "pi", "pe", "pa")] == after.split()
    assert before != after


@pytest.mark.ebpf("which namespaces they were, of one that goes on at once")
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


@pytest.mark.ebpf("whose child was made, of one that is gone at once")
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
