"""A test in a process of its own, which a capture of this one tells of.

The audit system leaves out its daemon, which the process that captures is, and processes that began
before it was turned on.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from .capture import Capture


def run_apart(test: Callable[[], object], capture: Capture) -> None:
    """Runs a test in a child, to which `capture` gives its events; its outcome is this one's."""
    here, there = Pipe()
    child = os.fork()
    if child == 0:
        here.close()
        _run(test, capture, there)
    there.close()
    try:
        while isinstance(asked := here.recv(), int):
            seen = len(capture.events)
            capture.collect(asked)
            here.send(capture.events[seen:])
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    become, text = asked
    if become == "skipped":
        pytest.skip(text)
    elif become == "failed":
        pytest.fail(text, pytrace=False)


def _run(test: Callable[[], object], capture: Capture, parent: Connection) -> None:
    """The child; does not return, whatever happens: all else is the parent's."""

    def collect(most: int = sys.maxsize) -> None:
        parent.send(most)
        capture.events += parent.recv()

    outcome = "passed", ""
    try:
        capture.collect = collect  # type: ignore[method-assign]
        try:
            test()
        except pytest.skip.Exception as reason:
            outcome = "skipped", str(reason)
        except BaseException:
            outcome = "failed", traceback.format_exc()
        parent.send(outcome)
    finally:
        os._exit(0)
