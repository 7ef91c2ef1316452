"""Memory after a million processes and a million files: `make bench-churn`, ten minutes or more."""

from __future__ import annotations

import tempfile

import pytest

from figures import Figure, Reach, Results
from host import Host
from meter import peak_megabytes, resident_megabytes
from storms import Storm

MILLION = 1_000_000
PARTS = 4
PROCESSES = 2

# No disk: a million files are made and removed again.
FOLDER = "/dev/shm"
QUEUE_MEGABYTES = 500

PEAK = Figure("… peak", "{:.1f} MB", Reach.AT_MOST, 60)


@pytest.mark.parametrize("what", ["processes", "paths"])
def bench_churn(host: Host, storm: Storm, results: Results, what: str) -> None:
    """Every table and every buffer has been as full as it gets after the first half."""
    host.start(EventBufferCacheSize=QUEUE_MEGABYTES)
    resident: list[float] = []
    for _ in range(PARTS):
        if what == "processes":
            storm.fork(MILLION // PARTS)
        else:
            with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
                storm.open(MILLION // PARTS, MILLION // PARTS // PROCESSES, PROCESSES, folder)
        host.settle()
        resident.append(resident_megabytes(host.pid))
    peak = peak_megabytes(host.pid)
    host.stop()
    name = f"{MILLION:,} {what}: memory grown in the second half"
    growth = Figure(name, "{:.1f} MB", Reach.AT_MOST, 3.0)
    shown = " → ".join(f"{one:.1f}" for one in resident)
    results.add(growth, [resident[-1] - resident[PARTS // 2 - 1]], f"{shown} MB")
    results.add(PEAK, [peak])
    results.require()
