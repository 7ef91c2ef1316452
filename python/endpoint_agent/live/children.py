"""The intake and the agent as processes of their own, which do not outlive this one."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from endpoint_agent.errors import AgentError, NotPermittedError
from endpoint_agent.live.lines import printable

PATIENCE = 20.0
"""Seconds that a child has to end, before it is killed. The agent drains its queue for 5."""
LAST_LINES = 10
_LAST_BYTES = 16_384
_SAID = "endpoint-agent: "
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ChildEndedError(AgentError):
    """A child has ended though nobody asked it to; told in its own words where they say why."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Child:
    """A command of this package in a process and a session of its own.

    The terminal's Ctrl-C does not reach it: who is stopped first is decided here.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        """Starts it. What it prints, and the agent's log, goes to the file `log`.

        Raises:
            AgentError: the host does not let it start.
        """
        self._name = name
        self._log = log
        # -P: a module in the current folder is not for root to run.
        command = [sys.executable, "-P", "-m", "endpoint_agent", *arguments]
        try:
            self._process = _start(command, log, {**os.environ, **environment})
        except (OSError, subprocess.SubprocessError) as error:
            raise AgentError(
                f"cannot start the {name}: {error}; see what limits processes and files"
            ) from error

    def check(self, patience: float = 0.0) -> None:
        """Makes sure that it runs, and does not end within `patience` seconds.

        Raises:
            ChildEndedError: it does not run.
        """
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return
        lines = self.output().splitlines()
        said = [line.removeprefix(_SAID) for line in lines if line.startswith(_SAID)]
        if status == NotPermittedError.exit_status and said:
            raise ChildEndedError(printable(said[-1]), status)
        last = "".join(f"\n  {printable(line)}" for line in lines[-LAST_LINES:])
        raise ChildEndedError(
            f"the {self._name} has ended by itself ({_how(status)}); "
            f"its last lines:{last or ' none'}",
            1,
        )

    def output(self) -> str:
        """The end of what it has printed."""
        with self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_BYTES))
            return log.read(_LAST_BYTES).decode("utf-8", "backslashreplace")

    def stop(self) -> None:
        """Ends it, if it still runs: first asked to, then killed."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _start(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    return f"killed by signal {-status}, {signal.strsignal(-status)}"


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
