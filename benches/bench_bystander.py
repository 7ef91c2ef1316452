"""What programs pay that do nothing the agent wants to know of."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from pytest_benchmark.fixture import BenchmarkFixture
from tests.live.daemon import wait

from figures import Figure, Reach, Results
from host import Host
from speed import Machine
from storms import Storm
from turns import in_turns

CALLS = 250_000
REQUESTS = 25_000
CLIENTS = 50
ROUNDS = 9

# So many in a turn, each on an undisturbed machine; most of them tell.
LOOPS = 20
RUNS = 12

GETPPID = Figure("getppid loop: slowdown", "{:.3f}", Reach.AT_MOST, 1.12)
REDIS = Figure("redis-benchmark GET: throughput", "{:.3f}", Reach.AT_LEAST, 0.95)


def bench_getppid(
    benchmark: BenchmarkFixture, host: Host, storm: Storm, machine: Machine, results: Results
) -> None:
    """A system call that nobody asked about."""

    def part() -> float:
        return storm.getppid(CALLS).seconds

    def work() -> float:
        return median(machine.undisturbed(part) for _ in range(LOOPS))

    turns = in_turns(benchmark, host, work, ROUNDS)
    alone = median(turns.alone) / CALLS * 1e9
    results.add(GETPPID, turns.ratios(float), f"{alone:.0f} ns a call alone")
    results.require()


def bench_redis(
    benchmark: BenchmarkFixture, host: Host, machine: Machine, results: Results, tmp_path: Path
) -> None:
    """A server and its clients, each with many small reads and writes on sockets."""
    with _redis(tmp_path) as port:

        def part() -> float:
            return _requests_per_second(port)

        def work() -> float:
            return median(machine.undisturbed(part) for _ in range(RUNS))

        turns = in_turns(benchmark, host, work, ROUNDS)
    alone = median(turns.alone)
    results.add(REDIS, turns.ratios(float), f"{alone:,.0f} requests/s alone")
    results.require()


@contextmanager
def _redis(folder: Path) -> Iterator[int]:
    """Debian's server on a free port of the loopback, without files.

    It has a core to itself, and the clients another: where the scheduler puts them would decide
    more than what is measured.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(
        [*_on_core(0), "redis-server", *options, "--dir", folder], stdout=subprocess.DEVNULL
    ) as server:
        try:
            wait(lambda: _answers(port))
            yield port
        finally:
            server.terminate()


def _on_core(number: int) -> list[str]:
    return ["taskset", "-c", str(sorted(os.sched_getaffinity(0))[number])]


def _answers(port: int) -> bool:
    ping = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), "ping"]
    return subprocess.run(ping, capture_output=True).stdout == b"PONG\n"


def _requests_per_second(port: int) -> float:
    command = [
        *_on_core(1),
        "redis-benchmark",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "-t",
        "get",
        "-n",
        REQUESTS,
    ]
    command += ["-c", CLIENTS, "--csv"]
    ran = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=True
    )
    # "test","rps", …, and a line "GET","187617.27", …
    return float(ran.stdout.splitlines()[-1].split(",")[1].strip('"'))
