"""The figures: each declared once, with its target; what was measured; the table of both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from statistics import median

MARKS = ("<!-- figures -->\n", "<!-- end of figures -->\n")
HEAD = ("figure", "target", "measured", "rounds", "beside", "verdict")


class Reach(Enum):
    """How a measured value has to stand to its target."""

    EXACTLY = "="
    AT_MOST = "≤"
    AT_LEAST = "≥"
    SHOWN = ""
    """There is no target: the figure is there to be compared."""


@dataclass(frozen=True)
class Figure:
    """What is measured. `shown` is the format of its values, unit included."""

    name: str
    shown: str
    reach: Reach = Reach.SHOWN
    target: float = 0.0

    def is_reached(self, value: float) -> bool:
        """Whether a value is at its target or better."""
        match self.reach:
            case Reach.EXACTLY:
                return value == self.target
            case Reach.AT_MOST:
                return value <= self.target
            case Reach.AT_LEAST:
                return value >= self.target
        return True

    @property
    def goal(self) -> str:
        """The target, for a reader."""
        if self.reach is Reach.SHOWN:
            return "-"
        return f"{self.reach.value} {self.shown.format(self.target)}"


@dataclass(frozen=True)
class Result:
    """A figure measured in one or more rounds."""

    figure: Figure
    rounds: tuple[float, ...]
    beside: str
    """What it was compared with, measured in the same run."""
    all_rounds: float | None = None
    """Where the rounds make one value together."""

    @property
    def value(self) -> float:
        """Else the median; of what must be exact, the round that is furthest from it."""
        if self.all_rounds is not None:
            return self.all_rounds
        if self.figure.reach is Reach.EXACTLY:
            return max(self.rounds, key=lambda value: abs(value - self.figure.target))
        return median(self.rounds)

    @property
    def is_reached(self) -> bool:
        """Whether the target is reached."""
        return self.figure.is_reached(self.value)

    def row(self) -> tuple[str, ...]:
        """The result as words, in the order of `HEAD`."""
        show = self.figure.shown.format
        spread = f"{show(min(self.rounds))} … {show(max(self.rounds))}, {len(self.rounds)} rounds"
        verdict = "-" if self.figure.reach is Reach.SHOWN else "yes" if self.is_reached else "NO"
        return (
            self.figure.name,
            self.figure.goal,
            show(self.value),
            spread if len(self.rounds) > 1 else "",
            self.beside,
            verdict,
        )


class Results:
    """What was measured in this run, in order."""

    def __init__(self) -> None:
        self._results: list[Result] = []
        self._required = 0

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    def add(
        self,
        figure: Figure,
        rounds: Iterable[float],
        beside: str = "",
        all_rounds: float | None = None,
    ) -> Result:
        """Keeps a result."""
        result = Result(figure, tuple(rounds), beside, all_rounds)
        self._results.append(result)
        return result

    def require(self) -> None:
        """Fails when a figure is behind its target, of those since the last call."""
        new = self._results[self._required :]
        self._required = len(self._results)
        behind = [result.row() for result in new if not result.is_reached]
        assert not behind, "\n".join(": ".join(row[:3]) for row in behind)

    def table(self) -> list[str]:
        """Lines of Markdown, in columns for the eye as well."""
        rows = [HEAD, *(result.row() for result in self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return lines

    def write(self, folder: Path, host: str) -> None:
        """Writes results.json, and the table into README.md."""
        results = [
            {
                "figure": result.figure.name,
                "reach": result.figure.reach.value,
                "target": result.figure.target,
                "value": result.value,
                "rounds": result.rounds,
                "beside": result.beside,
            }
            for result in self
        ]
        content = {"host": host, "results": results}
        (folder / "results.json").write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        )
        readme = folder / "README.md"
        before, rest = readme.read_text().split(MARKS[0])
        _, after = rest.split(MARKS[1])
        table = "\n".join([f"Measured on {host}.", "", *self.table(), ""])
        readme.write_text(before + MARKS[0] + table + MARKS[1] + after)
