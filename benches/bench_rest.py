"""The agent when nothing happens, and, after the storms, the most memory it ever had."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import NamedTuple

import pytest

from figures import Figure, Reach, Results
from host import Host
from meter import cpu_seconds, resident_megabytes

# Seconds.
WINDOW = 30.0
WINDOWS = 5

# Acts a second: a host that does no more is at rest.
REST = 2.0

CPU = Figure("CPU at rest", "{:.2f} % of a core", Reach.AT_MOST, 0.3)
MEMORY = Figure("resident memory at rest", "{:.1f} MB", Reach.AT_MOST, 40)
PEAK = Figure("… peak in the storms", "{:.1f} MB", Reach.AT_MOST, 60)
START = Figure("… peak at the start, which reads the kernel's types", "{:.1f} MB")


class Window(NamedTuple):
    """A time in which nothing was done here. No host is ever quite at rest."""

    acts: float
    """What the agent captured, a second."""
    percent: float
    """Its CPU, of a core."""
    resident: float
    """Its memory at the end, in 10⁶ bytes."""


def bench_rest(host: Host, results: Results) -> None:
    """What counts is the first quiet window, or the quietest of some."""
    host.start()
    windows: list[Window] = []
    while len(windows) < WINDOWS and not any(one.acts <= REST for one in windows):
        windows.append(_window(host))
    host.stop()
    quietest = min(windows)
    meanwhile = f"{quietest.acts:.1f} acts a second on the host"
    bare = f"a bare interpreter: {_bare_interpreter():.1f} MB"
    results.add(CPU, [quietest.percent], meanwhile)
    results.add(MEMORY, [quietest.resident], f"{bare}; {meanwhile}")
    results.require()


def bench_peak(host: Host, results: Results) -> None:
    """The high-water marks of all agents that ran in this session."""
    if host.peak == 0:
        pytest.skip("no agent has run in this session")
    results.add(PEAK, [host.peak])
    results.add(START, [host.peak_at_start])
    results.require()


def _window(host: Host) -> Window:
    pid, captured = host.pid, host.counters()["captured"]
    cpu, begin = cpu_seconds(pid), time.monotonic()
    time.sleep(WINDOW)
    used, passed = cpu_seconds(pid) - cpu, time.monotonic() - begin
    acts = (host.counters()["captured"] - captured) / passed
    return Window(acts, 100 * used / passed, resident_megabytes(pid))


def _bare_interpreter() -> float:
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        resident = resident_megabytes(process.pid)
        process.communicate("\n")
    return resident
