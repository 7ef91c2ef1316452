"""Storms under this agent and under others, in the same run: `make bench-peers`."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median, stdev
from typing import NamedTuple

import pytest
from tests.live import bpftrace

from figures import Figure, Reach, Results
from host import Host, Sink
from sensors import Agent, Auditd, Program, Sensor
from storms import Ran, Storm
from stretches import Stretch, compare, in_stretches

STRETCHES = 16
# Under the audit source each open is an event of its own: all have to find room in the queue.
QUEUE_MEGABYTES = 2_000

OURS, THEIRS = "endpoint-agent, audit source", "auditd"

EXEC_RULES = (
    "-a always,exit -F arch=b64 -S execve,execveat",
    "-a always,exit -F arch=b64 -S exit_group",
)
EXEC_PROBES = """
tracepoint:sched:sched_process_exec { printf("exec %d %s\\n", pid, str(args->filename)); }
tracepoint:sched:sched_process_exit { printf("exit %d %s\\n", pid, comm); }
"""
# What is opened for writing; the exec tells that the sensor has begun.
OPEN_RULES = (
    "-a always,exit -F arch=b64 -S execve",
    "-a always,exit -F arch=b64 -S openat -F a2&3 -F success=1",
)
OPEN_PROBES = """
tracepoint:sched:sched_process_exec { printf("exec %d %s\\n", pid, str(args->filename)); }
tracepoint:syscalls:sys_enter_openat /args->flags & 3/
{ printf("open %d %s\\n", pid, str(args->filename)); }
"""


class Load(NamedTuple):
    """A storm, and what the others are asked to tell of it."""

    name: str
    act: str
    """One act of it, as figures call it."""
    count: int
    """Acts in a stretch."""
    run: Callable[[Storm, int, str], Ran]
    """… with a folder of its own."""
    rounds: int
    pairs: int
    """Rounds of the audit source and auditd alone."""
    rules: tuple[str, ...]
    probes: str
    alike: tuple[float, ...]
    """Another sensor's own work makes the machine less even: see `compare`."""
    reach: Reach
    """Of the audit source against auditd, over the pairs."""


LOADS = (
    Load(
        "exec storm",
        "exec and its exit",
        250,
        lambda storm, count, _: storm.exec(count),
        3,
        32,
        EXEC_RULES,
        EXEC_PROBES,
        (0.05, 0.1, 0.2),
        Reach.AT_MOST,
    ),
    Load(
        "open storm",
        "open",
        10_000,
        lambda storm, count, folder: storm.open(count, 1, 1, folder),
        3,
        4,
        OPEN_RULES,
        OPEN_PROBES,
        (0.1, 0.2, 0.4),
        Reach.SHOWN,
    ),
)


class Turn(NamedTuple):
    """The storm under a sensor."""

    stretches: list[Stretch]
    cost: float
    """Microseconds of CPU that the sensor took for an act."""

    def rate(self) -> float:
        """Acts per second."""
        return median(stretch.rate for stretch in self.stretches)


Pair = dict[str, Turn]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The agent with an intake that is as light as the file that auditd writes to."""
    host = Host(tmp_path_factory.mktemp("host"), Sink())
    yield host
    host.close()


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name.replace(" ", "-"))
def bench_peers(load: Load, host: Host, storm: Storm, results: Results, tmp_path: Path) -> None:
    """Every round runs the storm alone and then under each of them.

    The audit source and auditd are so close that speeds have to be alike to tell them apart, and
    the rest of a sensor's work falls on the loop that measures the speed. So these two follow each
    other in many pairs, of which either is first as often, and the middle of these decides.
    """
    room = {"EventBufferCacheSize": QUEUE_MEGABYTES}
    sensors: list[Sensor] = [
        Agent("endpoint-agent", host, **room),
        Agent(OURS, host, **room, CaptureSource="audit"),
        Auditd(tmp_path / "auditd", load.rules, laurel=False),
        Auditd(tmp_path / "laurel", load.rules, laurel=True),
        Program("bpftrace", bpftrace.command(load.probes), tmp_path / "bpftrace"),
    ]
    measured: dict[str, list[Turn]] = {sensor.name: [] for sensor in sensors}
    alone: list[list[Stretch]] = []
    pairs: list[Pair] = []

    def watched(sensor: Sensor) -> Turn:
        sensor.start()
        stretches = _turn(load, storm, folder)
        return Turn(stretches, 1e6 * sensor.stop() / (load.count * STRETCHES))

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        _turn(load, storm, folder)
        for _ in range(load.rounds):
            alone.append(_turn(load, storm, folder))
            for sensor in sensors:
                measured[sensor.name].append(watched(sensor))
        two = [sensor for sensor in sensors if sensor.name in (OURS, THEIRS)]
        for _ in range(load.pairs):
            two.reverse()
            pairs.append({sensor.name: watched(sensor) for sensor in two})
    against = f"{load.name}: audit source to auditd, "
    slowdowns = [pair[THEIRS].rate() / pair[OURS].rate() for pair in pairs]
    _add_middle(results, Figure(against + "slowdown", "{:.3f}", load.reach, 1.0), slowdowns)
    costs = [pair[OURS].cost / pair[THEIRS].cost for pair in pairs]
    _add_middle(results, Figure(against + "CPU", "{:.3f}", load.reach, 1.0), costs)
    for name, turns in measured.items():
        compared = compare(alone, [turn.stretches for turn in turns], load.alike)
        act = 1e6 / median(stretch.rate for turn in alone for stretch in turn)
        beside = f"{act:.3g} µs an act before, speeds alike to {compared.alike:.0%}"
        figure = Figure(f"{load.name} under {name}: slowdown", "{:.2f}")
        slowdowns = [1 / ratio for ratio in compared.classes]
        results.add(figure, slowdowns, beside, 1 / compared.ratio)
        costs = [turn.cost for turn in turns]
        results.add(Figure(f"… CPU per {load.act}", "{:.1f} µs"), costs)
    results.require()


def _add_middle(results: Results, figure: Figure, ratios: list[float]) -> None:
    """The mean of the middle half, which a few odd pairs do not move; the standard error of all."""
    quarter = len(ratios) // 4
    middle = sorted(ratios)[quarter : len(ratios) - quarter]
    error = stdev(ratios) / math.sqrt(len(ratios))
    results.add(figure, ratios, f"± {error:.3f}", mean(middle))


def _turn(load: Load, storm: Storm, folder: str) -> list[Stretch]:
    def rate() -> float:
        return load.count / load.run(storm, load.count, folder).seconds

    return in_stretches(rate, STRETCHES, os.sched_getaffinity(0))
