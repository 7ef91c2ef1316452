"""What starts services on a host. One of three, chosen by what runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from endpoint_agent.errors import AgentError, UnsupportedError
from endpoint_agent.service.places import Places

if TYPE_CHECKING:
    from endpoint_agent.config import Settings

# Seconds: systemd waits for an agent to stop, and for the next one to capture.
TIMEOUT = 300.0

# The words and nothing of this process's environment, which may hold the key.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
if sys.platform == "win32":
    from endpoint_agent._native import host_folders

    _SYSTEM = host_folders()[1]
    ENVIRONMENT = {"PATH": _SYSTEM, "SystemRoot": str(Path(_SYSTEM).parent)}

UNITS = Path(__file__).with_name("units")

Command = Callable[[Sequence[str]], str]


class Manager(Protocol):
    """Installs one service, the agent's, and starts and stops it."""

    name: str

    follows: bool
    """Whether it learns that another process is the service's now."""

    def files(self, settings: Settings) -> Mapping[Path, tuple[str, int]]:
        """The service's files: text and mode of each."""

    def reload(self) -> None:
        """Has the manager read its files again."""

    def enable(self) -> None:
        """Has the service started at boot."""

    def disable(self) -> None:
        """The contrary, whether it is or not."""

    def restart(self) -> None:
        """Starts the service anew.

        Raises:
            AgentError: it does not start.
        """

    def stop(self) -> None:
        """Stops it if it runs, and waits until it has ended."""

    def is_active(self) -> bool:
        """Whether it runs."""

    def is_stopped(self) -> bool:
        """Whether someone has stopped it, and it did not end by itself."""

    def is_enabled(self) -> bool:
        """Whether it is started at boot."""


def detect(places: Places, call: Command) -> Manager:
    """What manages the services of this host.

    Raises:
        UnsupportedError: nothing that is known.
    """
    if sys.platform == "win32":
        from endpoint_agent.service.windows import Windows

        return Windows(places)
    from endpoint_agent.service import systemd, sysv, upstart

    for kind in (systemd.Systemd, upstart.Upstart, sysv.SysV):
        manager: Manager | None = kind.found(places, call)
        if manager is not None:
            return manager
    raise UnsupportedError(
        "neither systemd, upstart nor SysV init with update-rc.d manages the services here; "
        "have `endpoint-agent run` started by what does"
    )


def call(words: Sequence[str], timeout: float = TIMEOUT) -> str:
    """Runs a command of the host; what it printed.

    Raises:
        AgentError: it cannot be run, fails, or takes more than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            words,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(f"cannot run {' '.join(words)}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise AgentError(f"{' '.join(words)} failed: {' '.join(said) or done.returncode}")
    return done.stdout


def succeeds(call: Command, *words: str) -> bool:
    """Whether a command does what it is to do."""
    try:
        call(words)
    except AgentError:
        return False
    return True


def template(name: str) -> str:
    """A file that is shipped for a manager."""
    return (UNITS / name).read_text(encoding="utf-8")


def is_executable(path: Path) -> bool:
    """Whether there is a program under a path."""
    return path.is_file() and os.access(path, os.X_OK)
