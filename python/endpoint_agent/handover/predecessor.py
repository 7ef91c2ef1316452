"""The agent before, as the next one sees it: it is waited for, and its turn is taken."""

from __future__ import annotations

import logging
import os
import re
import socket
import struct
import sys
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import psutil

from endpoint_agent import source, support
from endpoint_agent.errors import HandoverError
from endpoint_agent.handover.words import (
    AGREED,
    DONE,
    FAILED,
    GRACE,
    LATE,
    MAX_WORD,
    PATIENCE,
    POLL,
    READY,
    TAKEN,
    VARIABLE,
    Cut,
    receive,
)
from endpoint_agent.signals import STOP

if TYPE_CHECKING:
    from endpoint_agent._native import StandBy
    from endpoint_agent.config import Settings
    from endpoint_agent.signals import Requests

_CUT = re.compile(rb"cut (\d{1,19}) (\d{1,19})", re.ASCII)
_UCRED = struct.Struct("3i")
_LOGGER = logging.getLogger(__name__)


class Predecessor:
    """The agent before, as the next one sees it."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        """Takes the socket that came with the process, and whose it is."""
        self._socket = connection
        self.pid = pid
        """Its process."""

    @classmethod
    def found(cls, environment: MutableMapping[str, str] | None = None) -> Self | None:
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
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
            return cls(connection, _UCRED.unpack(credentials)[0])
        except (OSError, ValueError, OverflowError) as error:
            raise HandoverError(f"{VARIABLE} names no socket of an agent: {error}") from error

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
            word = receive(self._socket, 0.0)
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
