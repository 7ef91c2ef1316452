"""The folder of versions, of which a host has two at most: the one in use and the last good one.

1.2.3      a version, whole
current    a link to the one that runs
good       a link to the last that has proved itself
.lock      held by who installs or updates

On Windows `current` and `good` are files with the version's name: to make a link there takes a
right of its own, and a junction, which does not, cannot be replaced at once. A file can. Beside
them lies `agent.exe`, the command, which reads the first; as the service, while nobody has the
lock, the second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from endpoint_agent import durable
from endpoint_agent.errors import AgentError
from endpoint_agent.service import files
from endpoint_agent.service.places import COMMAND, PACKAGE, VERSIONS, Places

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
BUSY = "another installation or update is under way; wait for its end"


# Bytes of the name of a version.
MAX_NAME = 64

# What else may lie there.
BESIDE = tuple(path.name for path in (COMMAND, PACKAGE) if path.parent == VERSIONS)


def is_set(link: Path) -> bool:
    """Whether there is a link at all."""
    return link.is_file() if sys.platform == "win32" else link.is_symlink()


def point(link: Path, version: str) -> None:
    """Has a link lead to a version, at once."""
    if sys.platform == "win32":
        files.write(link, f"{version}\n".encode("ascii"), 0o644)
    else:
        files.link(link, version)


def target(link: Path) -> str:
    """The version that a link leads to.

    Raises:
        AgentError: it is no link to one.
    """
    try:
        if sys.platform == "win32":
            with link.open(encoding="ascii", errors="replace") as file:
                return Path(file.read(MAX_NAME).strip()).name
        return link.readlink().name
    except OSError as error:
        raise AgentError(f"{link} leads to no version: {error.strerror}; install again") from error


def remove_others(places: Places, *kept: str) -> None:
    """Removes all versions but some, and what earlier tries have left. What cannot be is told."""
    links = (places.current.name, places.good.name, LOCK, *BESIDE)
    for path in places.versions.iterdir():
        if path.name not in (*links, *kept):
            try:
                files.remove(path)
            except OSError as error:
                print(f"endpoint-agent: warning: {path} is left: {error}", file=sys.stderr)


@contextmanager
def alone(places: Places) -> Iterator[bool]:
    """Whether nobody else installs or updates; nobody will until it is left."""
    # Not a lock of the folder itself, which every user could hold.
    flags = os.O_RDWR | os.O_CREAT | durable.UNTRAPPED
    descriptor = os.open(places.versions / LOCK, flags, 0o600)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether nobody else has it; it ends with the descriptor."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
