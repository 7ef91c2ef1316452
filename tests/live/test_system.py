"""Modules and programs that the kernel is given, on this kernel.

The second witness is /proc: what it says of a program is what an event has to say.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from .acts import LIBC, module_comes_and_goes
from .capture import Capture, Event

pytestmark = pytest.mark.live

# System calls of x86-64 that Python and the C library do not offer.
FINIT_MODULE, BPF = 313, 321

BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_PROG_ATTACH, BPF_RAW_TRACEPOINT_OPEN = 0, 5, 8, 17
SK_SKB, RAW_TRACEPOINT = 14, 17
SOCKMAP, STREAM_VERDICT = 15, 5


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
    module_comes_and_goes(watching)


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


@pytest.mark.ebpf("the names of programs")
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


@pytest.mark.ebpf("attachments that make no link")
def test_bpf_program_is_attached_to_stay(watching: Capture) -> None:
    sockets = bpf(BPF_MAP_CREATE, struct.pack("IIIII", SOCKMAP, 4, 4, 1, 0))
    loaded = load(SK_SKB, b"attached_here")
    bpf(BPF_PROG_ATTACH, struct.pack("IIII", sockets, loaded, STREAM_VERDICT, 0))
    os.close(sockets)
    os.close(loaded)
    event = watching.wait_for(program("attached_here", "ATTACH"))
    assert event["event"]["action"] == "attached-bpf-program"
    assert event["action"]["properties"]["prog-type"] == "sk_skb"
