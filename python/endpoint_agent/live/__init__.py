"""`endpoint-agent live`: an intake and an agent on this host, and a view of what the agent sees.

session   runs the two (children) and reads what has arrived (tail)
state     what is known of it, made of events as lines (lines)
output    prints the lines, or draws the state (screen, view)
closing   the balance at the end
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path

from endpoint_agent.live.closing import closing
from endpoint_agent.live.output import Output, choose, say
from endpoint_agent.live.session import Session
from endpoint_agent.live.tail import PAGE
from endpoint_agent.signals import Signals

PAUSE = 0.5
"""Seconds between two looks."""


def live(seconds: float | None) -> int:
    """Shows events until Ctrl-C, another signal, or for so long; the exit status.

    It is 0 if the balance holds and every event has arrived, else 1.

    Raises:
        AgentError: the intake or the agent cannot start, or has ended by itself.
        ModuleNotFoundError: standard output is a terminal, and the package rich is missing.
    """
    with (
        Signals() as signals,
        tempfile.TemporaryDirectory(prefix="endpoint-agent-live-") as folder,
        Session(Path(folder)) as session,
    ):
        output = choose()
        with contextlib.closing(output):
            _watch(session, output, signals, seconds)
        print("The agent sends what it still has.", file=sys.stderr)
        for new in session.finish():
            output.show_rest(new)
    text, complete = closing(session.state)
    say(text)
    return 0 if complete else 1


def _watch(session: Session, output: Output, signals: Signals, seconds: float | None) -> None:
    """Shows what arrives, until it is time to end."""
    end = None if seconds is None else time.monotonic() + seconds
    pause = 0.0
    while not signals.wait(pause) and (end is None or time.monotonic() < end):
        new = session.step()
        output.show(session.state, new)
        pause = 0.0 if len(new) == PAGE else PAUSE
