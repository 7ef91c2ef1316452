"""The connect storm: one process connects to itself and accepts, as fast as it can."""

from __future__ import annotations

from operator import attrgetter
from statistics import median

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
        pairs = zip(turns.watched, turns.watches, strict=True)
        delivered = [_delivered(host, ran, watch, action) for ran, watch in pairs]
        results.add(figure, delivered, f"{CONNECTIONS:,} connections")
    alone = median(ran.seconds for ran in turns.alone)
    cost = median(ran.cpu_seconds for ran in turns.alone) / CONNECTIONS * 1e6
    results.add(SLOWDOWN, turns.ratios(attrgetter("seconds")), f"{alone:.2f} s alone")
    results.add(
        OWN_CPU, turns.ratios(attrgetter("cpu_seconds")), f"{cost:.0f} µs a connection alone"
    )
    costs = [watch.cpu_seconds / CONNECTIONS * 1e6 for watch in turns.watches]
    results.add(COST, costs, f"the connection itself: {cost:.0f} µs")
    results.require()


def _delivered(host: Host, ran: Ran, watch: Watch, action: str) -> int:
    ((count,),) = host.intake.select(
        OF_THE_STORM, first=watch.first, last=watch.last, action=action, pid=ran.pid
    )
    return int(count)
