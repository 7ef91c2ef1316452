"""The agent's warnings and errors as events, in the original's shape and at a bounded rate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from endpoint_agent.envelope import PROVIDER, Reporter, clean
from endpoint_agent.errors import SpoolError

# An identical message becomes an event at most once in this many seconds.
PERIOD: Final = 60.0
# Different messages that become events in one period.
MAX_MESSAGES: Final = 60
# Characters of a message.
MAX_LENGTH: Final = 8_192
# Records kept while there is no queue yet.
MAX_EARLY: Final = 100


_FURTHER = (logging.WARNING, "further lines of the agent's log are in its file only")


@dataclass
class _Told:
    """When a message last became an event, and how often it came since."""

    when: float
    again: int = 0


class EventHandler(logging.Handler):
    """Reports log records of level warning and above.

    What came again within a period is told once at its end, with a count, and so is how many
    records found no place: nothing is dropped without a word.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Keeps records until `attach`. `clock` tells seconds."""
        super().__init__(logging.WARNING)
        self._clock = clock
        self._reporter: Reporter | None = None
        self._early: list[logging.LogRecord] = []
        self._told: dict[tuple[int, str], _Told] = {}
        self._reporting = False

    def attach(self, reporter: Reporter) -> None:
        """Reports what has come so far, and all that comes from now on."""
        self.acquire()
        try:
            self._reporter = reporter
            early, self._early = self._early, []
            for record in early:
                self.emit(record)
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Reports one record, or counts it. A fault in that does not reach who logs."""
        if self._reporting:
            return  # The queue itself logs: its message stays in the file.
        try:
            self._take(record)
        except Exception:
            self.handleError(record)

    def _take(self, record: logging.LogRecord) -> None:
        if self._reporter is None:
            self._keep(record)
            return
        level, reason = record.levelno, clean(record.getMessage())[:MAX_LENGTH]
        told = self._told.get((level, reason))
        if told is not None:
            told.again += 1
        elif len(self._told) < MAX_MESSAGES:
            self._told[level, reason] = _Told(self._clock())
            self._report(level, reason, error=_error(record))
        else:
            self._count_further()

    def tick(self) -> None:
        """Tells what came again, once its period is over. To be called every few seconds."""
        self._tell_again(self._clock() - PERIOD)

    def detach(self) -> None:
        """Tells what came again, and reports no more."""
        self._tell_again(self._clock())
        self._reporter = None

    def _tell_again(self, before: float) -> None:
        """Closes the periods that began before a time."""
        self.acquire()
        try:
            over = [key for key, told in self._told.items() if told.when <= before]
            for key in over:
                again = self._told.pop(key).again
                if again:
                    self._told[key] = _Told(self._clock())
                    self._report(*key, count=again)
        finally:
            self.release()

    def _keep(self, record: logging.LogRecord) -> None:
        if len(self._early) < MAX_EARLY:
            self._early.append(record)
        else:
            self._count_further()

    def _count_further(self) -> None:
        self._told.setdefault(_FURTHER, _Told(self._clock())).again += 1

    def _report(self, level: int, reason: str, *, count: int = 0, error: str = "") -> None:
        if self._reporter is None:
            return
        members: dict[str, Any] = {
            "log": {"level": logging.getLevelName(level).lower(), "logger": PROVIDER}
        }
        if count:
            members["sekoiaio"] = {"repeat": {"count": count}}
        if error:
            members["error"] = {"message": error}
        event = {"kind": "event", "category": ["host"], "reason": reason}
        self._reporting = True
        try:
            self._reporter.report(event, **members)
        except SpoolError:
            pass  # The queue is closed: the agent ends, and the line is in the file.
        finally:
            self._reporting = False


def _error(record: logging.LogRecord) -> str:
    """What the exception of the record says."""
    error = record.exc_info[1] if record.exc_info else None
    return clean(f"{type(error).__name__}: {error}")[:MAX_LENGTH] if error else ""
