"""Whether the files of the configuration have changed, since a look or since the last run."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from endpoint_agent import durable
from endpoint_agent.configfile import MAX_BYTES


class Content(msgspec.Struct, frozen=True):
    """A file, as far as a change of it matters. All is empty where there is none."""

    sha256: str = ""
    mode: int = 0
    uid: int = 0


NOTHING = Content()

Contents = dict[str, Content]


class Files:
    """Watches some files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Reads the files as they are now."""
        self._paths = tuple(paths)
        self._seen = {path: _identity(path) for path in self._paths}
        self.contents: Contents = {str(path): content(path) for path in self._paths}
        """What they hold, by their paths."""

    def changes(self) -> Iterator[tuple[str, Content]]:
        """The files that have changed since the last look, and what they are now."""
        for path in self._paths:
            identity = _identity(path)
            if identity == self._seen[path]:
                continue
            self._seen[path] = identity
            now = content(path)
            if now != self.contents[str(path)]:
                self.contents[str(path)] = now
                yield str(path), now

    def changes_since(self, before: Mapping[str, Content]) -> Iterator[tuple[str, Content]]:
        """The same since what they were `before`. One that was not known then has not changed."""
        for path, now in self.contents.items():
            if before.get(path, now) != now:
                yield path, now


def content(path: Path) -> Content:
    """What a file is now. One that cannot be read is as none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | durable.CLOSED | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return NOTHING
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return NOTHING
        # No configuration is longer.
        digest = hashlib.sha256(os.read(descriptor, MAX_BYTES + 1)).hexdigest()
    except OSError:
        return NOTHING
    finally:
        os.close(descriptor)
    return Content(digest, stat.S_IMODE(status.st_mode), status.st_uid)


def _identity(path: Path) -> tuple[int, ...]:
    """What changes whenever a file is written, replaced, or given other permissions."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
