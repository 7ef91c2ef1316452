"""The words of two agents, of which one takes over; and who asks them to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpoint_agent.errors import HandoverError
from endpoint_agent.handover import Predecessor, predecessor, successor
from endpoint_agent.handover.predecessor import has_ended
from endpoint_agent.handover.successor import Successor
from endpoint_agent.handover.words import AGREED, DONE, LATE, MAX_WORD, READY, VARIABLE, Cut
from endpoint_agent.service.notify import Notifier
from endpoint_agent.service.sysv import take_place
from endpoint_agent.signals import Signals

# The next agent: it says and hears what its arguments tell.
NEXT = f"""
import os, socket, sys, time
connection = socket.socket(fileno=int(os.environ["{VARIABLE}"]))
for word in sys.argv[1:]:
    if word == "hear":
        heard = connection.recv(4096)
        print(heard.split()[0].decode(), flush=True)
    elif word == "wait":
        time.sleep(60)
    else:
        connection.send(word.encode())
"""


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(successor, "AHEAD", 0.15)
    monkeypatch.setattr(successor, "POLL", 0.01)
    monkeypatch.setattr(predecessor, "POLL", 0.01)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Successor]]:
    started = []

    def start(*words: str, notifier: Notifier | None = None) -> Successor:
        monkeypatch.setattr(successor, "command", lambda: [sys.executable, "-c", NEXT, *words])
        started.append(Successor(notifier or Notifier({}), pair()))
        return started[-1]

    yield start
    for one in started:
        one.abort()


class Told:
    """What this agent tells."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.cuts: list[tuple[int, int] | None] = []

    def until(self, cut: tuple[int, int] | None) -> bool:
        self.cuts.append(cut)
        return self.answers.pop(0) if self.answers else True


def wait_ready(one: Successor) -> None:
    while not one.is_ready():
        time.sleep(0.01)


