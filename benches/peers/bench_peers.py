"""Storms under this agent and under others, in the same run: `make bench-peers`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest
from tests.live import bpftrace

from figures import Figure, Reach, Results
from host import Host
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
    rules: tuple[str, ...]
    probes: str
    alike: tuple[float, ...]
    """Another sensor's own work makes the machine less even: see `compare`."""
    reach: Reach
    """Of the audit source against auditd."""


LOADS = (
    Load(
        "exec storm",
        "exec and its exit",
        250,
        lambda storm, count, _: storm.exec(count),
        7,
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
        OPEN_RULES,
        OPEN_PROBES,
        (0.1, 0.2, 0.4),
        Reach.SHOWN,
    ),
)


class Measured:
    """What the storm and a sensor took, round by round."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.turns: list[list[Stretch]] = []
        self.costs: list[float] = []


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name.replace(" ", "-"))
def bench_peers(load: Load, host: Host, storm: Storm, results: Results, tmp_path: Path) -> None:
    """Every round runs the storm alone and then under each of them."""
    room = {"EventBufferCacheSize": QUEUE_MEGABYTES}
    sensors: list[Sensor] = [
        Agent("endpoint-agent", host, **room),
        Agent(OURS, host, **room, CaptureSource="audit"),
        Auditd(tmp_path / "auditd", load.rules, laurel=False),
        Auditd(tmp_path / "laurel", load.rules, laurel=True),
        Program("bpftrace", bpftrace.command(load.probes), tmp_path / "bpftrace"),
    ]
    measured = {sensor.name: Measured() for sensor in sensors}
    alone: list[list[Stretch]] = []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        _turn(load, storm, folder)
        for _ in range(load.rounds):
            alone.append(_turn(load, storm, folder))
            for sensor in sensors:
                sensor.start()
                measured[sensor.name].turns.append(_turn(load, storm, folder))
                cost = 1e6 * sensor.stop() / (load.count * STRETCHES)
                measured[sensor.name].costs.append(cost)
    for name, one in measured.items():
        figure = Figure(f"{load.name} under {name}: slowdown", "{:.2f}")
        _add_slowdown(results, load, figure, alone, one.turns)
        results.add(Figure(f"… CPU per {load.act}", "{:.1f} µs"), one.costs)
    ours, theirs = measured[OURS], measured[THEIRS]
    against = f"{load.name}: audit source to auditd, "
    figure = Figure(against + "slowdown", "{:.2f}", load.reach, 1.0)
    _add_slowdown(results, load, figure, theirs.turns, ours.turns)
    pairs = zip(ours.costs, theirs.costs, strict=True)
    figure = Figure(against + "CPU", "{:.2f}", load.reach, 1.0)
    results.add(figure, [one / other for one, other in pairs])
    results.require()


def _turn(load: Load, storm: Storm, folder: str) -> list[Stretch]:
    def rate() -> float:
        return load.count / load.run(storm, load.count, folder).seconds

    return in_stretches(rate, STRETCHES, os.sched_getaffinity(0))


def _add_slowdown(
    results: Results,
    load: Load,
    figure: Figure,
    before: list[list[Stretch]],
    after: list[list[Stretch]],
) -> None:
    """How many times as long an act takes, while the machine was equally quick."""
    compared = compare(before, after, load.alike)
    act = 1e6 / median(stretch.rate for turn in before for stretch in turn)
    beside = f"{act:.3g} µs an act before, speeds alike to {compared.alike:.0%}"
    results.add(figure, [1 / ratio for ratio in compared.classes], beside, 1 / compared.ratio)
