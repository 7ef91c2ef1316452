from __future__ import annotations

import contextlib
import io
import os
import pty
import termios
from pathlib import Path

import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.live import output
from endpoint_agent.live.output import Plain, choose, say
from endpoint_agent.live.screen import Screen
from endpoint_agent.live.state import State

from .samples import NOW, event, lines


class Terminal:
    """A pseudo-terminal as standard output: not in a fixture, after which pytest sets its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._reader, writer = pty.openpty()
        os.set_blocking(self._reader, False)
        self.file = os.fdopen(writer, "w", encoding="utf-8")
        monkeypatch.setattr("sys.stdout", self.file)
        monkeypatch.setenv("TERM", "xterm")
        self.resize(80)

    def resize(self, columns: int) -> None:
        """Changes its width."""
        termios.tcsetwinsize(self._reader, (24, columns))

    def written(self) -> str:
        """What was written since the last call."""
        written = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                written += os.read(self._reader, 65_536)
        return written.decode()

    def hang_up(self) -> None:
        """Closes the terminal's other end."""
        os.close(self._reader)


def test_without_a_terminal_every_event_is_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("w", encoding="latin-1") as file:
        monkeypatch.setattr("sys.stdout", file)
        shown = choose()
        assert isinstance(shown, Plain)
        new = lines(*(event("é€", process={"pid": n, "name": "p"}) for n in (1, 2)))
        shown.show(State(NOW), new[:1])
        shown.close()
        shown.show_rest(new[1:])
    assert (tmp_path / "out").read_text("latin-1").splitlines() == [
        rf"12:50:53.116 é\u20ac                       root           {n} p" for n in (1, 2)
    ]


@pytest.mark.parametrize("term", ["dumb", "unknown", None])
def test_a_terminal_that_cannot_draw_gets_lines(
    term: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Terminal(monkeypatch)
    if term is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", term)
    assert isinstance(choose(), Plain)


def test_the_view_leaves_the_terminal_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    shown = choose()
    assert isinstance(shown, Screen)
    assert terminal.written() == "\x1b[?1049h\x1b[H\x1b[?25l"
    state = State(NOW)
    state.add(lines(event(process={"command_line": "\x1b[2Jevil"})), NOW)
    shown.show(state, [])
    drawn = terminal.written()
    assert r"\x1b[2Jevil" in drawn
    assert "\x1b[2J" not in drawn
    shown.close()
    shown.show_rest([])
    assert terminal.written() == "\x1b[?25h\x1b[?1049l"


def test_the_view_follows_the_size_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    shown = choose()
    terminal.written()
    for width in (50, 130):
        terminal.resize(width)
        shown.show(State(NOW), [])
        drawn = terminal.written()
        assert "─" * width in drawn
        assert "─" * (width + 1) not in drawn


def test_a_closed_terminal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    shown = choose()
    terminal.hang_up()
    with pytest.raises(AgentError, match="the events cannot be shown: "):
        shown.show(State(NOW), [])
    shown.close()


def test_a_closed_pipe_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        monkeypatch.setattr("sys.stdout", file)
        os.close(reader)
        with pytest.raises(AgentError, match="the events cannot be shown: Broken pipe"):
            say("text")
        say("more text, which nobody reads")


def test_text_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.say("a € b")
    assert raw.getvalue() == rb"a \u20ac b"
