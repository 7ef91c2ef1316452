"""What programs pay that do nothing the agent wants to know of."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host
from redis_load import RedisLoad
from speed import one_core
from storms import Storm
from stretches import Stretch, compare_turns, in_stretches
from turns import in_turns

CALLS = 250_000
LOOPS = 100
GETPPID_ROUNDS = 9

STRETCHES = 120
REDIS_ROUNDS = 21

GETPPID = Figure("getppid loop: slowdown", "{:.3f}", Reach.AT_MOST, 1.12)
REDIS = Figure("redis-benchmark GET: throughput", "{:.3f}", Reach.AT_LEAST, 0.95)


def bench_getppid(benchmark: BenchmarkFixture, host: Host, storm: Storm, results: Results) -> None:
    """A system call that nobody asked about."""
    turns = in_turns(benchmark, host, lambda: _loops(storm), GETPPID_ROUNDS)
    compared = compare_turns(turns)
    results.add(
        GETPPID,
        [1 / ratio for ratio in compared.classes],
        f"{1e9 / compared.alone:.0f} ns a call alone where the machine is quickest",
        1 / compared.ratio,
    )
    results.require()


def bench_redis(benchmark: BenchmarkFixture, host: Host, results: Results, tmp_path: Path) -> None:
    """A server and its clients, each with many small reads and writes on sockets."""
    with closing(RedisLoad(tmp_path)) as load:
        turns = in_turns(benchmark, host, lambda: load.run(STRETCHES), REDIS_ROUNDS)
    compared = compare_turns(turns)
    results.add(
        REDIS,
        compared.classes,
        f"{compared.alone:,.0f} requests/s alone where the machine is quickest",
        compared.ratio,
    )
    results.require()


def _loops(storm: Storm) -> list[Stretch]:
    """Calls on one core, in stretches of some hundredths of a second."""

    def rate() -> float:
        return CALLS / storm.getppid(CALLS).seconds

    with one_core():
        return in_stretches(rate, LOOPS, os.sched_getaffinity(0))
