"""What a run of the agent leaves for the next: whether it ended by itself, and what it saw last.

It is a small file in the state folder. How long a run was alive is told by the time of its last
change and by those of the queue's files, so being alive costs no more than a touch.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from endpoint_agent import durable
from endpoint_agent.trust.settings import Content

FILE_NAME = "run.json"

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

MAX_BYTES = 65_536

_LOGGER = logging.getLogger(__name__)


class Run(msgspec.Struct):
    """One run of the agent."""

    boot_id: str
    pid: int
    started: float
    """Seconds since 1970."""
    version: str
    ended: bool = False
    """It did so by itself, for whatever reason."""
    manifest: str = ""
    """The digest of the program's MANIFEST; nothing where it is no installed one."""
    configuration: dict[str, Content] = {}


def read(state_directory: Path) -> Run | None:
    """What the last run has left. None where that is nothing, or nothing that can be read."""
    path = state_directory / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | durable.UNTRAPPED)
        try:
            return msgspec.json.decode(os.read(descriptor, MAX_BYTES), type=Run)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _LOGGER.warning("how the last run of the agent ended is not known: %s: %s", path, error)
        return None


def write(state_directory: Path, run: Run) -> None:
    """Keeps it for the next one. Where that cannot be, the log says so."""
    path = state_directory / FILE_NAME
    try:
        durable.write(path, msgspec.json.encode(run), 0o600)
    except OSError as error:
        _LOGGER.warning("the next run will not know of this one: %s: %s", path, error.strerror)


def touch(state_directory: Path) -> None:
    """Says that this run is alive."""
    with suppress(OSError):
        path = state_directory / FILE_NAME
        os.utime(path, follow_symlinks=os.utime not in os.supports_follow_symlinks)


def last_alive(state_directory: Path, queue: Path) -> float | None:
    """When a run was last seen, in seconds since 1970. To be asked before the next one begins."""
    times = []
    for folder in (state_directory, queue):
        with suppress(OSError), os.scandir(folder) as entries:
            times += [
                entry.stat(follow_symlinks=False).st_mtime
                for entry in entries
                if folder == queue or entry.name == FILE_NAME
            ]
    return max(times, default=None)


def boot_id() -> str:
    """The kernel's name of this boot; Windows counts its boots. Nothing where none is told."""
    if sys.platform == "win32":
        return _boot_count()
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _boot_count() -> str:
    if sys.platform != "win32":
        return ""
    import winreg

    path = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            return str(winreg.QueryValueEx(key, "BootId")[0])
    except OSError:
        return ""
