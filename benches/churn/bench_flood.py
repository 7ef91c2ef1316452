"""Memory after ten million events of Windows, each of another process, file or key."""

from __future__ import annotations

from etw import run
from figures import Figure, Reach, Results

EVENTS = 10_000_000
NAME = f"{EVENTS:,} events of Windows: memory grown in the second half"
GROWTH = Figure(NAME, "{:.1f} MB", Reach.AT_MOST, 3.0)


def bench_flood(results: Results) -> None:
    """Every table is as full as it gets after the first half."""
    resident = [int(line) * 1024 / 1e6 for line in run("flood", str(EVENTS))]
    shown = " → ".join(f"{one:.1f}" for one in resident)
    results.add(GROWTH, [resident[-1] - resident[len(resident) // 2 - 1]], f"{shown} MB")
    results.require()
