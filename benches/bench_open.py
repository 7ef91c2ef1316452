"""The open storm: two processes open files for writing, as fast as they can."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from storms import Ran, Storm
from turns import in_turns

PROCESSES = 2

# What has many names makes a record of every open: the queue has to have room for all of them.
QUEUE_MEGABYTES = 2_000

OPENS = """
    SELECT count(*), coalesce(sum(coalesce(json_extract(raw, '$.sekoiaio.repeat.count'), 1)), 0)
    FROM events
    WHERE id BETWEEN :first AND :last AND action IN ('file-created', 'file-modified')
    AND json_extract(raw, '$.file.directory') = :folder
"""
LOST = """
    SELECT coalesce(sum(json_extract(raw, '$.action.properties.count')), 0)
    FROM events
    WHERE id BETWEEN :first AND :last AND action = 'events-lost'
"""


class Shape(NamedTuple):
    """How a storm is run. Each process goes round its own names."""

    opens: int
    names: int
    rounds: int
    slowdown: Reach
    """The target is for the tight loop on one name, whose opens cost next to nothing."""


SHAPES = (
    Shape(100_000, 1, 9, Reach.AT_MOST),
    Shape(600_000, 1, 5, Reach.AT_MOST),
    Shape(100_000, 1_000, 5, Reach.SHOWN),
    Shape(600_000, 1_000, 3, Reach.SHOWN),
    Shape(100_000, 50_000, 3, Reach.SHOWN),
    Shape(600_000, 300_000, 3, Reach.SHOWN),
)


class Seen(NamedTuple):
    """What became of the opens of a storm."""

    delivered: int
    """Events at the intake."""
    coalesced: int
    """Opens that one of these events stands for, beyond the first."""
    lost: int
    """Opens and events that the agent reported as lost, on the whole host."""


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.opens}-on-{shape.names}")
def bench_open_storm(
    benchmark: BenchmarkFixture,
    host: Host,
    storm: Storm,
    results: Results,
    tmp_path: Path,
    shape: Shape,
) -> None:
    """Every open is delivered, coalesced into another, or counted as lost."""
    folders: list[Path] = []

    def work() -> Ran:
        folders.append(Path(tempfile.mkdtemp(dir=tmp_path)))
        return storm.open(shape.opens, shape.names, PROCESSES, folders[-1])

    turns = in_turns(benchmark, host, work, shape.rounds, EventBufferCacheSize=QUEUE_MEGABYTES)
    # After a first turn, they alternate: alone, watched.
    seen = [_seen(host, *pair) for pair in zip(turns.watches, folders[2::2], strict=True)]
    _report(results, shape, turns.alone, turns.ratios(lambda ran: ran.seconds), seen)
    for folder in folders:
        shutil.rmtree(folder)
    results.require()


def _seen(host: Host, watch: Watch, folder: Path) -> Seen:
    span = {"first": watch.first, "last": watch.last}
    ((events, opens),) = host.intake.select(OPENS, folder=str(folder), **span)
    ((lost,),) = host.intake.select(LOST, **span)
    return Seen(events, opens - events, lost)


def _report(
    results: Results, shape: Shape, alone: list[Ran], slowdown: list[float], seen: list[Seen]
) -> None:
    names = f"{PROCESSES * shape.names:,} names"
    accounted = Figure(
        f"open storm, {shape.opens:,} on {names}: accounted for",
        "{:,.0f}",
        Reach.EXACTLY,
        shape.opens,
    )
    parts = [round(median(part)) for part in zip(*seen, strict=True)]
    described = "{:,} delivered, {:,} coalesced, {:,} lost".format(*parts)
    results.add(accounted, map(sum, seen), described)
    rate = shape.opens / median(ran.seconds for ran in alone)
    figure = Figure("… slowdown", "{:.2f}", shape.slowdown, 2.0)
    results.add(figure, slowdown, f"{rate:,.0f} opens/s alone")
