"""The agent's disk is full, or its files are damaged: it goes on, and says what that cost."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.balance import SUMS
from endpoint_agent.log import RotatingFile

from .capture import require_root
from .daemon import NOWHERE, Agent, Intake, wait

pytestmark = pytest.mark.live

MIB = 1 << 20


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    require_root()
    agent = Agent(tmp_path)
    yield agent
    agent.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    require_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def make_files(folder: Path, count: int) -> None:
    """Causes two events for each file."""
    for number in range(count):
        path = folder / f"noise-{number}"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        path.unlink()


def sees_a_new_file(intake: Intake, folder: Path) -> bool:
    """A file made now is at the intake, or one of those made for the same question before."""
    descriptor, path = tempfile.mkstemp(prefix="after-", dir=folder)
    os.close(descriptor)
    return bool(intake.events(text=path[: path.rindex("-") + 1]))


def losses(intake: Intake) -> list[dict[str, Any]]:
    """What every loss record at the intake says."""
    return [event["action"]["properties"] for event in intake.events(action="events-lost")]


def of_queue(losses: list[dict[str, Any]]) -> list[int]:
    """Counts of the queue's; a kernel that preempts programs may have skipped some besides."""
    return [loss["count"] for loss in losses if loss["place"] == "queue"]


def told_evictions(intake: Intake) -> int:
    """How many records the loss records at the intake say were evicted."""
    return sum(loss["count"] for loss in losses(intake) if loss["cause"] == "the queue was full")


def assert_balance(count: dict[str, int]) -> None:
    assert [one.difference(count) for one in SUMS] == [0, 0]


def test_full_disk_stops_nothing_and_is_told(
    tmp_path: Path, small_disk: Path, intake: Intake, agent: Agent
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(12 * MIB))
    agent.state = small_disk / "state"
    agent.configure(NOWHERE)
    agent.start()
    make_files(tmp_path, 6000)
    wait(lambda: agent.counters()["lost_queue"] > 0)
    assert wait(agent.status)["uptime"] > 0

    ballast.unlink()
    agent.configure(intake.url)
    agent.reload()
    wait(lambda: of_queue(losses(intake)))
    wait(lambda: sees_a_new_file(intake, tmp_path))
    assert agent.stop() == 0

    told = sum(of_queue(losses(intake)))
    last = intake.events(action="stats")[-1]["action"]["properties"]
    assert last["lost_queue"] == told > 0
    assert_balance(last)


def test_damaged_segment_costs_only_what_is_damaged(
    tmp_path: Path, intake: Intake, agent: Agent
) -> None:
    agent.configure(NOWHERE, EventBufferSyncInterval=0)
    agent.start()
    make_files(tmp_path, 500)
    wait(lambda: agent.counters()["queued"] > 900)
    queued = agent.counters()["queued"]
    agent.stop(signal.SIGKILL)

    segment = min((agent.state / "queue").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0x40
    segment.write_bytes(content)

    agent.configure(intake.url)
    agent.start()
    wait(lambda: agent.counters()["delivered"] >= queued - 1)
    wait(lambda: of_queue(losses(intake)))
    assert agent.stop() == 0

    last = intake.events(action="stats")[-1]["action"]["properties"]
    assert last["damaged"] == 1
    assert last["damaged_bytes"] > 0
    assert of_queue(losses(intake)) == [1]
    assert_balance(last)


def test_queue_at_its_limit_evicts_the_oldest_and_says_so(
    tmp_path: Path, intake: Intake, agent: Agent
) -> None:
    agent.configure(NOWHERE, EventBufferCacheSize=1)
    agent.start()
    make_files(tmp_path, 3000)
    wait(lambda: agent.counters()["evicted"] > 0)
    assert agent.counters()["queued_bytes"] <= MIB

    agent.configure(intake.url, EventBufferCacheSize=1)
    agent.reload()
    wait(lambda: told_evictions(intake) == agent.counters()["evicted"])
    assert agent.stop() == 0

    last = intake.events(action="stats")[-1]["action"]["properties"]
    assert told_evictions(intake) == last["evicted"]
    assert_balance(last)
    log = agent.log.read_text()
    assert "lost: record, the queue was full (queue); " in log
    (in_all,) = re.findall("lost in this run: .*", log)
    assert f" {last['evicted']} of record, the queue was full (queue)" in in_all


def test_evictions_before_a_kill_are_told_after_it(
    tmp_path: Path, intake: Intake, agent: Agent
) -> None:
    agent.configure(NOWHERE, EventBufferCacheSize=1)
    agent.start()
    make_files(tmp_path, 3000)
    wait(lambda: agent.counters()["evicted"] > 0)
    make_files(tmp_path, 1000)
    known = agent.counters()["evicted"]
    agent.stop(signal.SIGKILL)

    agent.configure(intake.url, EventBufferCacheSize=1)
    agent.start()
    wait(lambda: told_evictions(intake) >= known)
    assert agent.stop() == 0
    assert_balance(intake.events(action="stats")[-1]["action"]["properties"])


def test_the_log_is_rotated_on_a_full_disk_and_counts_what_it_loses(small_disk: Path) -> None:
    disk = small_disk / "log"
    handler = RotatingFile(disk / "agent.log", max_bytes=MIB, backups=2, compress=True)
    sent = 0

    def log(lines: int) -> None:
        nonlocal sent
        for _ in range(lines):
            message = f"line {sent:06} {os.urandom(500).hex()}"
            handler.handle(logging.LogRecord("", logging.INFO, "", 0, message, None, None))
            sent += 1

    # As many as a file takes.
    log(MIB // 1013)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    # The first of these has it rotated, which needs no room.
    log(100)
    assert {path.name for path in disk.iterdir()} == {"agent.log", "agent.log.1"}
    filler.unlink()
    log(2500)
    handler.close()

    kept = sorted(path.name for path in disk.iterdir())
    assert kept == ["agent.log", "agent.log.1.gz", "agent.log.2.gz"]
    text = "".join(subprocess.check_output(["zcat", "-f", disk / name], text=True) for name in kept)
    lines = text.splitlines()
    assert "(100 lines before this one could not be written)" in lines
    whole = [line for line in lines if line.startswith("line ")]
    assert len(whole) == len(lines) - 1
    assert {len(line) for line in whole} == {1012}
    assert f"line {sent - 1:06} " in text
