"""A file of the Windows event log becomes ECS events, all on one core."""

from __future__ import annotations

import gzip
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import evtx
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from endpoint_agent._native import replay
from endpoint_agent.envelope import Envelope
from figures import Figure, Reach, Results
from speed import one_core

SAMPLES = Path(__file__).parent.parent / "tests/golden/eventlog"
EVENTS = 60_000
ROUNDS = 5

HEAD, CHUNK = 4096, 65536
AGENT_ID = "0" * 64
SPEED = Figure("event log, file to ECS on one core", "{:,.0f} events/s", Reach.AT_LEAST, 40_000)
RATIO = Figure("… time, by that of evtx only parsing", "{:.2f}", Reach.AT_MOST, 2.0)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """All chunks of the samples, again and again: a chunk stands for itself."""
    files = [gzip.decompress(path.read_bytes()) for path in sorted(SAMPLES.glob("*.evtx.gz"))]
    chunks = b"".join(file[HEAD:] for file in files)
    once = tmp_path / "once.evtx"
    once.write_bytes(files[0][:HEAD] + chunks)
    path = tmp_path / "log.evtx"
    path.write_bytes(files[0][:HEAD] + chunks * (EVENTS // _convert(once) + 1))
    return path


def bench_eventlog(benchmark: BenchmarkFixture, log: Path, results: Results) -> None:
    """In turns with the package `evtx`, which makes JSON of the same records and knows no ECS."""
    speeds: list[float] = []
    ratios: list[float] = []
    seconds: list[float] = []

    def convert() -> None:
        begin = time.perf_counter()
        count = _convert(log)
        seconds.append(time.perf_counter() - begin)
        speeds.append(count / seconds[-1])

    def parse() -> None:
        begin = time.perf_counter()
        count = sum(1 for _ in evtx.PyEvtxParser(str(log), number_of_threads=1).records_json())
        ratios.append(seconds[-1] / (time.perf_counter() - begin))
        assert count == round(speeds[-1] * seconds[-1])

    with one_core():
        benchmark.pedantic(convert, teardown=parse, rounds=ROUNDS, warmup_rounds=1)
    beside = f"{log.stat().st_size / median(seconds) / 1e6:.0f} MB/s of file"
    results.add(SPEED, speeds[1:], beside)
    results.add(RATIO, ratios[1:], f"evtx {version('evtx')}, JSON of 60,000 records")
    results.require()


def _convert(path: Path) -> int:
    envelope = Envelope(AGENT_ID).members()
    return sum(1 for _ in replay(str(path), agent_id=AGENT_ID, envelope=envelope))
