"""Whether the program that runs is the one that was installed."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import endpoint_agent
from endpoint_agent.service import manifest
from endpoint_agent.service.manifest import Difference

# Seconds between two blocks of files: the whole takes half a minute, and never a whole CPU.
PAUSE = 0.01

# Added to that of the agent's other threads; Linux keeps it thread by thread.
NICENESS = 10

_LOGGER = logging.getLogger(__name__)


def folder() -> Path | None:
    """That of the running version; None for a program that was not installed as a service."""
    prefix = Path(sys.base_prefix)
    packages = Path(endpoint_agent.__file__).parent.parent
    return prefix if packages == prefix / "packages" else None


@dataclass(frozen=True)
class Verdict:
    """What the last comparison has come to."""

    checked: float | None = None
    """When it ended, in seconds since 1970; None before the first."""
    differences: int = 0
    error: str = ""
    """Why it could not be made."""


class Stopped(Exception):
    """The agent ends."""


class Verifier:
    """Compares the program with its MANIFEST, on a thread of its own that gives way to all."""

    def __init__(self, where: Path | None, found: Callable[[list[Difference]], None]) -> None:
        """Starts nothing. `found` is called, on that thread, where there are differences."""
        self._folder = where
        self._found = found
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.verdict = Verdict()

    def start(self) -> None:
        """Begins a comparison, unless one is under way or there is nothing to compare."""
        if self._folder is None or (self._thread and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._run, name="verify", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends a comparison that is under way."""
        self._stop.set()
        if self._thread:
            self._thread.join(1.0)

    def _run(self) -> None:
        if sys.platform != "win32":
            os.nice(NICENESS)
        try:
            differences = manifest.verify(self._folder or Path(), self._pause)
        except Stopped:
            return
        except OSError as error:
            _LOGGER.warning("the program cannot be compared with its %s: %s", manifest.NAME, error)
            self.verdict = Verdict(time.time(), error=str(error))
            return
        self.verdict = Verdict(time.time(), len(differences))
        if differences:
            self._found(differences)
        else:
            _LOGGER.info("the program is as it was installed, by its %s", manifest.NAME)

    def _pause(self) -> None:
        if self._stop.wait(PAUSE):
            raise Stopped
