"""More acts than the rings hold: while nobody reads them, and while the capture ends."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from .acts import of, run
from .capture import PATIENCE, Capture, Event, capturing, require_root

pytestmark = pytest.mark.live

# Their records take several times the ring's room.
FILES = 30_000

# Why a program was not run.
SKIPPED = "program busy, at most"

# What is not lost while others can be given up for it.
NEVER = {"fork", "exec", "exit", "identity"}

# An argument that makes an event large: where it takes a second to detach, they overfill a ring
# that nobody reads.
PADDING = "x" * 4096


def flood(folder: Path) -> None:
    """Many files, then a rename, a connection and a program that tries to hide behind them."""
    for number in range(FILES):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
    (folder / "0").rename(folder / "renamed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    subprocess.run(["true", "behind-the-flood"], check=True)


def test_what_is_given_up_under_overload(tmp_path: Path, short_path: Path) -> None:
    require_root()
    capture = Capture(tmp_path)  # attached, and not read yet
    try:
        flood(short_path)
        capture.pipeline.start()
        assert capture.pipeline.ready(20.0 * PATIENCE)
        capture.exec_of("true", "behind-the-flood")
        capture.of_path(str(short_path / "renamed"), "renamed")
        capture.wait_for(
            lambda event: (
                event["event"]["action"] == "connected-to"
                and event["process"]["pid"] == os.getpid()
            )
        )
        capture.stop()
    finally:
        capture.close()

    folders = Counter(event.get("file", {}).get("directory") for event in capture.events)
    lost = losses(capture)
    # Where the kernel may preempt a program, others pass it by, which is no matter of load.
    skipped = {what for what, cause in lost if cause == SKIPPED}
    assert lost.keys() == {("open", "overload"), *((what, SKIPPED) for what in skipped)}
    # All the files are accounted for; those of others on this host are among what was lost.
    created = folders[str(short_path)] - 1  # less the rename
    assert created < FILES <= created + lost["open", "overload"] + lost["open", SKIPPED]
    assert any("no longer" in message or "lost" in message for message in notices(capture))


# More than a process may tell on the ring of execs in a second.
OFTEN = """
import os
for _ in range(200):
    os.seteuid(1)
    os.seteuid(0)
"""


def rename_often(folder: Path, times: int) -> None:
    """Each is an act of its own, and none a repeat."""
    names = folder / "here", folder / "there"
    names[0].touch()
    for number in range(times):
        names[number % 2].rename(names[1 - number % 2])


def send_to_many(times: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(times):
            sender.sendto(b"x", (f"127.2.{number // 256}.{number % 256}", 9))


def listen_often(times: int) -> None:
    for number in range(times):
        with socket.socket() as server:
            # At an address of its own, so that it is no repeat.
            server.bind((f"127.1.{number // 256}.{number % 256}", 0))
            server.listen()


def test_the_order_in_which_acts_are_given_up(tmp_path: Path) -> None:
    """Each flood begins when the one before has taken what it may have of the ring, and is told.

    Of identities, what finds no room beside execs has the last of the ring, which is enough.
    """
    require_root()
    capture = Capture(tmp_path)  # attached, and not read yet
    times = 4_000
    try:
        for number in range(FILES):
            os.close(os.open(tmp_path / str(number), os.O_CREAT | os.O_WRONLY))
        rename_often(tmp_path, times)
        send_to_many(times)
        listen_often(times)
        pid, _ = run(OFTEN)
        capture.pipeline.start()
        assert capture.pipeline.ready(20.0 * PATIENCE)
        capture.wait_for(of(pid, "process-ended"))
        capture.stop()
    finally:
        capture.close()

    told = Counter(
        event["event"]["action"]
        for event in capture.events
        if event.get("process", {}).get("pid") in (pid, os.getpid())
    )
    lost = losses(capture)
    for action, what, done in (
        ("file-created", "open", FILES),
        ("renamed", "rename", times),
        ("sent-to", "datagram", times),
        ("listen-for-connections", "listen", times),
    ):
        assert 0 < told[action] < done <= told[action] + lost[what, "overload"], action
    assert told["changed-identity-of"] == 400
    assert not {what for what, cause in lost if cause != SKIPPED} & NEVER


# Their records take half as much again as the ring of execs has; the other one, files have filled
# as far as they may.
PROGRAMS = 160


def test_a_burst_of_programs_has_the_room_of_the_rest_as_well(tmp_path: Path) -> None:
    require_root()
    capture = Capture(tmp_path)  # attached, and not read yet
    try:
        for number in range(FILES):
            os.close(os.open(tmp_path / str(number), os.O_CREAT | os.O_WRONLY))
        for number in range(PROGRAMS):
            subprocess.run(["true", str(tmp_path), str(number), PADDING], check=True)
        capture.pipeline.start()
        assert capture.pipeline.ready(20.0 * PATIENCE)
        capture.exec_of("true", str(tmp_path), str(PROGRAMS - 1), PADDING)
        capture.stop()
    finally:
        capture.close()

    numbers = [int(event["process"]["args"][2]) for event in starts(capture, tmp_path)]
    assert numbers == list(range(PROGRAMS))
    lost = losses(capture)
    assert lost["open", "overload"] > 0
    assert not {what for what, cause in lost if cause != SKIPPED} & NEVER


def test_what_happens_while_the_programs_are_detached(tmp_path: Path) -> None:
    """Every exec before the one that is no longer seen is there."""
    require_root()
    with capturing(tmp_path) as capture:
        stopping = threading.Thread(target=capture.pipeline.stop)
        number = 0
        while number == 0 or stopping.is_alive():
            subprocess.run(["true", str(tmp_path), str(number), PADDING], check=True)
            if number == 0:
                stopping.start()
            # A reader that gets no CPU has half a second until the ring is full.
            time.sleep(0.005)
            number += 1
        stopping.join()
    numbers = [int(event["process"]["args"][2]) for event in starts(capture, tmp_path)]
    assert numbers
    assert numbers == list(range(len(numbers)))


def losses(capture: Capture) -> Counter[tuple[str, str]]:
    """How many were lost, by what they were and by the cause."""
    lost = Counter[tuple[str, str]]()
    for event in capture.events:
        if event["event"]["action"] == "events-lost":
            loss = event["action"]["properties"]
            lost[loss["what"], loss["cause"]] += loss["count"]
    return lost


def starts(capture: Capture, folder: Path) -> list[Event]:
    """Of the programs whose first argument is the folder, in the order that they were told in."""
    return [
        event
        for event in capture.events
        if event["event"]["action"] == "process-created"
        and event["process"].get("args", [])[1:2] == [str(folder)]
    ]


def notices(capture: Capture) -> list[str]:
    return [message for _, message in capture.pipeline.notices()]
