"""What programs pay that do nothing the agent wants to know of."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture
from tests.live.daemon import wait

from figures import Figure, Reach, Results
from host import Host
from storms import Storm
from turns import in_turns

CALLS = 250_000
# Enough that the clients' 50 connects and ends do not show.
REQUESTS = 50_000
CLIENTS = 50

ROUNDS = 11
REDIS_ROUNDS = 21

# In each turn.
LOOPS = 20
RUNS = 8

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
    with _redis(tmp_path) as port:
        turns = in_turns(
            benchmark,
            host,
            lambda: _seconds_a_request(port),
            REDIS_ROUNDS,
            RUNS,
            cores={_core()},
        )
    alone = 1 / turns.typical(float)
    slowdown = turns.compare(float)
    results.add(
        REDIS,
        [1 / ratio for ratio in slowdown.rounds],
        slowdown.beside(f"{alone:,.0f} requests/s alone"),
        1 / slowdown.ratio,
    )
    results.require()


@contextmanager
def _redis(folder: Path) -> Iterator[int]:
    """Debian's server on a free port of the loopback, without files.

    It shares a core with its clients, so that whatever either of them pays shows. On two, how the
    neighbours slow one of them and how both wake each other decide more than what is measured.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(
        [*_on_one_core(), "redis-server", *options, "--dir", folder],
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            wait(lambda: _answers(port))
            yield port
        finally:
            server.terminate()


def _on_one_core() -> list[str]:
    return ["taskset", "-c", str(_core())]


def _core() -> int:
    return max(os.sched_getaffinity(0))


def _answers(port: int) -> bool:
    ping = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), "ping"]
    return subprocess.run(ping, capture_output=True).stdout == b"PONG\n"


def _seconds_a_request(port: int) -> float:
    command = [
        *_on_one_core(),
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
    return 1 / float(ran.stdout.splitlines()[-1].split(",")[1].strip('"'))
