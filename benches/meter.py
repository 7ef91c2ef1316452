"""What the kernel says about a process."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU of all threads of a process, also of those that have ended: clock_getcpuclockid(3)."""
    every_thread = 2
    return time.clock_gettime((~pid << 3) | every_thread)


def resident_megabytes(pid: int) -> float:
    """Memory resident now, in 10⁶ bytes."""
    return _status(pid, "VmRSS")


def peak_megabytes(pid: int) -> float:
    """The most memory that was resident since the start or `forget_peak`, in 10⁶ bytes."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Makes what is resident now the peak: proc_pid_clear_refs(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, key: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith(f"{key}:"))
    return int(value) * 1024 / 1e6


def describe_host() -> str:
    """The machine the figures are from, in a line."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in info if line.startswith("model name")), "CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} x {model.strip()}, {memory:.0f} GB, Linux {platform.release()}, "
        f"{time.strftime('%Y-%m-%d')}"
    )
