"""What ends or changes the daemon, as something its main thread waits for: signals, or a flag."""

from __future__ import annotations

import select
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Protocol, Self

STOP: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT)
# Windows lacks them.
RELOAD: int = getattr(signal, "SIGHUP", 1)
HAND_OVER: int = getattr(signal, "SIGUSR2", 12)


class Requests(Protocol):
    """What the main thread of an agent waits for, as numbers of signals."""

    def __enter__(self) -> Self:
        """Takes them from now on."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Takes them no more."""

    def wait(self, timeout: float, *others: socket.socket) -> frozenset[int]:
        """Those that have come, after at most `timeout` seconds, or until another socket has
        something to read."""

    def put_back(self, numbers: Iterable[int]) -> None:
        """Has them come with the next wait."""


def requests(stop: threading.Event | None) -> Requests:
    """The flag where there is one, else this process's signals, for the main thread alone."""
    if stop is not None:
        return Flag(stop)
    return Console() if sys.platform == "win32" else Signals()


class Signals:
    """Takes SIGTERM, SIGINT, SIGHUP and SIGUSR2 while it is entered, for the main thread alone.

    Handlers are used rather than a blocked mask, because children would inherit the mask.
    """

    def __enter__(self) -> Self:
        """Installs the handlers."""
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers = {one: signal.getsignal(one) for one in (*STOP, RELOAD, HAND_OVER)}
        for one in STOP:
            signal.signal(one, self._stop)
        for one in (RELOAD, HAND_OVER):
            signal.signal(one, lambda *_: None)
        from endpoint_agent._native import note_sender

        for one in self._handlers:
            note_sender(one)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Puts back what was before."""
        for one, handler in self._handlers.items():
            signal.signal(one, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._reader.close()
        self._writer.close()

    def wait(self, timeout: float, *others: socket.socket) -> frozenset[int]:
        """The signals that have come, after at most `timeout` seconds, or until another socket has
        something to read."""
        select.select([self._reader, *others], [], [], timeout)
        try:
            return frozenset(self._reader.recv(256))
        except BlockingIOError:
            return frozenset()

    def put_back(self, numbers: Iterable[int]) -> None:
        """Has signals come with the next wait."""
        self._writer.send(bytes(numbers))

    @staticmethod
    def _stop(_number: int, _frame: FrameType | None) -> None:
        """Leaves the next signal to the kernel, which ends the process wherever it hangs."""
        for one in STOP:
            signal.signal(one, signal.SIG_DFL)


class Flag:
    """An event that another thread sets to end the agent."""

    def __init__(self, stop: threading.Event) -> None:
        """Takes the event."""
        self._stop = stop

    def __enter__(self) -> Self:
        """Needs nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves nothing."""

    def wait(self, timeout: float, *others: socket.socket) -> frozenset[int]:
        """SIGTERM once the event is set, after at most `timeout` seconds. Others are not asked."""
        return frozenset(STOP[:1]) if self._stop.wait(timeout) else frozenset()

    def put_back(self, numbers: Iterable[int]) -> None:
        """The event stays set."""


class Console(Flag):
    """What ends a program in a window of Windows: Ctrl-C and Ctrl-Break, within the next wait."""

    def __init__(self) -> None:
        """Takes nothing yet."""
        super().__init__(threading.Event())

    def __enter__(self) -> Self:
        """Installs the handlers."""
        numbers = (*STOP, getattr(signal, "SIGBREAK", signal.SIGINT))
        self._handlers = {one: signal.getsignal(one) for one in numbers}
        for one in self._handlers:
            signal.signal(one, lambda *_: self._stop.set())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Puts back what was before."""
        for one, handler in self._handlers.items():
            signal.signal(one, handler)