def test_the_change(start: Callable[..., Successor], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        one = start("ready", "hear", "agreed", "hear", "wait", notifier=notifier)
        wait_ready(one)
        told = Told()
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        one.agree(told.until)
        assert one.has_agreed
        [cut] = told.cuts
        assert cut is not None
        assert before < cut[0] < time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        assert abs(cut[1] - time.time_ns()) < 60_000_000_000
        one.done()
        assert manager.recv(100) == f"MAINPID={one.pid}".encode()


@pytest.mark.parametrize(
    ("words", "is_left"), [(["taken", "wait"], True), (["failed it"], False), ([], False)]
)
def test_nobody_is_left_who_could_start_an_agent(
    start: Callable[..., Successor], words: list[str], *, is_left: bool
) -> None:
    one = start("ready", "hear", "agreed", "hear", *words)
    wait_ready(one)
    one.agree(Told().until)
    with Signals() as signals:
        one.done()
        assert one.is_left(signals) is is_left


def test_the_service_manager_would_start_one(
    start: Callable[..., Successor], tmp_path: Path
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    one = start("ready", notifier=notifier)
    wait_ready(one)
    with Signals() as signals:
        assert one.is_left(signals)


def test_a_signal_that_comes_late_is_passed_on(start: Callable[..., Successor]) -> None:
    one = start("ready", "wait")
    wait_ready(one)
    with Signals() as signals:
        signals.put_back([signal.SIGTERM])
        assert one.is_left(signals)
    assert os.waitpid(one.pid, 0)[1] == signal.SIGTERM


def test_a_moment_that_came_too_soon_is_replaced(start: Callable[..., Successor]) -> None:
    one = start("ready", "hear", "late", "hear", "agreed", "hear", "agreed", "wait")
    wait_ready(one)
    told = Told(False, True)
    one.agree(told.until)
    first, second = told.cuts
    assert first is not None
    assert second is not None
    assert second[0] > first[0]


def test_a_host_that_is_too_busy(start: Callable[..., Successor]) -> None:
    one = start("ready", *("hear", "late") * successor.TRIES, "wait")
    wait_ready(one)
    told = Told()
    with pytest.raises(HandoverError, match="too busy"):
        one.agree(told.until)
    assert told.cuts == []
    assert not one.has_agreed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "it has ended with status 0"),
        (["agreed", "wait"], "and not that it is ready"),
        (["", "wait"], "it has"),
        (["failed the kernel is too old"], "^the kernel is too old$"),
        (["x" * 9_000, "wait"], "and not that it is ready"),
    ],
)
def test_one_that_will_not_be_ready(
    start: Callable[..., Successor],
    words: list[str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if words == ["", "wait"]:
        monkeypatch.setattr(successor, "ANSWER", 0.1)
    one = start(*words)
    with pytest.raises(HandoverError, match=reason):
        wait_ready(one)


def test_one_that_takes_too_long(
    start: Callable[..., Successor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(successor, "PATIENCE", 0.05)
    one = start("wait")
    with pytest.raises(HandoverError, match="it was not ready after 0 s"):
        wait_ready(one)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["hear"], "it has ended"),
        (["hear", "done", "wait"], "it answered b'done'"),
        (["hear", "wait"], "it did not answer within"),
    ],
)
def test_one_that_fails_at_the_moment(
    start: Callable[..., Successor],
    words: list[str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = start("ready", *words)
    wait_ready(one)
    if words == ["hear", "wait"]:
        monkeypatch.setattr(successor, "ANSWER", 0.1)
    told = Told()
    with pytest.raises(HandoverError, match=reason):
        one.agree(told.until)
    assert told.cuts == []


def test_one_that_dies_before_the_moment_is_taken_back(
    start: Callable[..., Successor], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = start("ready", "hear", "agreed")
    monkeypatch.setattr(Cut, "wait", lambda *_: one._child.wait())
    wait_ready(one)
    told = Told()
    with pytest.raises(HandoverError, match="it has ended with status 0"):
        one.agree(told.until)
    assert told.cuts[1:] == [None]


def test_what_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successor, "command", lambda: ["/nowhere/agent"])
    with pytest.raises(HandoverError, match=r"it cannot be started: .*/nowhere/agent"):
        Successor(Notifier({}), pair())


class MockStandBy:
    """A mock of a capture that waits."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.cuts: list[tuple[int, int]] = []

    def tell_from(self, boot: int, wall: int) -> bool:
        self.cuts.append((boot, wall))
        return self.answers.pop(0) if self.answers else True


class Before:
    """The agent before, which says its words, and what it heard."""

    def __init__(self) -> None:
        self.socket, theirs = pair()
        self.socket.settimeout(10)
        self.one = Predecessor(theirs, os.getpid())

    def take_turn(self, stand_by: MockStandBy, *words: bytes) -> bool:
        for word in words:
            self.socket.send(word)
        if DONE not in words:
            self.socket.shutdown(socket.SHUT_WR)
        with Signals() as signals:
            return self.one.take_turn(stand_by, signals)  # type: ignore[arg-type]

    def heard(self, count: int) -> list[bytes]:
        return [self.socket.recv(4096) for _ in range(count)]


def test_it_tells_from_the_moment_on() -> None:
    before, stand_by = Before(), MockStandBy()
    assert before.take_turn(stand_by, b"cut 12 34", DONE)
    assert stand_by.cuts == [(12, 34)]
    assert before.heard(2) == [READY, AGREED]


def test_a_moment_that_is_over_is_refused() -> None:
    before, stand_by = Before(), MockStandBy(False)
    assert before.take_turn(stand_by, b"cut 12 34", b"cut 56 78", DONE)
    assert stand_by.cuts == [(12, 34), (56, 78)]
    assert before.heard(3) == [READY, LATE, AGREED]


@pytest.mark.parametrize("words", [(), (b"cut 1 2",)])
def test_an_agent_that_dies_leaves_its_turn(
    words: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predecessor, "has_ended", lambda _: True)
    before, stand_by = Before(), MockStandBy()
    assert before.take_turn(stand_by, *words)
    assert len(stand_by.cuts) == 1


def test_the_turn_comes_when_an_agent_that_dies_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    before, stand_by = Before(), MockStandBy()
    answers = iter([False, False, True])
    monkeypatch.setattr(predecessor, "has_ended", lambda _: next(answers))
    assert before.take_turn(stand_by)
    assert list(answers) == []


def test_a_process_has_ended_with_its_last_thread() -> None:
    words = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        assert not has_ended(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(process.pid)
    assert has_ended(process.pid)


@pytest.mark.parametrize(
    "word",
    [b"ready", b"cut", b"cut 1", b"cut -1 2", b"cut 1 2 3", b"cut 1 2\n", b"cut " + b"9" * 40],
)
def test_words_that_are_not_known(word: bytes) -> None:
    before, stand_by = Before(), MockStandBy()
    with pytest.raises(HandoverError, match="the agent before said"):
        before.take_turn(stand_by, word, DONE)
    assert stand_by.cuts == []


def test_a_signal_ends_the_wait() -> None:
    before = Before()
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not before.one.take_turn(MockStandBy(), signals)  # type: ignore[arg-type]


def test_a_signal_after_the_moment_waits() -> None:
    before, stand_by = Before(), MockStandBy()
    before.socket.send(b"cut 1 2")
    with Signals() as signals:
        threading.Timer(0.1, before.socket.send, (DONE,)).start()

        def stop(boot: int, wall: int) -> bool:
            os.kill(os.getpid(), signal.SIGTERM)
            return True

        stand_by.tell_from = stop  # type: ignore[method-assign]
        assert before.one.take_turn(stand_by, signals)  # type: ignore[arg-type]
        assert signals.wait(10.0) == {signal.SIGTERM}


def test_why_it_fails_is_said_in_one_word() -> None:
    before = Before()
    before.one.failed("no \N{SNOWMAN} " + "x" * 9_000)
    [word] = before.heard(1)
    assert word.startswith("failed no \N{SNOWMAN} xxx".encode())
    assert len(word) == MAX_WORD


def test_the_socket_of_the_environment() -> None:
    assert Predecessor.found({"OTHER": "1"}) is None
    ours, theirs = pair()
    number = os.dup(theirs.fileno())
    environment = {VARIABLE: str(number), "OTHER": "1"}
    found = Predecessor.found(environment)
    assert found is not None
    assert found.pid == os.getpid()
    assert environment == {"OTHER": "1"}
    assert not os.get_inheritable(number)
    ours.close()


@pytest.mark.parametrize("text", ["", "x", "-1", "99999", "9" * 30])
def test_no_socket_in_the_environment(text: str) -> None:
    with pytest.raises(HandoverError, match=f"{VARIABLE} names no socket"):
        Predecessor.found({VARIABLE: text})


def test_another_kind_of_socket_in_the_environment() -> None:
    ours, theirs = socket.socketpair()
    with pytest.raises(HandoverError, match="another kind"):
        Predecessor.found({VARIABLE: str(os.dup(theirs.fileno()))})
    ours.close()


def test_the_file_of_sysv_init(tmp_path: Path) -> None:
    path = tmp_path / "agent.pid"
    take_place(os.getpid(), path)
    assert not path.exists()
    path.write_text(f"{os.getppid()}\n")
    take_place(os.getpid(), path)
    assert path.read_text() == f"{os.getppid()}\n"
    take_place(os.getppid(), path)
    assert path.read_text() == f"{os.getpid()}\n"


def test_the_words_are_read_while_signals_come(start: Callable[..., Successor]) -> None:
    """A signal ends a wait for a word early, and costs none."""
    one = start("hear", "ready", "wait")
    with Signals() as signals:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGHUP)).start()
        assert signals.wait(10.0, one._socket) == {signal.SIGHUP}
        one._say(b"cut 1 2")
        assert signals.wait(10.0, one._socket) == frozenset()
    assert one.is_ready()
