"""A busy host: 1,600 programs a second for a minute, everything on."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from storms import Ran, Storm

RATE = 1_600
SECONDS = 60
CORES = 2

CPU = Figure("1,600 execs a second for 60 s: agent CPU", "{:.2f} % of two cores", Reach.AT_MOST, 4)
PACE = Figure("… pace that the machine kept", "{:,.0f} execs/s")
KEPT = Figure("… execs and exits delivered", "{:,.0f}", Reach.EXACTLY, 2 * RATE * SECONDS)

CHILDREN = """
    SELECT count(*) FROM events
    WHERE id BETWEEN :first AND :last AND action IN ('process-created', 'process-ended')
    AND json_extract(raw, '$.process.parent.pid') = :parent
"""


def bench_pace(benchmark: BenchmarkFixture, host: Host, storm: Storm, results: Results) -> None:
    """The CPU is all that the agent took until everything had arrived, over the minute."""
    ran: list[Ran] = []
    watches: list[Watch] = []

    def work() -> None:
        ran.append(storm.pace(RATE * SECONDS, RATE))

    def after() -> None:
        watches.append(host.stop())

    benchmark.pedantic(work, setup=lambda: host.start(), teardown=after, rounds=1)
    (one,), (watch,) = ran, watches
    seconds = max(one.seconds, SECONDS)
    rate = RATE * SECONDS / one.seconds
    own = 100 * one.cpu_seconds / seconds / CORES
    beside = f"the programs themselves {own:.0f} %"
    results.add(CPU, [100 * watch.cpu_seconds / seconds / CORES], beside)
    results.add(PACE, [rate])
    ((kept,),) = host.intake.select(CHILDREN, first=watch.first, last=watch.last, parent=one.pid)
    results.add(KEPT, [kept])
    results.require()
