"""The signals of the daemon, as something its main thread waits for."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Self

from endpoint_agent._native import note_sender

STOP = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP
HAND_OVER = signal.SIGUSR2


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
