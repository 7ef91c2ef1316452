from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from endpoint_agent.live.lines import Line
from endpoint_agent.live.state import State
from endpoint_agent.live.view import ASCII, UNICODE, bar_chart, fit, render

from .samples import ANSWER, NOW, event, lines, stats


def picture(state: State, width: int = 120, height: int = 20, encoding: str = "utf-8") -> list[str]:
    return [line.plain for line in render(state, NOW, width, height, encoding)]


def state(*new: Line) -> State:
    state = State(NOW - 100)
    state.note(ANSWER, NOW)
    state.add(new, NOW)
    return state


def test_the_picture() -> None:
    shown = picture(
        state(
            *lines(
                event(),
                event("file-deleted", "file", file={"path": "/tmp/" + "x" * 60 + "/end.txt"}),
                event("accepted-connection-from", "network", destination={"ip": "::1", "port": 80}),
            )
        )
    )
    assert "\n".join(line.rstrip() for line in shown) == (
        "endpoint-agent v0.1.0   up 1:02:05   ebpf: 2 of 2 hooks"
        "                                                   Ctrl-C ends it\n"
        f"{'─' * 120}\n"
        f"process       0.0/s  {' ' * 55}█  CPU        0.0 %   captured         1,012\n"
        f"file          0.0/s  {' ' * 55}█  memory   33.0 MB   delivered          600\n"
        f"network       0.0/s  {' ' * 55}█  sent     0.12 MB   coalesced          400\n"
        f"agent         0.0/s  {' ' * 55}   queue         13   lost                 0\n"
        f"{'─' * 120}\n"
        "time UTC      action                    user          pid  process          object\n"
        "12:50:53.116  process-created           root         4321  bash             bash -c true\n"
        "12:50:53.116  file-deleted              root         4321  bash             "
        f"…{'x' * 35}/end.txt\n"
        "12:50:53.116  accepted-connection-from  root         4321  bash             "
        "[::1]:80"
    )


def test_the_newest_events_are_those_that_fit() -> None:
    new = lines(*(event(process={"name": f"p{n}", "pid": n}, sequence=n) for n in range(100)))
    shown = picture(state(*new), height=20)
    assert len(shown) == 20
    assert [re.search(r"p(\d+) ", line)[1] for line in shown[8:]] == [  # type: ignore[index]
        str(n) for n in range(88, 100)
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@pytest.mark.parametrize("width", [1, 10, 40, 50, 79, 80, 99, 100, 120, 300])
@pytest.mark.parametrize("height", [1, 5, 8, 24])
def test_it_fits_every_terminal(width: int, height: int, encoding: str) -> None:
    hostile = "日本語\u0301é€[bold]\x1b[2J" * 50
    new = lines(
        event(hostile, "file", user={"name": hostile}, file={"path": hostile}),
        event("x", process={"name": hostile, "command_line": hostile}),
        stats(),
    )
    shown = picture(state(*new), width, height, encoding)
    assert len(shown) <= height
    assert all(cell_len(line) <= width for line in shown)
    assert all(line.isprintable() for line in shown)
    "".join(shown).encode(encoding)


def test_80_columns_show_every_column() -> None:
    shown = picture(state(*lines(event())), 80, 24)
    assert " ".join(shown[8].split()) == "12:50:53 process-created root 4321 bash bash -c true"
    assert "█" in shown[2]


def test_a_narrow_terminal_does_without_the_last_minute() -> None:
    assert "█" not in picture(state(*lines(event())), 70, 24)[2]


def test_other_signs_are_used_where_the_encoding_lacks_them() -> None:
    shown = picture(state(*lines(event())), encoding="ascii")
    assert shown[1] == "-" * 120
    assert "@" in shown[2]


def test_it_says_what_it_waits_for() -> None:
    assert picture(State(NOW))[-1] == "The intake and the agent start."
    assert picture(state())[-1].startswith("Nothing has arrived yet")


def test_what_is_wrong_stands_out() -> None:
    wrong = state()
    coverage = [["exec", "attached", ""], ["openat2", "missing", "no such tracepoint"]]
    wrong.note({**ANSWER, "coverage": coverage, "counters": {"lost": 3}}, NOW)
    styles = {
        line.plain[span.start : span.end].strip(): str(span.style)
        for line in render(wrong, NOW, 120, 20, "utf-8")
        for span in line.spans
    }
    assert styles["ebpf: 1 of 2 hooks"] == styles["3"] == "bold red"


@pytest.mark.parametrize(
    ("values", "chart"),
    [([], ""), ([0, 0], "  "), ([0, 1, 1000], " ▁█"), ([8, 4, 1], "█▄▁")],
)
def test_the_least_can_be_told_from_nothing(values: list[int], chart: str) -> None:
    assert bar_chart(values, UNICODE.bars) == chart


@pytest.mark.parametrize(
    ("text", "width", "keep_end", "fitted"),
    [
        ("abc", 5, False, "abc  "),
        ("abcdef", 4, False, "abc…"),
        ("abcdef", 4, True, "…def"),
        ("日本語", 6, False, "日本語"),
        ("日本語", 5, False, "日本…"),
        ("日本語", 5, True, "…本語"),
        ("日本語", 4, True, "…語 "),
        ("abc", 0, False, ""),
        ("abc", 0, True, ""),
        ("abc", 1, False, "…"),
    ],
)
def test_a_text_takes_exactly_its_width(text: str, width: int, keep_end: bool, fitted: str) -> None:
    assert fit(text, width, UNICODE.cut, keep_end=keep_end) == fitted
    assert len(ASCII.bars) == len(UNICODE.bars)
