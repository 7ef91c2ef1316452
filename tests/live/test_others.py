"""What processes do to others: memory that is written to, tracers and signals, on this kernel."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .acts import LIBC, of, onto
from .capture import Capture, Event

pytestmark = pytest.mark.live

# A system call of x86-64 that Python and the C library do not offer.
RT_SIGQUEUEINFO = 129

PTRACE_POKEDATA, PTRACE_ATTACH, PTRACE_DETACH = 5, 16, 17


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
    assert watching.audits or len(counts) < 100


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


@pytest.mark.ebpf("whose number it is, from within a PID namespace")
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


@pytest.mark.ebpf("signals that no call sends")
def test_signal_that_a_process_has_the_kernel_send(
    watching: Capture, sleeper: subprocess.Popen[bytes]
) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, sleeper.pid)
    fcntl.fcntl(reading, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writing, b"x")
    event = watching.wait_for(onto(sleeper.pid, "killed-pid", signal=9))
    assert event["process"]["pid"] == os.getpid()
    os.close(reading)
    os.close(writing)


def test_signal_that_pretends_to_come_from_a_timer(
    watching: Capture, sleeper: subprocess.Popen[bytes]
) -> None:
    info = struct.pack("iii116x", signal.SIGTERM, 0, -2)  # SI_TIMER
    assert LIBC.syscall(RT_SIGQUEUEINFO, sleeper.pid, signal.SIGTERM, info) == 0
    event = watching.wait_for(onto(sleeper.pid, "killed-pid"))
    assert {"syscall": "rt_sigqueueinfo", "signal": 15}.items() <= event["action"][
        "properties"
    ].items()
