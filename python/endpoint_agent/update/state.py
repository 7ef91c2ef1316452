"""What is known of updates, in StateDirectory/update.

    state.json   the last check, and the versions that have failed
    metadata     the newest signed metadata that was seen, so that none older is believed
    events       what happened and the daemon has yet to report, a file each

The command writes it and the daemon reads it; both are root.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from endpoint_agent.envelope import clean, timestamp
from endpoint_agent.service import files

if TYPE_CHECKING:
    from endpoint_agent.envelope import Reporter

FOLDER = "update"
STATE = "state.json"
EVENTS = "events"
METADATA = "metadata"

# Bytes of a file, characters of a reason, versions that are remembered, events that wait.
MAX_FILE = 65_536
MAX_REASON = 1_000
MAX_FAILED = 16
MAX_EVENTS = 64

STARTED = "update-started"
DONE = "updated"
FAILED = "update-failed"
_TYPES = {STARTED: "start", DONE: "change", FAILED: "change"}
_OUTCOMES = {STARTED: "unknown", DONE: "success", FAILED: "failure"}

_NAME = re.compile(r"\d{1,20}\.json", re.ASCII)
_LOGGER = logging.getLogger(__name__)


class State(msgspec.Struct):
    """What `status` tells, and what keeps a version from being tried again."""

    checked: float | None = None
    """When the repository was last asked, in seconds since the epoch."""
    error: str = ""
    """Why it could not be asked then."""
    offered: str = ""
    """The newest version in it."""
    waits: str = ""
    """Why that one is not installed."""
    failed: dict[str, str] = msgspec.field(default_factory=dict)
    """The versions that did not work, and why, the last one last."""
    resumed: dict[str, int] = msgspec.field(default_factory=dict)
    """The version whose trial was cut off, and how often that was taken up again."""

    def fail(self, version: str, reason: str) -> None:
        """Remembers that a version did not work."""
        self.resumed.pop(version, None)
        self.failed.pop(version, None)
        self.failed[version] = clean(reason)[:MAX_REASON]
        while len(self.failed) > MAX_FAILED:
            del self.failed[next(iter(self.failed))]


class Event(msgspec.Struct):
    """Something that happened."""

    action: str
    time: str
    old: str
    new: str
    reason: str


def load(state_directory: Path) -> State:
    """What was written last; nothing known where that is not readable."""
    try:
        return msgspec.json.decode(_read(state_directory / FOLDER / STATE), type=State)
    except (OSError, msgspec.MsgspecError):
        return State()


def save(state_directory: Path, state: State) -> None:
    """Writes it: whole, or not at all."""
    folder = _folder(state_directory)
    files.write(folder / STATE, msgspec.json.encode(state), 0o600)


def tell(state_directory: Path, action: str, old: str, new: str, reason: str) -> None:
    """Leaves an event for the daemon to report."""
    folder = _folder(state_directory) / EVENTS
    folder.mkdir(mode=0o700, exist_ok=True)
    for left in folder.glob(".*"):
        left.unlink()
    event = Event(action, timestamp(), old, new, clean(reason)[:MAX_REASON])
    files.write(folder / f"{time.time_ns()}.json", msgspec.json.encode(event), 0o600)


def report(state_directory: Path, reporter: Reporter) -> None:
    """Reports what was left, each once, or twice if the agent is killed meanwhile.

    What the queue does not keep is reported later.
    """
    folder = state_directory / FOLDER / EVENTS
    try:
        names = sorted(path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except FileNotFoundError:
        return
    for name in names[:MAX_EVENTS]:
        with suppress(msgspec.MsgspecError):
            event = msgspec.json.decode(_read(folder / name), type=Event)
            if event.action in _TYPES:
                if not reporter.report(_members(event), **_others(event)):
                    return
                _LOGGER.info("%s: %s", event.action, event.reason)
        (folder / name).unlink()


def _members(event: Event) -> Mapping[str, Any]:
    return {
        "kind": "event",
        "category": ["host"],
        "type": [_TYPES[event.action]],
        "action": event.action,
        "outcome": _OUTCOMES[event.action],
        "reason": event.reason,
    }


def _others(event: Event) -> Mapping[str, Any]:
    versions = {"old_version": event.old, "new_version": event.new}
    return {"@timestamp": event.time, "action": {"properties": versions}}


def _folder(state_directory: Path) -> Path:
    folder = state_directory / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE)
