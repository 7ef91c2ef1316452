"""The view on the terminal's second screen. Needs the package rich."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable

from rich.console import Console, Group

from endpoint_agent.live.lines import Line
from endpoint_agent.live.output import reader
from endpoint_agent.live.state import State
from endpoint_agent.live.view import render


class Screen:
    """Draws the state. What the terminal showed before comes back when it is closed."""

    def __init__(self) -> None:
        """Turns to the second screen."""
        self._console = Console(force_terminal=True, markup=False, emoji=False, highlight=False)
        with reader():
            self._console.set_alt_screen(True)
            self._console.show_cursor(False)

    def show(self, state: State, _new: Iterable[Line]) -> None:
        """Draws it as large as the terminal is now."""
        with reader():
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
            width, height = self._console.size = (columns or 80, rows or 24)
            lines = render(state, time.time(), width, height, self._console.encoding)
            self._console.update_screen(Group(*lines))

    def close(self) -> None:
        """Turns back to the first screen."""
        with reader():
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)

    def show_rest(self, new: Iterable[Line]) -> None:
        """The balance tells of it."""
