"""Files that a crash leaves as they were or as they are to be, and never in between."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What children do not get. Windows would translate line feeds, too.
CLOSED = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOINHERIT", "O_BINARY"))

# No link is followed, and no pipe waited for. Windows knows neither: there the folders are closed.
UNTRAPPED = CLOSED | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def part_of(path: Path) -> Path:
    """Where what is to stand under a path is made. A kill may leave it there."""
    return path.with_name(f".{path.name}.part")


def write(path: Path, data: bytes, mode: int) -> None:
    """Puts a file in place, and has it on the disk."""
    part = part_of(path)
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CLOSED, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if sys.platform != "win32":  # There the folder says who may read it.
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def link(path: Path, target: str | Path) -> None:
    """Puts a symbolic link in place, of another one too, at once."""
    part = part_of(path)
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Has the names in a folder on the disk: a new one is there only when its folder is.

    NTFS has them there with the file.
    """
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
