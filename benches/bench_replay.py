"""A recording goes through the pipeline into the queue, all on one core."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from endpoint_agent._native import Pipeline, Spool
from endpoint_agent.envelope import Envelope
from figures import Figure, Reach, Results
from speed import one_core
from storms import Storm

SPAWNS = 10_000
OPENS = 380_000
PROCESSES = 2
ROUNDS = 7

# The best of so many in a round: what disturbs a replay only ever makes it slower.
REPLAYS = 3

# Bytes. A replay waits for room when the queue is half full, and must not wait here.
QUEUE_SIZE = 4_000_000_000
BLOCK = bytes(262_144)

AGENT_ID = "0" * 64
SPEED = Figure("replay, file to queue on one core", "{:,.0f} events/s", Reach.AT_LEAST, 400_000)


class Played(NamedTuple):
    """A replay that has ended."""

    events: int
    size: int
    """Bytes of the queue's files."""
    seconds: float
    cpu_seconds: float


@pytest.fixture
def recording(storm: Storm, tmp_path: Path) -> Path:
    """Execs and exits of this host, and twenty times as many files created."""
    path, files = tmp_path / "recording", tmp_path / "files"
    files.mkdir()
    with _queue(tmp_path / "captured") as spool:
        pipeline = _pipeline(spool, "ebpf", tmp_path, record=str(path), mute=False)
        pipeline.start()
        assert pipeline.ready(10.0)
        storm.exec(SPAWNS)
        storm.open(OPENS, OPENS // PROCESSES, PROCESSES, files)
        pipeline.stop()
    shutil.rmtree(files)
    return path


def bench_replay(
    benchmark: BenchmarkFixture, recording: Path, results: Results, tmp_path: Path
) -> None:
    """In turns with writing as many bytes to a file, which is the least that could be done."""
    played: list[Played] = []
    written: list[float] = []

    def replay() -> None:
        replays = (_play(recording, tmp_path) for _ in range(REPLAYS))
        played.append(max(replays, key=lambda one: one.events / one.seconds))

    def write() -> None:
        written.append(_write(played[-1].size, tmp_path / "plain"))

    with one_core():
        benchmark.pedantic(replay, teardown=write, rounds=ROUNDS, warmup_rounds=1)
    ratio = median(one.seconds / plain for one, plain in zip(played, written, strict=True))
    cost = median(one.cpu_seconds / one.events for one in played) * 1e6
    beside = f"{ratio:.1f} times a plain write of the same size; {cost:.2f} µs of CPU an event"
    results.add(SPEED, [one.events / one.seconds for one in played[1:]], beside)
    results.require()


def _play(recording: Path, folder: Path) -> Played:
    with _queue(folder / "queue") as spool:
        pipeline = _pipeline(spool, f"replay:{recording}", folder)
        cpu, begin = time.process_time(), time.perf_counter()
        pipeline.start()
        while not pipeline.finished():
            time.sleep(0.002)
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
        pipeline.stop()
        counters = spool.counters()
    assert counters["lost"] == counters["evicted"] == 0
    return Played(counters["spooled"], counters["queued_bytes"], seconds, cpu_seconds)


def _write(size: int, path: Path) -> float:
    begin = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(size // len(BLOCK)):
            file.write(BLOCK)
    seconds = time.perf_counter() - begin
    path.unlink()
    return seconds


def _pipeline(
    spool: Spool, source: str, folder: Path, *, record: str | None = None, mute: bool = True
) -> Pipeline:
    return Pipeline(
        spool,
        source=source,
        agent_id=AGENT_ID,
        envelope=Envelope(AGENT_ID).members(),
        state_directory=str(folder),
        record=record,
        mute=mute,
    )


@contextmanager
def _queue(folder: Path) -> Iterator[Spool]:
    spool = Spool(str(folder), max_bytes=QUEUE_SIZE)
    try:
        yield spool
    finally:
        spool.close()
        shutil.rmtree(folder)
