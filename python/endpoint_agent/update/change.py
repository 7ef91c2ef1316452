"""Has the running agent hand over to the version that is in use by now."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from endpoint_agent.errors import AgentError, HandoverError
from endpoint_agent.status import ask

# Seconds that a change may take, and of them without any answer; and between two looks.
CHANGE = 180.0
SILENCE = 60.0
POLL = 0.2


def request(state_directory: Path) -> bool:
    """Has the running agent hand over to the version in use, and waits until it has.

    False where none runs, or it cannot.

    Raises:
        HandoverError: it has not, and goes on as it was.
    """
    answer = _ask(state_directory)
    before = answer.get("handover", {})
    if sys.platform == "win32" or not before.get("possible"):
        return False
    pid = answer["pid"]
    try:
        os.kill(pid, signal.SIGUSR2)
    except ProcessLookupError:
        return False
    answered = now = time.monotonic()
    end = now + CHANGE
    while now < end and now - answered < SILENCE:
        time.sleep(POLL)
        now = time.monotonic()
        if not (answer := _ask(state_directory)):
            continue
        answered = now
        if answer["pid"] != pid:
            return True
        if answer["handover"]["failures"] > before["failures"]:
            raise HandoverError(f"the agent in use goes on: {answer['handover']['failed']}")
    raise HandoverError("the agent in use did not hand over in time")


def _ask(state_directory: Path) -> dict[str, Any]:
    """What the agent answers; nothing where none does."""
    try:
        return ask(state_directory)
    except AgentError:
        return {}
