"""The exec storm under this agent and under others, in the same run: `make bench-peers`."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

import pytest
from tests.live import bpftrace

from figures import Figure, Reach, Results
from host import Host
from sensors import PROBES, Agent, Auditd, Program, Sensor
from storms import Storm
from stretches import Stretch, compare, in_stretches

# Of one stretch, of some tenths of a second.
SPAWNS = 250
STRETCHES = 16
ROUNDS = 7

# Another sensor's own work makes the machine less even: see `compare`.
ALIKE = 0.05, 0.1, 0.2

OURS, THEIRS = "endpoint-agent, audit source", "auditd"
SLOWDOWN = "{}: slowdown"
COST = "… CPU per exec and its exit"


class Measured:
    """What the storm and a sensor took, round by round."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.turns: list[list[Stretch]] = []
        self.costs: list[float] = []


@pytest.fixture
def sensors(host: Host, tmp_path: Path) -> list[Sensor]:
    """All that are compared."""
    return [
        Agent("endpoint-agent", host),
        Agent(OURS, host, CaptureSource="audit"),
        Auditd(tmp_path / "auditd", laurel=False),
        Auditd(tmp_path / "laurel", laurel=True),
        Program("bpftrace", bpftrace.command(PROBES), tmp_path / "bpftrace"),
    ]


def bench_peers(sensors: list[Sensor], storm: Storm, results: Results) -> None:
    """Every round runs the storm alone and then under each of them."""
    measured = {sensor.name: Measured() for sensor in sensors}
    alone: list[list[Stretch]] = []
    _turn(storm)
    for _ in range(ROUNDS):
        alone.append(_turn(storm))
        for sensor in sensors:
            sensor.start()
            measured[sensor.name].turns.append(_turn(storm))
            measured[sensor.name].costs.append(1e6 * sensor.stop() / (SPAWNS * STRETCHES))
    for name, one in measured.items():
        _add_slowdown(results, Figure(SLOWDOWN.format(name), "{:.2f}"), alone, one.turns)
        results.add(Figure(COST, "{:.0f} µs"), one.costs)
    ours, theirs = measured[OURS], measured[THEIRS]
    against = Figure("audit source to auditd: slowdown", "{:.2f}", Reach.AT_MOST, 1.0)
    _add_slowdown(results, against, theirs.turns, ours.turns)
    against = Figure("audit source to auditd: CPU", "{:.2f}", Reach.AT_MOST, 1.0)
    pairs = zip(ours.costs, theirs.costs, strict=True)
    results.add(against, [one / other for one, other in pairs])
    results.require()


def _turn(storm: Storm) -> list[Stretch]:
    def rate() -> float:
        return SPAWNS / storm.exec(SPAWNS).seconds

    return in_stretches(rate, STRETCHES, os.sched_getaffinity(0))


def _add_slowdown(
    results: Results, figure: Figure, before: list[list[Stretch]], after: list[list[Stretch]]
) -> None:
    """How many times as long a spawn takes, while the machine was equally quick."""
    compared = compare(before, after, ALIKE)
    spawn = 1e6 / median(stretch.rate for turn in before for stretch in turn)
    beside = f"{spawn:.0f} µs a spawn before, speeds alike to {compared.alike:.0%}"
    results.add(figure, [1 / ratio for ratio in compared.classes], beside, 1 / compared.ratio)
