"""The exec storm: one process spawns /bin/true as fast as it can."""

from __future__ import annotations

import json
from operator import attrgetter

from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from storms import Ran, Storm
from turns import in_turns

SPAWNS = 8_000
ROUNDS = 7

# A turn is so many storms.
PART = 500

DELIVERED = Figure("exec storm: execs delivered", "{:,.0f}", Reach.EXACTLY, SPAWNS)
ENDED = Figure("… their exits delivered", "{:,.0f}", Reach.EXACTLY, SPAWNS)
SLOWDOWN = Figure("… slowdown", "{:.2f}", Reach.AT_MOST, 1.10)
OWN_CPU = Figure("… slowdown by the storm's own CPU", "{:.2f}")
COST = Figure("… agent CPU per exec and its exit, delivered", "{:.1f} µs", Reach.AT_MOST, 40)

CHILDREN = """
    SELECT count(*) FROM events
    WHERE id BETWEEN :first AND :last AND action = :action
    AND json_extract(raw, '$.process.parent.pid') IN (SELECT value FROM json_each(:parents))
"""


def bench_exec_storm(
    benchmark: BenchmarkFixture, host: Host, storm: Storm, results: Results
) -> None:
    """Each spawn is a fork, an exec and an exit."""

    turns = in_turns(benchmark, host, lambda: storm.exec(PART), ROUNDS, SPAWNS // PART)

    def delivered(action: str) -> list[int]:
        return [_children(host, storms, watch, action) for storms, watch in turns.delivered()]

    alone = turns.typical(attrgetter("seconds")) / PART * 1e6
    cost = turns.typical(attrgetter("cpu_seconds")) / PART * 1e6
    slowdown = turns.compare(attrgetter("seconds"))
    of_cpu = turns.compare(attrgetter("cpu_seconds"))
    costs = [watch.cpu_seconds / SPAWNS * 1e6 for watch in turns.watches]
    execs, exits = delivered("process-created"), delivered("process-ended")
    results.add(DELIVERED, execs, f"{SPAWNS:,} run")
    results.add(ENDED, exits, f"{SPAWNS:,} run")
    results.add(
        SLOWDOWN, slowdown.rounds, slowdown.beside(f"{alone:.0f} µs a spawn alone"), slowdown.ratio
    )
    results.add(OWN_CPU, of_cpu.rounds, of_cpu.beside(f"{cost:.0f} µs a spawn alone"), of_cpu.ratio)
    results.add(COST, costs, f"the spawn itself: {cost:.0f} µs")
    results.require()


def _children(host: Host, storms: list[Ran], watch: Watch, action: str) -> int:
    parents = json.dumps([ran.pid for ran in storms])
    ((count,),) = host.intake.select(
        CHILDREN, first=watch.first, last=watch.last, action=action, parents=parents
    )
    return int(count)
