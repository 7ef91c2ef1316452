"""The next agent, as the one before sees it: it is started, agreed with, and left to its work."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from endpoint_agent import __version__
from endpoint_agent.errors import AgentError, HandoverError
from endpoint_agent.handover.words import (
    AGREED,
    DONE,
    FAILED,
    GRACE,
    LATE,
    PATIENCE,
    POLL,
    READY,
    TAKEN,
    VARIABLE,
    Cut,
    receive,
)
from endpoint_agent.service.places import PROGRAM, VERSIONS
from endpoint_agent.service.sysv import take_place
from endpoint_agent.signals import STOP
from endpoint_agent.update import schedule

if TYPE_CHECKING:
    from endpoint_agent.service.notify import Notifier
    from endpoint_agent.signals import Requests

# Seconds until the next one answers, and until the moment of the change, which doubles whenever it
# was too near.
ANSWER = 10.0
AHEAD = 0.5
TRIES = 5

# Seconds that an agent which nobody would start again stays until the next one is at work.
WATCH = 60.0

_LOGGER = logging.getLogger(__name__)


class Successor:
    """The next agent, as the one before sees it. The main thread alone may use it."""

    def __init__(self, notifier: Notifier, pair: tuple[socket.socket, socket.socket]) -> None:
        """Starts it. `pair`: the sockets over which the two speak, which are closed with it.

        Raises:
            HandoverError: it cannot be started.
        """
        self._notifier = notifier
        self._until = time.monotonic() + PATIENCE
        self._agreed = False
        self._socket, theirs = pair
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
            word = receive(self._socket, 0.0)
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
        word = receive(self._socket, timeout)
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
            if sys.platform == "win32" or not is_possible:
                raise HandoverError(
                    "only a capture by eBPF, and not into a recording, is handed over"
                )
            pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._successor = Successor(notifier, pair)
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
