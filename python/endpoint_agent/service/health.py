"""Whether an agent that is started does its work: it captures, and its heartbeat arrived."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from endpoint_agent.errors import AgentError
from endpoint_agent.status import ask

# Seconds. The last: between two looks at whether there is a process at all, which need a child.
TIMEOUT = 90.0
POLL = 0.2
LOOK = 2.0

# The end of the log that is searched for a reason, in bytes.
TAIL = 65_536
_ERROR = re.compile(r"^(\S+) ERROR (.*)$", re.MULTILINE)


class Trial:
    """The first moments of an agent."""

    def __init__(self, state_directory: Path, log_file: Path) -> None:
        """To be made before the agent is started."""
        self._state_directory = state_directory
        self._log_file = log_file
        self._captured: int | None = None
        self._since = datetime.now(UTC).isoformat(timespec="milliseconds")

    def wait(
        self, is_active: Callable[[], bool], timeout: float = TIMEOUT, version: str = ""
    ) -> str:
        """Waits until the agent captures and its first heartbeat is at the intake.

        Args:
            is_active: whether whoever started it says that it runs. It runs a program to ask.
            version: which one it has to be. It has to see that program, too; on Windows none is
                run to ask, and the event log alone would not tell of it.

        Returns:
            From which source it captures, and why not from eBPF where it tried that.

        Raises:
            AgentError: why it does not come to that, or has not yet.
        """
        reason = "it does not answer"
        now = time.monotonic()
        end, next_look = now + timeout, now + LOOK
        while now < end:
            try:
                answer = ask(self._state_directory)
            except AgentError:
                if now >= next_look:
                    next_look = now + LOOK
                    if not is_active():
                        raise AgentError(f"it has ended: {self.last_error()}") from None
            else:
                reason = missing(answer)
                if version and not reason:
                    reason = self._unproved(answer, version, is_active)
                if not reason:
                    fallback = answer["fallback"]
                    return str(answer["source"]) + (f" ({fallback})" if fallback else "")
                if answer["delivery"]["key_refused"]:
                    raise AgentError(reason)
            time.sleep(POLL)
            now = time.monotonic()
        raise AgentError(f"after {timeout:.0f} s {reason}")

    def _unproved(
        self, answer: Mapping[str, Any], version: str, is_active: Callable[[], bool]
    ) -> str:
        """What keeps a version from having proved itself; nothing when it has."""
        if answer["version"] != version:
            return f"it is {answer['version']} that runs"
        if sys.platform == "win32":
            return ""
        captured: int = answer["counters"]["captured"]
        if self._captured is None:
            self._captured = captured
            is_active()
        return "" if captured > self._captured else "it does not see what is run"

    def last_error(self) -> str:
        """The last error in the agent's log since."""
        try:
            with self._log_file.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - TAIL))
                text = file.read(TAIL).decode("utf-8", "replace")
        except OSError:
            text = ""
        found = [reason for when, reason in _ERROR.findall(text) if when >= self._since]
        return found[-1] if found else f"{self._log_file} does not say why"


def version(state_directory: Path) -> str:
    """The version of the agent that runs; nothing when none does."""
    try:
        return str(ask(state_directory)["version"])
    except AgentError:
        return ""


def undelivered(state_directory: Path) -> str:
    """Why the agent that runs does not deliver; nothing when it does, or none runs."""
    try:
        return ask(state_directory)["delivery"]["last_error"] or ""
    except AgentError:
        return ""


def missing(answer: Mapping[str, Any]) -> str:
    """What keeps the agent of a `status` from being well; nothing when it is."""
    delivery = answer["delivery"]
    if not answer["source"]:
        return "it captures nothing yet"
    if delivery["key_refused"]:
        return f"the intake refuses the key: {delivery['last_error']}"
    # Before its heartbeat goes what an earlier run has left, which may be hours of events.
    delivers_backlog = answer["counters"]["recovered"] and delivery["last_delivery"]
    if answer["heartbeat_delivered"] or delivers_backlog:
        return ""
    return f"its heartbeat has not arrived: {delivery['last_error'] or 'no answer of the intake'}"
