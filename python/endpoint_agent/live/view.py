"""The picture: a state laid out in lines as wide as the terminal. Needs the package rich."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from endpoint_agent.live.lines import FAMILIES, Line, encodable, time_of_day
from endpoint_agent.live.state import HISTORY, State

COLOURS = {"process": "green", "file": "yellow", "network": "cyan", "agent": "magenta"}
WIDE = 120
"""Cells of a terminal from which on the columns of events have their full width."""
LEAST_BARS = 8
GAP = "  "


class Signs(NamedTuple):
    """What is drawn with, as the terminal's encoding allows."""

    bars: str
    """From nothing to the most."""
    cut: str
    """Stands for what did not fit."""
    rule: str


UNICODE = Signs(" ▁▂▃▄▅▆▇█", "…", "─")
ASCII = Signs(" .:-=+*#@", "~", "-")


class Column(NamedTuple):
    """A column of the events. What remains of the width is the last one's, the object's."""

    title: str
    width: int
    narrow: int
    """Its width where the terminal is not `WIDE`."""


COLUMNS = (
    Column("time UTC", 12, 8),
    Column("action", 24, 15),
    Column("user", 8, 8),
    Column("    pid", 7, 7),
    Column("process", 15, 10),
)

_NO_ANSWER: Mapping[str, Any] = {
    "counters": {},
    "agent": {"memory_bytes": 0},
    "delivery": {"bytes_sent": 0},
}


def render(state: State, now: float, width: int, height: int, encoding: str) -> list[Text]:
    """The lines of the view: at most `height` of them, none wider than `width`.

    Args:
        now: seconds since the epoch.
        encoding: that of the terminal.
    """
    signs = UNICODE if encoding.startswith("utf") else ASCII
    rule = Text(signs.rule * width, "dim")
    widths = _widths(width)
    lines = [_header(state, width), rule, *_figures(state, now, width, signs), rule]
    lines.append(_titles(widths))
    room = max(0, height - len(lines))
    newest = list(state.newest)[-room:] if room else []
    lines += [_row(line, widths, signs, encoding) for line in newest]
    if not newest:
        lines.append(Text(_waiting(state), "dim"))
    for line in lines:
        line.truncate(width, overflow="crop")
    return lines[:height]


def _header(state: State, width: int) -> Text:
    header = Text.assemble(("endpoint-agent", "bold"))
    if (answer := state.answer) is not None:
        hooks = [state for _, state, _ in answer["coverage"] if state != "replaced"]
        attached = hooks.count("attached")
        header.append(f" {answer['version']}   up {timedelta(seconds=int(answer['uptime']))}   ")
        header.append(
            f"{answer['source']}: {attached} of {len(hooks)} hooks",
            "" if attached == len(hooks) else "bold red",
        )
    return _beside(header, Text.assemble(("Ctrl-C ends it", "dim")), width)


def _beside(left: Text, right: Text, width: int) -> Text:
    """Two texts in one line, the second one at its end."""
    space = max(len(GAP), width - left.cell_len - right.cell_len)
    return Text.assemble(left, " " * space, right)


def _waiting(state: State) -> str:
    if state.answer is None:
        return "The intake and the agent start."
    return "Nothing has arrived yet: events are sent within 5 seconds."


def _figures(state: State, now: float, width: int, signs: Signs) -> Iterator[Text]:
    """For each family its rate, its last minute if there is room, and figures of the agent."""
    for family, agent in zip(FAMILIES, _agent(state), strict=True):
        colour = COLOURS[family]
        rate = f"{state.rates.mean(family, now):>9,.1f}/s"
        left = Text.assemble((f"{family:8}", colour), rate, GAP)
        bars = min(HISTORY, width - left.cell_len - len(GAP) - agent.cell_len)
        if bars >= LEAST_BARS:
            left.append(bar_chart(state.rates.last(family, bars, now), signs.bars), colour)
        yield _beside(left, agent, width)


def bar_chart(values: Sequence[int], bars: str) -> str:
    """One sign for each value, from the first of `bars` for 0 to the last for the most."""
    most = max(values, default=0) or 1
    return "".join(bars[-(-value * (len(bars) - 1) // most)] for value in values)


def _agent(state: State) -> Iterator[Text]:
    """Two figures of the agent a line."""
    answer = state.answer or _NO_ANSWER
    counters = answer["counters"]
    rows = (
        ("CPU", f"{state.cpu:.1f} %", "captured"),
        ("memory", f"{answer['agent']['memory_bytes'] / 1e6:.1f} MB", "delivered"),
        ("sent", f"{answer['delivery']['bytes_sent'] / 1e6:,.2f} MB", "coalesced"),
        ("queue", f"{counters.get('queued', 0):,}", "lost"),
    )
    for name, shown, counter in rows:
        count = counters.get(counter, 0)
        alarm = "bold red" if counter == "lost" and count else ""
        yield Text.assemble(
            (f"{name:7}", "dim"),
            f"{shown:>9}   ",
            (f"{counter:9}", "dim"),
            (f"{count:>13,}", alarm),
        )


def _widths(width: int) -> list[int]:
    fixed = [column.width if width >= WIDE else column.narrow for column in COLUMNS]
    return [*fixed, max(0, width - sum(fixed) - len(GAP) * len(fixed))]


def _titles(widths: Sequence[int]) -> Text:
    titles = [*(column.title for column in COLUMNS), "object"]
    return Text(GAP.join(map(fit, titles, widths)), "dim")


def _row(line: Line, widths: Sequence[int], signs: Signs, encoding: str) -> Text:
    styles = ("dim", _style(line), "", "dim", "bold", "")
    texts = (
        time_of_day(line),
        line.action,
        line.user,
        line.pid.rjust(widths[3]),
        line.process,
        line.object,
    )
    cells = []
    for number, (text, width) in enumerate(zip(texts, widths, strict=True)):
        # Of a path, the end says more than the beginning; a time is cut to its seconds.
        keep_end = number == len(COLUMNS) and line.family == "file"
        cut = signs.cut if number else ""
        cells.append(fit(encodable(text, encoding), width, cut, keep_end=keep_end))
    return Text(GAP).join(map(Text, cells, styles))


def _style(line: Line) -> str:
    return "bold red" if line.action == "events-lost" else COLOURS[line.family]


def fit(text: str, width: int, cut: str = "", *, keep_end: bool = False) -> str:
    """The text in exactly `width` cells of the terminal; `cut` marks where some of it is gone."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    room = max(0, width - len(cut))
    if not keep_end:
        return set_cell_size(set_cell_size(text, room).rstrip() + cut, width)
    while (over := cell_len(text) - room) > 0:
        # A sign takes at most two cells, so this never takes too many.
        text = text[-(-over // 2) :]
    return set_cell_size(cut + text, width)
