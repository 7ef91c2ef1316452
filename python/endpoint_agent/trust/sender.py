"""Who sent a signal, as far as the host still tells."""

from __future__ import annotations

import sys
from typing import Any

import psutil

from endpoint_agent.envelope import clean

# Characters of a command line.
MAX_COMMAND = 4_096


def sender(number: int) -> dict[str, Any]:
    """The members `process` and `user` of who sent a signal last; none where it was the kernel.

    A process that has ended since, as `kill` does at once, is its number alone.
    """
    if sys.platform == "win32":
        return {}  # It has no signals, and a service is stopped by its manager.
    from endpoint_agent._native import last_sender

    if (found := last_sender(number)) is None:
        return {}
    pid, uid = found
    members: dict[str, Any] = {"user": {"id": str(uid)}}
    if pid:  # Else it is in a PID namespace that is not below this one.
        members["process"] = {"pid": pid, **_process(pid)}
    return members


def _process(pid: int) -> dict[str, Any]:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            name, executable, arguments = process.name(), process.exe(), process.cmdline()
    except (psutil.Error, OSError):
        return {}
    told = {
        "name": clean(name),
        "executable": clean(executable),
        "command_line": clean(" ".join(arguments))[:MAX_COMMAND],
    }
    return {key: value for key, value in told.items() if value}
