"""The exec storm: one process spawns /bin/true as fast as it can."""

from __future__ import annotations

import json
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from speed import Machine
from storms import Ran, Storm
from turns import in_turns

SPAWNS = 8_000
ROUNDS = 7

# So many storms are a turn, each of them on an undisturbed machine.
PARTS = 8

DELIVERED = Figure("exec storm: execs delivered", "{:,.0f}", Reach.EXACTLY, SPAWNS)
ENDED = Figure("… their exits delivered", "{:,.0f}", Reach.EXACTLY, SPAWNS)
SLOWDOWN = Figure("… slowdown", "{:.2f}", Reach.AT_MOST, 1.10)
OWN_CPU = Figure("… slowdown by the storm's own CPU", "{:.2f}")
COST = Figure("… agent CPU per exec and its exit, delivered", "{:.1f} µs", Reach.AT_MOST, 40)

EXECS = """
    SELECT count(*) FROM events
    WHERE id BETWEEN :first AND :last AND action = 'process-created'
"""
CHILDREN = """
    SELECT count(*) FROM events
    WHERE id BETWEEN :first AND :last AND action = :action
    AND json_extract(raw, '$.process.parent.pid') IN (SELECT value FROM json_each(:parents))
"""


class Turn(NamedTuple):
    """The storms of a turn."""

    parts: list[Ran]

    @property
    def seconds(self) -> float:
        """How long they took."""
        return sum(ran.seconds for ran in self.parts)

    @property
    def cpu_seconds(self) -> float:
        """Their own CPU."""
        return sum(ran.cpu_seconds for ran in self.parts)


def bench_exec_storm(
    benchmark: BenchmarkFixture, host: Host, storm: Storm, machine: Machine, results: Results
) -> None:
    """Each spawn is a fork, an exec and an exit."""

    def part() -> Ran:
        return storm.exec(SPAWNS // PARTS)

    def work() -> Turn:
        return Turn([machine.undisturbed(part) for _ in range(PARTS)])

    turns = in_turns(benchmark, host, work, ROUNDS)

    def delivered(action: str) -> list[int]:
        pairs = zip(turns.watched, turns.watches, strict=True)
        return [_children(host, turn, watch, action) for turn, watch in pairs]

    alone = median(turn.seconds for turn in turns.alone)
    storm_cost = median(turn.cpu_seconds for turn in turns.alone) / SPAWNS * 1e6
    costs = [watch.cpu_seconds / _execs(host, watch) * 1e6 for watch in turns.watches]
    execs, exits = delivered("process-created"), delivered("process-ended")
    results.add(DELIVERED, execs, f"{SPAWNS:,} run")
    results.add(ENDED, exits, f"{SPAWNS:,} run")
    results.add(SLOWDOWN, turns.ratios(attrgetter("seconds")), f"{alone:.2f} s alone")
    results.add(
        OWN_CPU, turns.ratios(attrgetter("cpu_seconds")), f"{storm_cost:.0f} µs a spawn alone"
    )
    results.add(COST, costs, f"the spawn itself: {storm_cost:.0f} µs")
    results.require()


def _execs(host: Host, watch: Watch) -> int:
    """All that were seen, also of storms on a disturbed machine."""
    ((count,),) = host.intake.select(EXECS, first=watch.first, last=watch.last)
    return int(count)


def _children(host: Host, turn: Turn, watch: Watch, action: str) -> int:
    parents = json.dumps([ran.pid for ran in turn.parts])
    ((count,),) = host.intake.select(
        CHILDREN, first=watch.first, last=watch.last, action=action, parents=parents
    )
    return int(count)
