"""The same work without and with the agent, in turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Generic, NamedTuple, TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

from host import Host, Watch
from speed import loop_seconds

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Part(Generic[Outcome]):
    """The work, done once."""

    outcome: Outcome
    loop: float
    """What `speed.loop_seconds` was before and after it, on average."""


Turn = list[Part[Outcome]]
Value = Callable[[Outcome], float]


class Compared(NamedTuple):
    """How many times as long the work takes beside the agent, measured in loops."""

    ratio: float
    """Of the medians of all parts."""
    rounds: list[float]
    """Of each round by itself: how far they are apart tells what the ratio is worth."""
    in_seconds: float
    """The ratio without regard to the machine's speed."""
    loops: float
    """How many times as long the loop itself took in the watched turns: 1 if the agent does not
    slow it down, which would hide what it costs."""

    def beside(self, alone: str) -> str:
        """What stands beside the ratio, so that it can be judged."""
        return f"{alone}; slowdown in seconds {self.in_seconds:.3f}, of the loop {self.loops:.3f}"


@dataclass
class Turns(Generic[Outcome]):
    """What was done."""

    alone: list[Turn[Outcome]] = field(default_factory=list)
    watched: list[Turn[Outcome]] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)

    def compare(self, seconds: Value[Outcome]) -> Compared:
        """Watched to alone."""
        pairs = zip(self.watched, self.alone, strict=True)
        rounds = [_in_loops([one], seconds) / _in_loops([other], seconds) for one, other in pairs]
        return Compared(
            _in_loops(self.watched, seconds) / _in_loops(self.alone, seconds),
            rounds,
            _seconds(self.watched, seconds) / _seconds(self.alone, seconds),
            _loops(self.watched) / _loops(self.alone),
        )

    def typical(self, seconds: Value[Outcome]) -> float:
        """What a part takes without the agent, in seconds."""
        return _seconds(self.alone, seconds)

    def delivered(self) -> Iterator[tuple[list[Outcome], Watch]]:
        """The outcomes of each watched turn, and what became of the agent."""
        for turn, watch in zip(self.watched, self.watches, strict=True):
            yield [part.outcome for part in turn], watch


def in_turns(
    benchmark: BenchmarkFixture,
    host: Host,
    work: Callable[[], Outcome],
    rounds: int,
    parts: int = 1,
    cores: Collection[int] | None = None,
    **settings: Any,
) -> Turns[Outcome]:
    """Does the work alone, watched, alone, watched, … The agent runs for the watched turns only.

    Args:
        parts: how many times the work is done in each turn.
        cores: those whose speed decides, if not all.
        settings: the agent's, where they are not the defaults.
    """
    turns: Turns[Outcome] = Turns()
    cores = cores or os.sched_getaffinity(0)

    def turn() -> Turn[Outcome]:
        done, before = [], loop_seconds(cores)
        for _ in range(parts):
            outcome, after = work(), loop_seconds(cores)
            done.append(Part(outcome, (before + after) / 2))
            before = after
        return done

    def alone() -> None:
        turns.alone.append(turn())
        host.start(**settings)

    def watched() -> None:
        turns.watched.append(turn())

    def stop() -> None:
        turns.watches.append(host.stop())

    work()  # so that the first turn finds warm caches too
    benchmark.pedantic(watched, setup=alone, teardown=stop, rounds=rounds)
    return turns


def _seconds(turns: list[Turn[Outcome]], seconds: Value[Outcome]) -> float:
    return median(seconds(part.outcome) for turn in turns for part in turn)


def _loops(turns: list[Turn[Outcome]]) -> float:
    return median(part.loop for turn in turns for part in turn)


def _in_loops(turns: list[Turn[Outcome]], seconds: Value[Outcome]) -> float:
    return median(seconds(part.outcome) / part.loop for turn in turns for part in turn)
