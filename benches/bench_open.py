"""The open storm: two processes open files for writing, as fast as they can."""

from __future__ import annotations

import tempfile
from statistics import median
from typing import NamedTuple

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from figures import Figure, Reach, Results
from host import Host, Watch
from storms import Ran, Storm
from turns import Compared, in_turns

PROCESSES = 2

# Many names make many events: all have to find room in the queue.
QUEUE_MEGABYTES = 2_000

# No disk: the loop is to be as fast as it can be.
FOLDER = "/dev/shm"

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
    AND json_extract(raw, '$.action.properties.what') IN ('open', 'record')
"""


class Shape(NamedTuple):
    """How a storm is run. Each process goes round its own names."""

    opens: int
    names: int
    rounds: int
    slowdown: Reach
    """The target is for the tight loop on one name, whose opens cost next to nothing."""
    lost: Reach = Reach.EXACTLY
    """Opens of the same names are coalesced. Of more names a part may be lost, and told."""


SHAPES = (
    Shape(100_000, 1, 7, Reach.AT_MOST),
    Shape(600_000, 1, 5, Reach.AT_MOST),
    Shape(600_000, 1_000, 3, Reach.SHOWN),
    Shape(600_000, 50_000, 2, Reach.SHOWN, Reach.SHOWN),
    Shape(100_000, 50_000, 2, Reach.SHOWN, Reach.SHOWN),
)


class Seen(NamedTuple):
    """What became of the opens of a storm."""

    delivered: int
    """Events at the intake."""
    coalesced: int
    """Opens that one of these events stands for, beyond the first."""
    lost: int
    """Opens and events that the agent reported as lost, those of others among them."""

    def accounted(self, opens: int) -> int:
        """How many of the opens are accounted for: as lost, no more than are missing."""
        return self.delivered + self.coalesced + self.lost_of(opens)

    def lost_of(self, opens: int) -> int:
        """How many of the opens are lost: no more than are missing."""
        return min(self.lost, max(0, opens - self.delivered - self.coalesced))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.opens}-on-{shape.names}")
def bench_open_storm(
    benchmark: BenchmarkFixture,
    host: Host,
    storm: Storm,
    results: Results,
    shape: Shape,
) -> None:
    """Every open is delivered, coalesced into another, or counted as lost."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as base:

        def work() -> tuple[Ran, str]:
            folder = tempfile.mkdtemp(dir=base)
            return storm.open(shape.opens, shape.names, PROCESSES, folder), folder

        turns = in_turns(benchmark, host, work, shape.rounds, EventBufferCacheSize=QUEUE_MEGABYTES)
    seen = [_seen(host, watch, folder) for ((_, folder),), watch in turns.delivered()]
    slowdown = turns.compare(_seconds)
    alone = shape.opens / turns.typical(_seconds)
    _report(results, shape, seen, slowdown, alone)
    results.require()


def _seconds(outcome: tuple[Ran, str]) -> float:
    return outcome[0].seconds


def _seen(host: Host, watch: Watch, folder: str) -> Seen:
    span = {"first": watch.first, "last": watch.last}
    ((events, opens),) = host.intake.select(OPENS, folder=folder, **span)
    ((lost,),) = host.intake.select(LOST, **span)
    return Seen(events, opens - events, lost)


def _report(
    results: Results, shape: Shape, seen: list[Seen], slowdown: Compared, alone: float
) -> None:
    name = f"open storm, {shape.opens:,} on {PROCESSES * shape.names:,} names: accounted for"
    accounted = Figure(name, "{:,.0f}", Reach.EXACTLY, shape.opens)
    parts = [round(median(part)) for part in zip(*seen, strict=True)]
    beside = "{:,} delivered, {:,} coalesced, {:,} lost".format(*parts)
    results.add(accounted, [one.accounted(shape.opens) for one in seen], beside)
    lost = Figure("… lost", "{:,.0f}", shape.lost, 0)
    results.add(lost, [one.lost_of(shape.opens) for one in seen])
    figure = Figure("… slowdown", "{:.2f}", shape.slowdown, 1.6)
    results.add(
        figure, slowdown.rounds, slowdown.beside(f"{alone:,.0f} opens/s alone"), slowdown.ratio
    )
