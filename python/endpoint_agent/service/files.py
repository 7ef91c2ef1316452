"""Changes of files that are whole or not there at all, and can be undone."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from endpoint_agent import _native
from endpoint_agent.durable import link, sync, write
from endpoint_agent.errors import AgentError

__all__ = [
    "Undo",
    "exchange",
    "keep",
    "link",
    "make_folder",
    "remove",
    "remove_empty",
    "sync",
    "sync_all",
    "write",
]


class Undo(ExitStack):
    """What takes back the steps that were done, the last one first, when it is left.

    After `pop_all` it does nothing. What cannot be taken back is told, and the rest still is.
    """

    def add(self, action: Callable[..., Any], *arguments: Any) -> None:
        """Adds what takes back a step that is about to be done."""
        self.callback(_try, action, arguments)


def _try(action: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        action(*arguments)
    except (AgentError, OSError) as error:
        print(f"endpoint-agent: warning: what was done is not all undone: {error}", file=sys.stderr)


def exchange(one: Path, other: Path) -> None:
    """Has two paths change places at once, so that there is something under each all the time.

    Where the kernel or the file system cannot (before Linux 3.15), there is nothing for a moment.
    """
    if sys.platform == "win32":
        failed = errno.ENOSYS
    else:
        failed = _native.exchange(os.fsencode(one), os.fsencode(other))
    if failed in (errno.EINVAL, errno.ENOSYS):
        aside = one.with_name(f"{one.name}.aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
    elif failed:
        raise OSError(failed, os.strerror(failed), str(other))
    for folder in {one.parent, other.parent}:
        sync(folder)


def sync_all(folder: Path) -> None:
    """Waits until all that is below a folder is on the disk, and all else of its file system.

    Not of the others, as os.sync does: one that is lost, as of a server, would never be done.
    """
    if sys.platform == "win32":
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("r+b") as file:
                    os.fsync(file.fileno())
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if failed := _native.sync_file_system(descriptor):
            raise OSError(failed, os.strerror(failed), str(folder))
    finally:
        os.close(descriptor)


def keep(path: Path, undo: Undo) -> None:
    """Has `undo` put back what stands under a path: a file, a link, or nothing."""
    if path.is_symlink():
        undo.add(link, path, path.readlink())
    elif path.exists():
        undo.add(write, path, path.read_bytes(), path.stat().st_mode & 0o7777)
    else:
        undo.add(remove, path)


def make_folder(path: Path, mode: int, undo: Undo) -> None:
    """Makes a folder, and those above it, where it is missing.

    Windows has no modes: there the folder is for the system and administrators alone.
    `undo` removes it with all that is in it by then. A folder that is there keeps its mode.
    """
    if path.is_dir():
        return
    for parent in reversed(path.parents):
        if not parent.is_dir():
            _make(parent, 0o755)
            undo.add(remove_empty, parent)
    _make(path, mode)
    undo.add(remove, path)
    if sys.platform == "win32":
        _native.make_private(str(path))


def _make(path: Path, mode: int) -> None:
    # Whatever the umask, and at once: a kill leaves none with another mode.
    before = os.umask(0)
    try:
        path.mkdir(mode)
    finally:
        os.umask(before)


def remove(path: Path) -> None:
    """Removes a file, a link, or a folder with all that is in it, if it is there."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def remove_empty(path: Path) -> None:
    """Removes a folder if there is nothing in it."""
    with suppress(OSError):
        path.rmdir()
