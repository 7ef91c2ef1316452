"""What programs pay that do nothing the agent wants to know of."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host
from redis_load import RedisLoad
from storms import Storm
from stretches import compare
from turns import in_turns

CALLS = 250_000
ROUNDS = 11
LOOPS = 20

REDIS_ROUNDS = 21
SECONDS = 8.0

GETPPID = Figure("getppid loop: slowdown", "{:.3f}", Reach.AT_MOST, 1.12)
REDIS = Figure("redis-benchmark GET: throughput", "{:.3f}", Reach.AT_LEAST, 0.95)


def bench_getppid(benchmark: BenchmarkFixture, host: Host, storm: Storm, results: Results) -> None:
    """A system call that nobody asked about."""

    def loop() -> float:
        return storm.getppid(CALLS).seconds

    turns = in_turns(benchmark, host, loop, ROUNDS, LOOPS)
    alone = turns.typical(float) / CALLS * 1e9
    slowdown = turns.compare(float)
    results.add(
        GETPPID, slowdown.rounds, slowdown.beside(f"{alone:.0f} ns a call alone"), slowdown.ratio
    )
    results.require()


def bench_redis(benchmark: BenchmarkFixture, host: Host, results: Results, tmp_path: Path) -> None:
    """A server and its clients, each with many small reads and writes on sockets."""
    with closing(RedisLoad(tmp_path)) as load:
        turns = in_turns(benchmark, host, lambda: load.run(SECONDS), REDIS_ROUNDS)
    alone = [part.outcome for turn in turns.alone for part in turn]
    watched = [part.outcome for turn in turns.watched for part in turn]
    compared = compare(alone, watched)
    results.add(
        REDIS,
        compared.classes,
        f"{compared.alone:,.0f} requests/s alone where the machine is quickest",
        compared.ratio,
    )
    results.require()
