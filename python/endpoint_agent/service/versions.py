"""The folder of versions, of which a host has two at most: the one in use and the last good one.

1.2.3      a version, whole
current    a link to the one that runs
good       a link to the last that has proved itself
.lock      held by who installs or updates
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from endpoint_agent.errors import AgentError
from endpoint_agent.service import files
from endpoint_agent.service.places import Places

LOCK = ".lock"
BUSY = "another installation or update is under way; wait for its end"


def target(link: Path) -> str:
    """The version that a link leads to.

    Raises:
        AgentError: it is no link to one.
    """
    try:
        return link.readlink().name
    except OSError as error:
        raise AgentError(f"{link} leads to no version: {error.strerror}; install again") from error


def remove_others(places: Places, *kept: str) -> None:
    """Removes all versions but some, and what earlier tries have left. What cannot be is told."""
    links = (places.current.name, places.good.name, LOCK)
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
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(places.versions / LOCK, flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
