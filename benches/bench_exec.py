"""The exec storm: one process spawns /bin/true as fast as it can."""

from __future__ import annotations

from operator import attrgetter
from statistics import median

from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from storms import Ran, Storm
from turns import in_turns

SPAWNS = 8_000
ROUNDS = 9

DELIVERED = Figure("exec storm: execs delivered", "{:,.0f}", Reach.EXACTLY, SPAWNS)
ENDED = Figure("… their exits delivered", "{:,.0f}", Reach.EXACTLY, SPAWNS)
SLOWDOWN = Figure("… slowdown", "{:.2f}", Reach.AT_MOST, 1.10)
OWN_CPU = Figure("… slowdown by the storm's own CPU", "{:.2f}")
COST = Figure("… agent CPU per exec and its exit, delivered", "{:.1f} µs", Reach.AT_MOST, 40)

CHILDREN = """
    SELECT count(*) FROM events
    WHERE id BETWEEN :first AND :last AND action = :action
    AND json_extract(raw, '$.process.parent.pid') = :parent
"""


def bench_exec_storm(
    benchmark: BenchmarkFixture, host: Host, storm: Storm, results: Results
) -> None:
    """Each spawn is a fork, an exec and an exit."""
    turns = in_turns(benchmark, host, lambda: storm.exec(SPAWNS), ROUNDS)

    def delivered(action: str) -> list[int]:
        pairs = zip(turns.watched, turns.watches, strict=True)
        return [_children(host, ran, watch, action) for ran, watch in pairs]

    alone = median(ran.seconds for ran in turns.alone)
    storm_cost = median(ran.cpu_seconds for ran in turns.alone) / SPAWNS * 1e6
    costs = [watch.cpu_seconds / SPAWNS * 1e6 for watch in turns.watches]
    execs, exits = delivered("process-created"), delivered("process-ended")
    results.add(DELIVERED, execs, f"{SPAWNS:,} run")
    results.add(ENDED, exits, f"{SPAWNS:,} run")
    results.add(SLOWDOWN, turns.ratios(attrgetter("seconds")), f"{alone:.2f} s alone")
    results.add(
        OWN_CPU, turns.ratios(attrgetter("cpu_seconds")), f"{storm_cost:.0f} µs a spawn alone"
    )
    results.add(COST, costs, f"the spawn itself: {storm_cost:.0f} µs")
    results.require()


def _children(host: Host, storm: Ran, watch: Watch, action: str) -> int:
    ((count,),) = host.intake.select(
        CHILDREN, first=watch.first, last=watch.last, action=action, parent=storm.pid
    )
    return int(count)
