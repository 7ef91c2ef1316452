"""What the view knows: counts of what arrived, the newest events, and how the agent fares."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

from endpoint_agent.live.lines import Line

NEWEST = 200
"""Events that are kept to be shown."""
HISTORY = 60
"""Seconds of which the rates are kept."""
DELIVERY = 5
"""Seconds until an event is delivered: the rate is that of the time before it."""
MEAN = 10
"""Seconds over which a rate, or the agent's use of CPU, is averaged."""


class State:
    """All that is shown. It has no clock of its own: `now` is in seconds since the epoch."""

    def __init__(self, now: float) -> None:
        """Begins with nothing."""
        self.newest: deque[Line] = deque(maxlen=NEWEST)
        self.rates = Rates(now)
        self.arrived = 0
        """Events at the intake."""
        self.numbered = 0
        """The highest number that one of them bears: so many the agent has made, or more."""
        self.answer: Mapping[str, Any] | None = None
        """The last answer of the agent's status socket."""
        self.last_report: dict[str, int] | None = None
        """Counters of the last event, if that is a `stats` event, as the last of a run is."""
        self._cpu: deque[tuple[float, float]] = deque()

    def add(self, lines: Iterable[Line], now: float) -> None:
        """Notes events, in the order of their arrival."""
        for line in lines:
            self.newest.append(line)
            self.rates.add(line, now)
            self.arrived += 1
            if line.sequence > self.numbered:
                self.numbered, self.last_report = line.sequence, line.counters

    def note(self, answer: Mapping[str, Any], now: float) -> None:
        """Notes an answer of the agent."""
        self.answer = answer
        self._cpu.append((now, answer["agent"]["cpu_seconds"]))
        while self._cpu[0][0] < now - MEAN:
            self._cpu.popleft()

    @property
    def cpu(self) -> float:
        """What the agent used of one core of late, in percent."""
        if not self._cpu:
            return 0.0
        (start, before), (end, after) = self._cpu[0], self._cpu[-1]
        return 100 * (after - before) / (end - start) if end > start else 0.0

    @property
    def missing(self) -> int:
        """Numbers up to the highest that no event at the intake bears."""
        return self.numbered - self.arrived


class Rates:
    """Events by family and second, by the events' own times."""

    def __init__(self, now: float) -> None:
        """Begins at a time, before which there are no events."""
        self._start = now
        self._seconds: dict[int, Counter[str]] = {}

    def add(self, line: Line, now: float) -> None:
        """Counts an event, unless it is too old, or of a time that is still to come."""
        second = int(line.when.timestamp())
        if not now - HISTORY <= second <= now:
            return
        if second not in self._seconds:
            self._seconds[second] = Counter()
            for old in [one for one in self._seconds if one < now - HISTORY]:
                del self._seconds[old]
        self._seconds[second][line.family] += 1

    def mean(self, family: str, now: float) -> float:
        """Events a second over the last seconds of which all events have arrived."""
        end = int(now) - DELIVERY
        span = max(1, min(MEAN, end - int(self._start)))
        return sum(self._of(family, second) for second in range(end - span, end)) / span

    def last(self, family: str, seconds: int, now: float) -> list[int]:
        """Events of each of the last seconds, up to the one before `now`."""
        return [self._of(family, second) for second in range(int(now) - seconds, int(now))]

    def _of(self, family: str, second: int) -> int:
        counts = self._seconds.get(second)
        return counts[family] if counts else 0
