"""The agent and its intake beside a workload."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tests.live.daemon import Agent, Intake, wait

from endpoint_agent.balance import SUMS
from meter import cpu_seconds, forget_peak, peak_megabytes

# Seconds. The intake gets what CPU the others leave, so it may take long to have everything.
DELIVERY = 300.0
QUIET = 1.0
POLL = 0.5

_, OUT_OF_QUEUE = SUMS
SETTLED = [name for name in OUT_OF_QUEUE.right if name != "queued"]


class OtherMachine(Intake):
    """The intake, which would run on another machine: it only takes CPU that nobody wants."""

    def __init__(self, folder: Path) -> None:
        """Starts it."""
        super().__init__(folder)
        os.sched_setscheduler(self._process.pid, os.SCHED_IDLE, os.sched_param(0))
        self._database = folder / "data" / "events.db"

    def select(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Rows of its table `events`; an event itself is in the column `raw`."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    def last(self) -> int:
        """The `id` of the newest event."""
        ((last,),) = self.select("SELECT coalesce(max(id), 0) FROM events")
        return int(last)


class Sink(OtherMachine):
    """An intake that keeps nothing, so that there is nothing to select.

    The work of one that keeps all is more than the agent's own, and even on a core that nobody
    wants it slows the others of the same silicon.
    """

    def __init__(self) -> None:
        """Starts it."""
        command = [sys.executable, Path(__file__).parent / "load" / "sink.py"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        os.sched_setscheduler(self._process.pid, os.SCHED_IDLE, os.sched_param(0))

    def last(self) -> int:
        """None."""
        return 0


class Watch(NamedTuple):
    """A run of the agent, from when it was at rest until it was told to stop."""

    cpu_seconds: float
    counters: dict[str, int]
    """Its counters, as it was told to stop."""
    first: int
    """The `id` of its first event at the intake …"""
    last: int
    """… and of its last."""


class Host:
    """An agent that is started and stopped, and an intake that stays."""

    def __init__(self, folder: Path, intake: OtherMachine | None = None) -> None:
        """Starts an intake that keeps all, if none is given. `folder` takes all files."""
        self.intake = intake or OtherMachine(folder / "intake")
        self.peak_at_start = 0.0
        """Most memory an agent had resident until it was at rest, in 10⁶ bytes …"""
        self.peak = 0.0
        """… and after that."""
        self._agent = Agent(folder)
        self._begun = (0.0, 0)

    def start(self, **settings: object) -> None:
        """Starts the agent and waits for its first delivery, whose connection costs most.

        Settings are the defaults or these.
        """
        self._agent.configure(self.intake.url, **settings)
        first = self.intake.last() + 1
        self._agent.start()
        self.settle()
        pid = self.pid
        self.peak_at_start = max(self.peak_at_start, peak_megabytes(pid))
        forget_peak(pid)
        self._begun = (cpu_seconds(pid), first)

    @property
    def pid(self) -> int:
        """The agent's process."""
        return int(wait(self._agent.status)["pid"])

    def counters(self) -> dict[str, int]:
        """The agent's counters."""
        return self._agent.counters()

    def settle(self) -> None:
        """Waits until the intake has what has happened so far."""
        time.sleep(QUIET)
        counters = self.counters()
        happened = sum(counters[name] for name in OUT_OF_QUEUE.left)

        def is_delivered() -> bool:
            time.sleep(POLL)
            counters = self.counters()
            return sum(counters[name] for name in SETTLED) >= happened

        wait(is_delivered, DELIVERY)

    def stop(self) -> Watch:
        """Settles and stops the agent, which then reports what it had still to count."""
        self.settle()
        pid, counters = self.pid, self.counters()
        (before, first), after = self._begun, cpu_seconds(pid)
        self.peak = max(self.peak, peak_megabytes(pid))
        assert self._agent.stop() == 0
        return Watch(after - before, counters, first, self.intake.last())

    def close(self) -> None:
        """Ends what still runs."""
        self._agent.kill()
        self.intake.stop()
