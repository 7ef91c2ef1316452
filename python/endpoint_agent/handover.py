"""One agent takes over from another, as at an update, without a moment that nobody captures.

    the one before                          the next, its child
    starts it ───────────────────────────►  loads and attaches its capture, which tells nothing yet
                 ◄──── ready ─────────────
    picks a moment ahead ──── cut ───────►  tells what happens from then on, into its memory
                 ◄──── agreed, or late ───
    tells what happens until then, drains,
    closes the queue ──────── done ──────►  opens the queue, and goes on

Both capture around the cut, by one clock, so each act is told by one of them. Until both have
agreed, whatever fails ends the next one and leaves the one before as it was. Words go over a pair
of sockets, a packet each; one that is not known, or the end of the other, is a failure.
"""

from __future__ import annotations

import logging
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psutil

from endpoint_agent import __version__, source, support
from endpoint_agent.errors import AgentError, HandoverError
from endpoint_agent.service.places import PROGRAM, VERSIONS
from endpoint_agent.signals import STOP
from endpoint_agent.update import schedule

if TYPE_CHECKING:
    from endpoint_agent._native import StandBy
    from endpoint_agent.config import Settings
    from endpoint_agent.service.notify import Notifier
    from endpoint_agent.signals import Requests

VARIABLE = "ENDPOINT_AGENT_HANDOVER"
"""In the environment of the next one: the number of its socket."""

READY, AGREED, LATE, DONE, TAKEN = b"ready", b"agreed", b"late", b"done", b"taken"
FAILED = b"failed "
_CUT = re.compile(rb"cut (\d{1,19}) (\d{1,19})", re.ASCII)

# Bytes of a word.
MAX_WORD = 4_096

# Seconds: until the next one captures, until it answers, and until the moment of the change, which
# doubles whenever it was too near.
PATIENCE = 120.0
ANSWER = 10.0
AHEAD = 0.5
TRIES = 5

# Seconds after the cut in which programs of the kernel that had begun before it have ended.
GRACE = 0.05

# Seconds between two looks.
POLL = 0.2

# Seconds that an agent which nobody would start again stays until the next one is at work.
WATCH = 60.0

# What tells SysV init's script which process is the service.
PID_FILE = Path("/run/SEKOIAEndpointAgent.pid")

_UCRED = struct.Struct("3i")
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cut:
    """The moment of a change."""

    boot: int
    wall: int
    """In nanoseconds since boot, and since the epoch."""

    @classmethod
    def ahead(cls, seconds: float) -> Cut:
        """The moment in so many seconds."""
        later = int(seconds * 1e9)
        return cls(_since_boot() + later, time.time_ns() + later)

    def wait(self, offset: float = 0.0) -> None:
        """Sleeps until so many seconds after it."""
        left = (self.boot - _since_boot()) / 1e9 + offset
        time.sleep(max(0.0, left))


def _since_boot() -> int:
    if sys.platform == "win32":
        raise NotImplementedError
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _pair() -> tuple[socket.socket, socket.socket]:
    if sys.platform == "win32":
        raise NotImplementedError
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _peer(connection: socket.socket) -> int:
    """The process at the other end."""
    if sys.platform == "win32":
        raise NotImplementedError
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid: int = _UCRED.unpack(credentials)[0]
    return pid


