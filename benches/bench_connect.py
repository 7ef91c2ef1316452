"""The connect storm: one process connects to itself and accepts, as fast as it can."""

from __future__ import annotations

from operator import attrgetter

from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from storms import Ran, Storm
from turns import in_turns

CONNECTIONS = 20_000
ROUNDS = 5

# Twice as many events as the default has room for.
QUEUE_MEGABYTES = 2_000

ACTIONS = {
    "connected-to": Figure(
        "connect storm: connects delivered", "{:,.0f}", Reach.EXACTLY, CONNECTIONS
    ),
    "accepted-connection-from": Figure(
        "… their accepts delivered", "{:,.0f}", Reach.EXACTLY, CONNECTIONS
    ),
    # Each end has its own.
    "connection-ended": Figure("… their ends delivered", "{:,.0f}", Reach.EXACTLY, 2 * CONNECTIONS),
}
SLOWDOWN = Figure("… slowdown", "{:.2f}", Reach.AT_MOST, 1.15)
OWN_CPU = Figure("… slowdown by the storm's own CPU", "{:.2f}")
COST = Figure("… agent CPU per connection, its four events delivered", "{:.1f} µs")

OF_THE_STORM = """
    SELECT count(*) FROM events
    WHERE id BETWEEN :first AND :last AND action = :action
    AND json_extract(raw, '$.process.pid') = :pid
"""


def bench_connect_storm(
    benchmark: BenchmarkFixture, host: Host, storm: Storm, results: Results
) -> None:
    """Each connection is a connect, an accept and two ends."""
    turns = in_turns(
        benchmark,
        host,
        lambda: storm.connect(CONNECTIONS),
        ROUNDS,
        EventBufferCacheSize=QUEUE_MEGABYTES,
    )
    for action, figure in ACTIONS.items():
        delivered = [_delivered(host, ran, watch, action) for (ran,), watch in turns.delivered()]
        results.add(figure, delivered, f"{CONNECTIONS:,} connections")
    alone = turns.typical(attrgetter("seconds")) / CONNECTIONS * 1e6
    cost = turns.typical(attrgetter("cpu_seconds")) / CONNECTIONS * 1e6
    slowdown = turns.compare(attrgetter("seconds"))
    of_cpu = turns.compare(attrgetter("cpu_seconds"))
    results.add(
        SLOWDOWN,
        slowdown.rounds,
        slowdown.beside(f"{alone:.0f} µs a connection alone"),
        slowdown.ratio,
    )
    results.add(
        OWN_CPU, of_cpu.rounds, of_cpu.beside(f"{cost:.0f} µs a connection alone"), of_cpu.ratio
    )
    costs = [watch.cpu_seconds / CONNECTIONS * 1e6 for watch in turns.watches]
    results.add(COST, costs, f"the connection itself: {cost:.0f} µs")
    results.require()


def _delivered(host: Host, ran: Ran, watch: Watch, action: str) -> int:
    ((count,),) = host.intake.select(
        OF_THE_STORM, first=watch.first, last=watch.last, action=action, pid=ran.pid
    )
    return int(count)
