"""What the tests themselves do through other programs and calls, and whose events those are."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
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


def touch(path: Path) -> None:
    """Makes a file by a process of its own: one that was there before may not be audited."""
    subprocess.run(["touch", path], check=True, timeout=60 * PATIENCE)


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
