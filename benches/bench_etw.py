"""A recording of Windows' event tracing becomes records of what each event says, on one core."""

from __future__ import annotations

from pathlib import Path

from etw import run
from figures import Figure, Reach, Results
from speed import one_core

SAMPLE = Path(__file__).parent.parent / "tests/golden/etw/acts.rec"
MAGIC = 8
TIMES = 20_000
ROUNDS = 7

SPEED = Figure(
    "event tracing, file to records", "{:,.0f} events/s of CPU", Reach.AT_LEAST, 1_000_000
)


def bench_etw(tmp_path: Path, results: Results) -> None:
    """The frames of the sample again and again, most of which are told."""
    sample = SAMPLE.read_bytes()
    path = tmp_path / "long.rec"
    path.write_bytes(sample[:MAGIC] + sample[MAGIC:] * TIMES)
    run("speed", str(path), "1")
    with one_core():
        lines = [line.split() for line in run("speed", str(path), str(ROUNDS))]
    ratios = sorted(float(ratio) for _, ratio in lines)
    beside = f"{ratios[len(ratios) // 2]:.1f} times as long as reading the file"
    results.add(SPEED, [float(speed) for speed, _ in lines], beside)
    results.require()