class Successor:
    """The next agent, as the one before sees it. The main thread alone may use it."""

    def __init__(self, notifier: Notifier) -> None:
        """Starts it.

        Raises:
            HandoverError: it cannot be started.
        """
        self._notifier = notifier
        self._until = time.monotonic() + PATIENCE
        self._agreed = False
        self._socket, theirs = _pair()
        with theirs:
            try:
                self._child = subprocess.Popen(
                    command(),
                    env={
                        **os.environ,
                        **notifier.environment(),
                        VARIABLE: str(theirs.fileno()),
                    },
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except OSError as error:
                self._socket.close()
                raise HandoverError(f"it cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        """Its process."""
        return self._child.pid

    @property
    def has_agreed(self) -> bool:
        """Whether it is its turn from the cut on."""
        return self._agreed

    def is_ready(self) -> bool:
        """Whether it is in place.

        Raises:
            HandoverError: it will not be.
        """
        word = self._hear(0.0)
        if word is None and time.monotonic() > self._until:
            raise HandoverError(f"it was not ready after {PATIENCE:.0f} s")
        if word not in (None, READY):
            raise HandoverError(f"it said {word!r} and not that it is ready")
        return word == READY

    def agree(self, tell_until: Callable[[tuple[int, int] | None], bool]) -> None:
        """Agrees on the moment of the change, and waits until that is over.

        Args:
            tell_until: ends at a moment what this agent tells, if that is still to come;
                with none it takes that back.

        Raises:
            HandoverError: it came to nothing, and this agent tells on.
        """
        cut = self._find(tell_until)
        # Until shortly before there is a way back.
        cut.wait(-0.1)
        if self._child.poll() is not None and tell_until(None):
            raise HandoverError(self._end())
        self._agreed = True
        cut.wait(GRACE)

    def _find(self, tell_until: Callable[[tuple[int, int] | None], bool]) -> Cut:
        for attempt in range(TRIES):
            cut = Cut.ahead(AHEAD * 2**attempt)
            self._say(b"cut %d %d" % (cut.boot, cut.wall))
            answer = self._hear(ANSWER)
            if answer is None:
                raise HandoverError(f"it did not answer within {ANSWER:.0f} s")
            if answer not in (AGREED, LATE):
                raise HandoverError(f"it answered {answer!r}")
            if answer == AGREED and tell_until((cut.boot, cut.wall)):
                return cut
        raise HandoverError("the host is too busy: each moment for the change came too soon")

    def done(self, is_to_stop: bool = False) -> None:
        """Tells it, and the service manager, that all is its own from now on.

        Args:
            is_to_stop: a signal that has come meanwhile is meant for it.
        """
        self._notifier.passes_to(self.pid)
        if is_to_stop:
            self._child.terminate()
        self._say(DONE)

    def is_left(self, signals: Requests) -> bool:
        """Whether it needs this agent no more: it is at work, or the service manager sees to it.

        False: it has ended before it was at work, and nobody else would start one.
        """
        end = time.monotonic() + WATCH
        while not self._notifier.is_heard and time.monotonic() < end:
            if stop := signals.wait(POLL, self._socket).intersection(STOP):
                self._child.send_signal(min(stop))
                break
            word = _receive(self._socket, 0.0)
            if word == b"" or (word or b"").startswith(FAILED):
                return False
            if word == TAKEN:
                break
        self._socket.close()
        # It goes on when this process has ended; nobody waits for it.
        self._child.returncode = 0
        return True

    def replace(self) -> NoReturn:
        """Has this process be the agent once more, from the program that it had been started with.

        Raises:
            OSError: it cannot be started.
        """
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(ANSWER)
        self.abort()
        take_place(self.pid)
        words = again()
        os.execv(words[0], words)  # noqa: S606

    def abort(self) -> None:
        """Ends it."""
        self._child.kill()
        self._child.wait()
        self._socket.close()

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # It has ended, which is heard.
            self._socket.send(word)

    def _hear(self, timeout: float) -> bytes | None:
        """Its next word, None where none comes."""
        word = _receive(self._socket, timeout)
        if word == b"":
            raise HandoverError(self._end())
        if word is not None and word.startswith(FAILED):
            raise HandoverError(word.removeprefix(FAILED).decode("utf-8", "replace"))
        return word

    def _end(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            return f"it has ended with status {self._child.wait(ANSWER)}; see the log"
        return "it has closed its socket"


class Change:
    """What an agent does to hand over: one other agent at a time is on its way."""

    def __init__(self) -> None:
        """None is."""
        self._successor: Successor | None = None
        self._failures = 0
        self._failed = ""

    @property
    def has_agreed(self) -> bool:
        """Whether another agent waits for what only one can have."""
        return self._successor is not None and self._successor.has_agreed

    def told(self) -> dict[str, object]:
        """How often no other agent took over, and why at last."""
        return {"failures": self._failures, "failed": self._failed}

    def begin(self, notifier: Notifier, *, is_possible: bool) -> None:
        """Starts the agent that is to take over, unless one is on its way."""
        if self._successor is not None:
            return
        try:
            if not is_possible:
                raise HandoverError(
                    "only a capture by eBPF, and not into a recording, is handed over"
                )
            self._successor = Successor(notifier)
            _LOGGER.info("another agent is to take over, pid %d", self._successor.pid)
        except HandoverError as error:
            self._stay(error)

    def is_made(self, tell_until: Callable[[tuple[int, int] | None], bool]) -> bool:
        """Whether it is another agent's turn. One that cannot take it is ended."""
        if self._successor is None:
            return False
        try:
            if not self._successor.is_ready():
                return False
            self._successor.agree(tell_until)
        except AgentError as error:
            self._successor.abort()
            self._successor = None
            self._stay(error)
            return False
        _LOGGER.info("the agent with pid %d takes over", self._successor.pid)
        return True

    def end(self, signals: Requests | None) -> None:
        """Leaves all to the other agent whose turn it is; ends one that is not that far."""
        if self._successor is None:
            return
        if self._successor.has_agreed:
            is_to_stop = signals is not None and signals.wait(0.0) & set(STOP)
            self._successor.done(bool(is_to_stop))
            if signals is None or is_to_stop or self._successor.is_left(signals):
                return
            _LOGGER.error("the agent with pid %d died taking over", self._successor.pid)
            try:
                self._successor.replace()
            except OSError as error:
                _LOGGER.error("no agent runs any more: %s", error)
        else:
            self._successor.abort()

    def _stay(self, error: AgentError) -> None:
        self._failures += 1
        self._failed = str(error)
        _LOGGER.warning("no other agent takes over, and this one goes on: %s", error)


class Predecessor:
    """The agent before, as the next one sees it."""

    def __init__(self, connection: socket.socket) -> None:
        """Takes the socket that came with the process."""
        self._socket = connection
        self.pid = _peer(connection)
        """Its process."""

    def take_turn(self, stand_by: StandBy, signals: Requests) -> bool:
        """Says that the capture is in place, and waits until the queue is free.

        It is, too, when the agent before has died. False: a signal to stop came before a moment was
        agreed on. One that comes later waits in `signals`: what is in memory then has to be told.

        Raises:
            AgentError: the capture has failed.
            HandoverError: the agent before said what is not known.
        """
        self._say(READY)
        has_cut = False
        stop: frozenset[int] = frozenset()
        while has_cut or not stop:
            stop |= signals.wait(POLL, self._socket).intersection(STOP)
            word = _receive(self._socket, 0.0)
            if word is None:
                continue
            if word in (DONE, b""):
                if word != DONE:
                    _LOGGER.warning("the agent before, pid %d, died handing over", self.pid)
                if not has_cut:
                    now = Cut.ahead(0.0)
                    stand_by.tell_from(now.boot, now.wall)
                if word != DONE:
                    self._wait_end()
                signals.put_back(stop)
                return True
            if (match := _CUT.fullmatch(word)) is None:
                raise HandoverError(f"the agent before said {word[:64]!r}")
            has_cut = True
            is_ahead = stand_by.tell_from(int(match[1]), int(match[2]))
            self._say(AGREED if is_ahead else LATE)
        return False

    def _wait_end(self) -> None:
        """Until it has let go of the queue: what a killed process holds goes bit by bit."""
        end = time.monotonic() + PATIENCE
        while not has_ended(self.pid) and time.monotonic() < end:
            time.sleep(GRACE)

    def failed(self, reason: str) -> None:
        """Says why it will not be."""
        self._say(FAILED + reason.encode("utf-8", "replace")[: MAX_WORD - len(FAILED)])

    def taken(self) -> None:
        """Says that this agent is at work."""
        self._say(TAKEN)

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # It has died, which is heard.
            self._socket.send(word)


def stand_by(before: Predecessor, settings: Settings) -> StandBy:
    """The capture, in place beside that of another agent.

    Raises:
        HandoverError: the settings want another capture than can be handed over.
        AgentError: it cannot be in place.
    """
    from endpoint_agent._native import StandBy

    if settings.capture_source == source.AUDIT:
        raise HandoverError("CaptureSource is audit by now, which is not handed over; restart")
    _LOGGER.info("it takes over from the agent with pid %d", before.pid)
    return StandBy(
        before=before.pid,
        dns=settings.enable_dns_resolutions,
        hash_max_size=settings.hashes_max_size * 1_000_000,
        hash_excluded=list(settings.hashes_excluded_paths),
        tier=settings.capture_tier,
        root=str(support.host_root()),
    )


def has_ended(pid: int) -> bool:
    """Whether a process has ended with all of its threads.

    Its children have another parent before that: as soon as the kernel has begun to end the last.
    """
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def take_place(before: int, path: Path = PID_FILE) -> None:
    """Puts this process where another one, `before`, stood as the service's."""
    try:
        if path.read_text().strip() == str(before):
            path.write_text(f"{os.getpid()}\n")
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        _LOGGER.warning("%s names another process than the agent: %s", path, error)


def predecessor(environment: MutableMapping[str, str] | None = None) -> Predecessor | None:
    """The agent that this one is to take over from, if one has started it.

    Raises:
        HandoverError: the environment says so, and there is no socket.
    """
    environment = os.environ if environment is None else environment
    number = environment.pop(VARIABLE, None)
    if sys.platform == "win32" or number is None:
        return None
    try:
        connection = socket.socket(fileno=int(number))
        connection.set_inheritable(False)
        if (connection.family, connection.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
            raise ValueError("it is another kind of socket")
        return Predecessor(connection)
    except (OSError, ValueError, OverflowError) as error:
        raise HandoverError(f"{VARIABLE} names no socket of an agent: {error}") from error


def command() -> list[str]:
    """What starts the next one: of an installed agent the version that is in use by now."""
    if schedule.is_installed():
        return [str(PROGRAM), *sys.argv[1:]]
    return [sys.executable, *sys.orig_argv[1:]]


def again() -> list[str]:
    """What starts this agent: of an installed one its own version, whatever is in use by now."""
    if schedule.is_installed():
        return [str(VERSIONS / __version__ / "bin/endpoint-agent"), *sys.argv[1:]]
    return command()


def _receive(connection: socket.socket, timeout: float) -> bytes | None:
    """The next word, nothing where the other end is closed, None where no word comes."""
    if not select.select([connection], [], [], timeout)[0]:
        return None
    try:
        return connection.recv(MAX_WORD)
    except OSError:
        return b""
