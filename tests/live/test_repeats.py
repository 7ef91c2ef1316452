"""The same act of a process again: counted by the kernel instead of told, with none left out."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .acts import of, run
from .capture import Capture, Event

pytestmark = pytest.mark.live

# Each is done a hundred times at every place that is given.
FAILED_EXECS = """
import os, sys
for place in sys.argv[1:] * 100:
    try:
        os.execv(place, ["absent"])
    except FileNotFoundError:
        pass
"""
LISTENS = """
import socket, sys
for address in sys.argv[1:] * 100:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, 4321))
        server.listen()
"""
# Nobody listens at the first port.
REFUSED = """
import socket, sys
for address in sys.argv[1:] * 100:
    with socket.socket() as client:
        assert client.connect_ex((address, 1))
"""
SIGNALS = """
import os, sys
for pid in sys.argv[1:] * 100:
    os.kill(int(pid), 19)
"""


def file_of(event: Event) -> str:
    return str(event["file"]["path"])


def address_of(event: Event) -> str:
    return str(event["destination"]["ip"])


def target_of(event: Event) -> str:
    return str(event["sekoiaio"]["target_process"]["pid"])


def check(
    watching: Capture, code: str, places: list[str], action: str, of: Callable[[Event], str]
) -> None:
    """Every act at each place is told or counted; where the kernel counts, few are told."""
    pid, _ = run(code, *places)
    counts: dict[str, list[int]] = {place: [] for place in places}

    def all_are_told(event: Event) -> bool:
        if event["event"]["action"] == action and event["process"]["pid"] == pid:
            repeat = event["sekoiaio"].get("repeat", {"count": 1})
            counts[of(event)].append(repeat["count"])
        return all(sum(numbers) >= 100 for numbers in counts.values())

    watching.wait_for(all_are_told)
    for place, numbers in counts.items():
        assert sum(numbers) == 100, place
        assert watching.audits or len(numbers) < 20, place


def test_failed_execs(watching: Capture, tmp_path: Path) -> None:
    places = [str(tmp_path / name) for name in ("one", "other")]
    check(watching, FAILED_EXECS, places, "process-creation-failed", file_of)


# The kernel sends 64 arguments: what comes behind them may differ.
CUT = """
import os, sys
for count in 64, 65, 66, 66:
    try:
        os.execv(sys.argv[1], ["x"] * count)
    except FileNotFoundError:
        pass
"""


def test_what_was_cut_is_no_repeat(watching: Capture, tmp_path: Path) -> None:
    pid, _ = run(CUT, str(tmp_path / "absent"))
    watching.wait_for(of(pid, "process-ended"))
    told = [event for event in watching.events if of(pid, "process-creation-failed")(event)]
    assert ["repeat" in event["sekoiaio"] for event in told] == [False] * 4


@pytest.mark.ebpf("where a socket that is closed has listened")
def test_listens(watching: Capture) -> None:
    check(watching, LISTENS, ["127.0.0.1", "127.0.0.2"], "listen-for-connections", address_of)


def test_refused_connections(watching: Capture) -> None:
    check(watching, REFUSED, ["127.0.0.1", "127.0.0.2"], "connected-to", address_of)


def test_signals(watching: Capture) -> None:
    sleepers = [subprocess.Popen(["sleep", "1234"]) for _ in range(2)]
    try:
        check(watching, SIGNALS, [str(one.pid) for one in sleepers], "killed-pid", target_of)
    finally:
        for one in sleepers:
            one.kill()
            one.wait()
