"""Where events are shown: plain lines here, or the view of `screen` where there is a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from endpoint_agent.errors import AgentError
from endpoint_agent.live.lines import Line, encodable, plain
from endpoint_agent.live.state import State


class Output(Protocol):
    """Shows events until it is closed, and what comes after that."""

    def show(self, state: State, new: Iterable[Line]) -> None:
        """Shows a state, of which these lines are new.

        Raises:
            AgentError: nobody can read it any more.
        """

    def close(self) -> None:
        """Makes room for plain text."""

    def show_rest(self, new: Iterable[Line]) -> None:
        """Shows what arrived after the end."""


def choose() -> Output:
    """The view where standard output is a terminal, else plain lines.

    Raises:
        ModuleNotFoundError: the view needs the package rich.
    """
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        return Plain()
    from endpoint_agent.live.screen import Screen

    return Screen()


class Plain:
    """One line per event."""

    def show(self, _state: State, new: Iterable[Line]) -> None:
        """Prints the new ones."""
        self.show_rest(new)

    def close(self) -> None:
        """There is room already."""

    def show_rest(self, new: Iterable[Line]) -> None:
        """Prints them."""
        say("".join(f"{plain(line)}\n" for line in new))


def say(text: str) -> None:
    """Prints text on standard output, with escapes for what its encoding lacks.

    Raises:
        AgentError: nobody can read it any more.
    """
    with reader():
        sys.stdout.write(encodable(text, sys.stdout.encoding))
        sys.stdout.flush()


@contextmanager
def reader() -> Iterator[None]:
    """Tells that the reader of standard output has gone: a closed pipe or terminal."""
    try:
        yield
    except OSError as error:
        # What is still buffered must not fail again when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise AgentError(f"the events cannot be shown: {error.strerror}") from error
