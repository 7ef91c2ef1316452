"""The same work without and with the agent, in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

from host import Host, Watch

Outcome = TypeVar("Outcome")


@dataclass
class Turns(Generic[Outcome]):
    """What each round came to."""

    alone: list[Outcome] = field(default_factory=list)
    watched: list[Outcome] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)

    def ratios(self, value: Callable[[Outcome], float]) -> list[float]:
        """Watched to alone, round by round: what slows the machine down slows both."""
        pairs = zip(self.watched, self.alone, strict=True)
        return [value(watched) / value(alone) for watched, alone in pairs]


def in_turns(
    benchmark: BenchmarkFixture,
    host: Host,
    work: Callable[[], Outcome],
    rounds: int,
    **settings: Any,
) -> Turns[Outcome]:
    """Does the work alone, watched, alone, watched, … The agent runs for the watched turns only.

    Args:
        settings: the agent's, where they are not the defaults.
    """
    turns: Turns[Outcome] = Turns()

    def alone() -> None:
        turns.alone.append(work())
        host.start(**settings)

    def watched() -> None:
        turns.watched.append(work())

    def after() -> None:
        turns.watches.append(host.stop())

    work()  # so that the first turn finds warm caches too
    benchmark.pedantic(watched, setup=alone, teardown=after, rounds=rounds)
    return turns
