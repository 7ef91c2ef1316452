"""What the daemon calls, and the events that come of it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from endpoint_agent.envelope import VERSION, Reporter, clean, timestamp
from endpoint_agent.service import manifest
from endpoint_agent.service.manifest import Difference
from endpoint_agent.trust import program, run, settings
from endpoint_agent.trust.clock import Clock, clocks
from endpoint_agent.trust.program import Verdict, Verifier
from endpoint_agent.trust.run import Run
from endpoint_agent.trust.sender import sender
from endpoint_agent.trust.settings import NOTHING, Content, Files
from endpoint_agent.watches import FILE_NAME as WATCHES

# Differences that an event names.
MAX_NAMED = 64

_LOGGER = logging.getLogger(__name__)


class Guard:
    """Tells what is done to the agent. The main thread alone may use it."""

    def __init__(self, state_directory: Path, queue: Path, config_path: Path) -> None:
        """To be made before the queue is opened, whose files tell when the last run was alive."""
        self._state = state_directory
        self._last_alive = run.last_alive(state_directory, queue)
        self._clock = Clock()
        self._files = Files((config_path, config_path.with_name(WATCHES)))
        self._folder = program.folder()
        self._verifier = Verifier(self._folder, self._tell_differences)
        self._run = Run(run.boot_id(), os.getpid(), clocks()[0], VERSION)
        self._run.configuration = self._files.contents
        if self._folder is not None:
            self._run.manifest = settings.content(self._folder / manifest.NAME).sha256

    def begin(self, reporter: Reporter) -> None:
        """Tells what has become of the last run, and what has changed since. The queue is open."""
        self._reporter = reporter
        if (last := run.read(self._state)) is not None:
            self._tell_end(last)
            for path, content in self._files.changes_since(last.configuration):
                self._tell_file(path, content, "since the last run of the agent")
            is_other = last.manifest and last.manifest != self._run.manifest
            if last.version == VERSION and is_other:
                self._tell_differences([Difference(manifest.NAME, "changed")])
        run.write(self._state, self._run)

    def tick(self) -> None:
        """Looks at the clock and the configuration. To be called every second or so."""
        if jump := self._clock.jump():
            self._tell_jump(jump.before, jump.after)
        changes = list(self._files.changes())
        for path, content in changes:
            self._tell_file(path, content, "while the agent runs, which is to read it again")
        if changes:
            run.write(self._state, self._run)

    def alive(self) -> None:
        """Notes that the agent is. To be called every minute or so."""
        run.touch(self._state)

    def verify(self) -> None:
        """Begins to compare the program with what was installed. To be called once a day."""
        self._verifier.start()

    def verdict(self) -> Verdict:
        """What the last comparison has come to. Any thread may ask."""
        return self._verifier.verdict

    def stopped(self, number: int) -> None:
        """Tells who has the agent end by a signal."""
        self._verifier.stop()
        members = sender(number)
        name = signal.Signals(number).name
        process, user = members.get("process", {}), members.get("user", {})
        if user:
            by = f"process {process.get('pid', 'of elsewhere')} ({process.get('name', 'gone')})"
            reason = f"{name} of {by}, user {user['id']}, ends the agent"
        elif sys.platform == "win32":
            reason = "the manager of services, or its window, ends the agent"
        else:
            reason = f"{name} of the kernel, as by a terminal, ends the agent"
        self._report(
            "stopped-service",
            ["process"],
            "end",
            reason,
            sekoiaio={"target_process": {"pid": os.getpid()}},
            action={"properties": {"signal": number}},
            **members,
        )
        self.end()

    def end(self) -> None:
        """Notes that this run ends by itself."""
        self._verifier.stop()
        if not self._run.ended:
            self._run.ended = True
            run.write(self._state, self._run)

    def _tell_end(self, last: Run) -> None:
        """Tells that the host was booted, or that the agent was ended by force."""
        seen = max(self._last_alive or 0.0, last.started)
        when = {"start": _time(last.started), "end": _time(seen)}
        if last.boot_id != self._run.boot_id:
            if last.ended:
                reason, when = "the host was booted since the last run of the agent", {}
            else:
                reason = f"the host went down without ending the agent, last seen at {when['end']}"
            outcome = "success" if last.ended else "failure"
            self._report("booted-system", ["host"], "start", reason, outcome=outcome, **when)
        elif not last.ended:
            self._report(
                "crashed-program",
                ["process"],
                "end",
                f"the agent was killed, or failed without a word: last seen at {when['end']}",
                outcome="failure",
                process={"pid": last.pid},
                **when,
            )

    def _tell_file(self, path: str, content: Content, when: str) -> None:
        is_gone = content == NOTHING
        file: dict[str, Any] = {
            "path": clean(path),
            "name": clean(Path(path).name),
            "directory": clean(str(Path(path).parent)),
        }
        if not is_gone:
            file |= {
                "mode": f"{content.mode:04o}",
                "uid": str(content.uid),
                "hash": {"sha256": content.sha256},
            }
        self._report(
            "changed-configuration",
            ["configuration"],
            "deletion" if is_gone else "change",
            clean(f"{path} was {'removed' if is_gone else 'changed'} {when}"),
            file=file,
        )

    def _tell_differences(self, differences: list[Difference]) -> None:
        """Also on the thread that verifies."""
        named = [clean(str(difference)) for difference in differences[:MAX_NAMED]]
        self._report(
            "checked-integrity-of",
            ["file"],
            "change",
            f"the program is not what was installed: {named[0]}"
            + (f", and {len(differences) - 1} more" if len(differences) > 1 else ""),
            kind="alert",
            outcome="failure",
            file={"path": str(self._folder)},
            action={"properties": {"differences": named, "count": len(differences)}},
        )

    def _tell_jump(self, before: float, after: float) -> None:
        offset = round(after - before, 3)
        direction = "forward" if offset > 0 else "back"
        self._report(
            "changed-system-time",
            ["host"],
            "change",
            f"the clock was set {direction} by {abs(offset)} s",
            start=_time(before),
            end=_time(after),
            action={"properties": {"offset": offset}},
        )

    def _report(
        self,
        action: str,
        category: list[str],
        type_: str,
        reason: str,
        /,
        *,
        kind: str = "event",
        outcome: str = "success",
        start: str | None = None,
        end: str | None = None,
        **members: Any,
    ) -> None:
        _LOGGER.info("%s: %s", action, reason)
        event: dict[str, Any] = {
            "kind": kind,
            "category": category,
            "type": [type_],
            "action": action,
            "outcome": outcome,
            "reason": reason,
        }
        event |= {name: when for name, when in (("start", start), ("end", end)) if when}
        self._reporter.report(event, **members)


def _time(seconds: float) -> str:
    """As `timestamp`. A file may say what no clock shows."""
    try:
        return timestamp(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return ""
