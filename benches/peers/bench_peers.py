"""The exec storm under this agent and under others, in the same run: `make bench-peers`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from figures import Figure, Reach, Results
from host import Host
from sensors import PROBES, Agent, Auditd, Program, Sensor
from storms import Storm

SPAWNS = 4_000
ROUNDS = 5

SLOWDOWN = "{}: slowdown"
COST = "… CPU per exec and its exit"


class Measured:
    """What the storm and a sensor took, round by round."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.slowdowns: list[float] = []
        self.costs: list[float] = []


@pytest.fixture
def sensors(host: Host, tmp_path: Path) -> list[Sensor]:
    """All that are compared."""
    return [
        Agent("endpoint-agent", host),
        Agent("endpoint-agent, audit source", host, CaptureSource="audit"),
        Auditd(tmp_path / "auditd", laurel=False),
        Auditd(tmp_path / "laurel", laurel=True),
        Program("bpftrace", ["bpftrace", "-e", PROBES], tmp_path / "bpftrace"),
    ]


def bench_peers(sensors: list[Sensor], storm: Storm, results: Results) -> None:
    """Every round runs the storm alone and then under each of them."""
    measured = {sensor.name: Measured() for sensor in sensors}
    storm.exec(SPAWNS)
    alone: list[float] = []
    for _ in range(ROUNDS):
        alone.append(storm.exec(SPAWNS).seconds)
        for sensor in sensors:
            sensor.start()
            seconds = storm.exec(SPAWNS).seconds
            used = sensor.stop()
            measured[sensor.name].slowdowns.append(seconds / alone[-1])
            measured[sensor.name].costs.append(1e6 * used / SPAWNS)
    beside = f"{median(alone):.2f} s alone"
    for name, one in measured.items():
        results.add(Figure(SLOWDOWN.format(name), "{:.2f}"), one.slowdowns, beside)
        results.add(Figure(COST, "{:.0f} µs"), one.costs)
    _against(measured, results, "slowdown", lambda one: one.slowdowns)
    _against(measured, results, "CPU", lambda one: one.costs)
    results.require()


def _against(
    measured: dict[str, Measured],
    results: Results,
    what: str,
    values: Callable[[Measured], list[float]],
) -> None:
    """The audit source against the audit daemon, which writes down what the kernel gave it."""
    pairs = zip(
        values(measured["endpoint-agent, audit source"]),
        values(measured["auditd"]),
        strict=True,
    )
    figure = Figure(f"audit source to auditd: {what}", "{:.2f}", Reach.AT_MOST, 1.0)
    results.add(figure, [ours / theirs for ours, theirs in pairs])
