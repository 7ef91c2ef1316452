"""What the tests themselves do through other programs and calls, and whose events those are."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .capture import PATIENCE, Capture, Event

LIBC = ctypes.CDLL(None, use_errno=True)


def run(code: str, *arguments: str) -> tuple[int, list[str]]:
    """Runs a piece of Python: its pid, and the lines it has written."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )
    output, _ = child.communicate(timeout=60 * PATIENCE)
    assert child.returncode == 0
    return child.pid, output.splitlines()


@contextmanager
def running(code: str) -> Iterator[tuple[int, list[str]]]:
    """`run` of a process that is there as long as the block: the audit source asks /proc of it."""
    done = "all is done"
    code += f"\nprint({done!r}, flush=True)\nimport sys\nsys.stdin.read()"
    command = [sys.executable, "-I", "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        yield child.pid, list(iter(lambda: next(child.stdout, done).rstrip("\n"), done))
    assert child.returncode == 0


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


@contextmanager
def control_group(name: str = "untold") -> Iterator[Path]:
    """A new control group of version 2; skips where none can be made."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    place = next((place for _, place, kind, *_ in mounts if kind == "cgroup2"), None)
    if place is None:
        pytest.skip("needs control groups of version 2: none is mounted")
    path = Path(place) / name
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip(f"needs to make a control group: {error}")
    try:
        yield path
    finally:
        # A group is in use until the kernel has put away the last process that was in it.
        deadline = time.monotonic() + 20.0 * PATIENCE
        while path.exists():
            try:
                path.rmdir()
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def module_comes_and_goes(capture: Capture) -> None:
    """Loads a module and unloads it, of which the capture has to tell."""
    if not Path("/proc/modules").exists():
        pytest.skip("needs a kernel with modules")
    if subprocess.run(["modprobe", "dummy", "numdummies=0"], check=False).returncode:
        pytest.skip("needs the module dummy")
    subprocess.run(["modprobe", "-r", "dummy"], check=True)

    def told(action: str) -> Event:
        return capture.wait_for(
            lambda event: (
                event["event"]["action"] == action
                and event["action"]["properties"]["name"] == "dummy"
            )
        )

    loaded = told("loaded-kernel-module")
    assert loaded["event"]["code"] == 6
    assert loaded["action"]["properties"]["syscall"] in ("init_module", "finit_module")
    # Of a record, the file is what a descriptor leads to that may be gone.
    if loaded["action"]["properties"]["syscall"] == "finit_module" and not capture.audits:
        assert loaded["file"]["name"].startswith("dummy.ko")
    assert told("unloaded-kernel-module")["action"]["properties"]["syscall"] == "delete_module"
