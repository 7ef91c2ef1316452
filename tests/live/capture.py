"""A pipeline on this kernel, and what it has seen so far."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from endpoint_agent._native import Pipeline, Spool

Event = dict[str, Any]

# How many times as long as usual an emulated machine may take.
PATIENCE = float(os.environ.get("PATIENCE", "1"))

# The running kernel's major and minor number.
KERNEL = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))

# So many that one is missed if any is; an emulated machine takes a tenth of a second for each.
MANY = 1000 if PATIENCE == 1 else 200

# The best tier of programs that is tried, so that the same tests run over each.
TIER = os.environ.get("TIER", "auto")

ENVELOPE = b'"agent":{"id":"live","version":"test"},"host":{"hostname":"live"}'


def require_root() -> None:
    """Skips with the reason where the kernel cannot be asked."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the kernel's events are captured")
    if not Path("/sys/kernel/btf/vmlinux").exists():
        pytest.skip("needs a kernel with BTF: /sys/kernel/btf/vmlinux is missing")


class Capture:
    """Events of this host, in the order they were queued."""

    def __init__(self, folder: Path, source: str = "ebpf", **options: Any) -> None:
        self.source = source
        self.spool = Spool(str(folder / "queue"), max_bytes=1_000_000_000)
        self.pipeline = Pipeline(
            self.spool,
            agent_id="0" * 64,
            envelope=ENVELOPE,
            state_directory=str(folder),
            source=source,
            **{"mute": False, "logins": False, "tier": TIER, **options},
        )
        self.events: list[Event] = []

    @property
    def audits(self) -> bool:
        """Whether the source is the audit system: its records, and /proc when they are read."""
        return self.source == "audit"

    def sees_objects(self) -> bool:
        """Whether files are seen as the kernel's own objects, whatever calls and strings say."""
        return bool({"fentry/d_delete", "kprobe/d_delete"} & self._hooks())

    def sees_changed_objects(self) -> bool:
        """The same of changes that are not their content."""
        return bool({"fexit/chmod_common", "kretprobe/chmod_common"} & self._hooks())

    def sees_32_bit_calls(self) -> bool:
        """Whether calls of 32-bit programs are seen where they are acts of no file."""
        hooks = {"fexit/commit_creds", "kretprobe/commit_creds"}
        return self.audits or bool(hooks & self._hooks())

    def sees_datagrams(self) -> bool:
        """Whether what is sent without a connection is seen."""
        return not self.audits or KERNEL >= (5, 16)

    def sees_rings(self) -> bool:
        """Whether what is asked for through io_uring is seen as such, sockets among it."""
        return "io_uring_complete" in self._hooks()

    def _hooks(self) -> set[str]:
        return {hook for hook, state, _ in self.pipeline.coverage() if state == "attached"}

    def collect(self, most: int = sys.maxsize) -> None:
        """Takes what is queued, that many batches at most: a busy host fills it without end."""
        for _ in range(most):
            batch = self.spool.next_batch(0.0, max_records=10_000, max_wait=0.0)
            if batch is None:
                return
            self.events += [orjson.loads(line) for line in gzip.decompress(batch.body).splitlines()]
            self.spool.ack(batch)

    def wait_for(self, matches: Callable[[Event], bool], timeout: float = 20.0) -> Event:
        """The first event that matches, seen already or within `timeout` seconds."""
        deadline = time.monotonic() + timeout * PATIENCE
        looked = 0
        while True:
            self.collect(most=4)
            for event in self.events[looked:]:
                if matches(event):
                    return event
            looked = len(self.events)
            assert time.monotonic() < deadline, f"not seen among {looked} events"
            time.sleep(0.02)

    def of_path(self, path: str, action: str) -> Event:
        """The first event of an action on a file."""
        return self.wait_for(
            lambda event: (
                event["event"]["action"] == action and event.get("file", {}).get("path") == path
            )
        )

    def exec_of(self, *arguments: str) -> Event:
        """The first exec with these arguments."""
        return self.wait_for(
            lambda event: (
                event["event"]["action"] == "process-created"
                and event["process"].get("args") == list(arguments)
            )
        )

    def exit_of(self, child: subprocess.Popen[Any]) -> Event:
        """The end of a child that succeeds."""
        assert child.wait(60 * PATIENCE) == 0
        return self.wait_for(
            lambda event: (
                event["event"]["action"] == "process-ended" and event["process"]["pid"] == child.pid
            )
        )

    def forget(self) -> None:
        """Leaves word of what it has seen so far, and drops it."""
        self.collect(most=4)
        note(self.source, self.events)
        self.events.clear()

    def stop(self) -> None:
        """Ends the capture and takes the rest."""
        self.pipeline.stop()
        self.collect()

    def close(self) -> None:
        """Ends it, stopped or not, and leaves word of what it has seen."""
        note(self.source, self.events)
        self.pipeline.stop()
        self.spool.close()

    def assert_balance(self) -> None:
        """Both sums of the counters hold, and nothing was lost."""
        assert [message for _, message in self.pipeline.notices()] == []
        self.assert_sums()

    def assert_sums(self) -> None:
        """Both sums of the counters hold: what was lost is counted."""
        count = self.spool.counters()
        entered = count["captured"] + count["reported"]
        left = count["spooled"] + count["filtered"] + count["coalesced"] + count["lost"]
        assert entered == left
        taken = count["delivered"] + count["queued"] + count["evicted"] + count["rejected"]
        assert count["recovered"] + count["spooled"] == taken + count["damaged"]


def note(source: str, events: list[Event]) -> None:
    """Adds to the file $SEEN which actions were seen, for the page of what kernels cover."""
    if place := os.environ.get("SEEN"):
        actions = {event["event"]["action"] for event in events if "action" in event["event"]}
        with Path(place).open("a") as file:
            file.writelines(f"{source} {action}\n" for action in sorted(actions))


@contextmanager
def capturing(folder: Path, may_lose: bool = PATIENCE != 1, **options: Any) -> Iterator[Capture]:
    """A running capture that is stopped and balanced at the end.

    Where it may lose, losses only have to be counted: an emulated machine may be too slow for what
    the tests do at once.
    """
    capture = Capture(folder, **options)
    try:
        capture.pipeline.start()
        assert capture.pipeline.ready(10.0 * PATIENCE)
        yield capture
        capture.stop()
        if may_lose:
            capture.assert_sums()
        else:
            capture.assert_balance()
    finally:
        capture.close()


@contextmanager
def auditing_into(folder: Path, **options: Any) -> Iterator[Capture]:
    """A running capture by the audit system, whose losses, if any, are no failure."""
    folder.mkdir(exist_ok=True)
    capture = Capture(folder, source="audit", **options)
    try:
        capture.pipeline.start()
        assert capture.pipeline.ready(10.0 * PATIENCE)
        yield capture
        capture.stop()
        capture.assert_sums()
    finally:
        capture.close()
