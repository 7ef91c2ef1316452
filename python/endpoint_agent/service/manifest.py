"""MANIFEST: what the folder of a version holds, written once it is whole.

    4355a46b…  bin/endpoint-agent
    # lib/libpython3.so -> libpython3.11.so.1.0

A line for each file but itself, as sha256sum(1) writes and checks it, and a comment for each link.
They are in the order of a walk: the names of a folder sorted, what is in one right after its name.
Who may change the files may change it, too: it shows damage, and what was changed carelessly.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import stat
import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from endpoint_agent import durable

NAME = "MANIFEST"

# Differences that are told; whoever has made more has made enough.
MAX_DIFFERENCES = 1000

# Bytes. Beyond the last, a file is no part of a version, and is not read on.
BLOCK = 262_144
MAX_LINE = 8_192
MAX_FILE = 1_000_000_000

# Folders within folders.
MAX_DEPTH = 64

# As it stands in the listing of a walk: the names on the way, and what is there.
_Item = tuple[tuple[str, ...], str]

_LINK = "# "
_ARROW = " -> "


class Difference(NamedTuple):
    """A path below the folder, and what is wrong with it."""

    path: str
    what: str
    """`changed`, `missing`, `added`, or `writable`: by others than its owner, or not root's."""

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def write(folder: Path) -> None:
    """Lists a folder in its MANIFEST.

    Raises:
        ValueError: it holds something that is neither file, link nor folder, or a strange name.
        OSError: something in it cannot be read, or the list cannot be written.
    """
    lines = []
    for parts, kind in _walk(folder):
        path = "/".join(parts)
        content = _content(folder / path, kind, _no_pause)
        if not content or not path.isprintable() or "\\" in path or _ARROW in path:
            raise ValueError(f"{folder / path} cannot be listed in {NAME}")
        lines.append(f"{_LINK}{path}{content}\n" if kind == "link" else f"{content}  {path}\n")
    durable.write(folder / NAME, "".join(lines).encode("utf-8"), 0o644)


def verify(folder: Path, pause: Callable[[], None] | None = None) -> list[Difference]:
    """Compares a folder with its MANIFEST; the differences, at most `MAX_DIFFERENCES`.

    Args:
        folder: of a version.
        pause: called after each block of a file. What it raises ends the comparison.

    Raises:
        OSError: a part of it cannot be read.
    """
    found: list[Difference] = []
    for difference in _differences(folder, pause or _no_pause):
        found.append(difference)
        if len(found) == MAX_DIFFERENCES:
            break
    return found


def _differences(folder: Path, pause: Callable[[], None]) -> Iterator[Difference]:
    if not stat.S_ISREG(_mode(folder / NAME)):
        yield Difference(NAME, "missing")
        return
    listed = ((parts, "listed", content) for parts, content in _listed(folder / NAME))
    found = ((parts, "found", kind) for parts, kind in _walk(folder))
    # Both are in the same order, so neither has to be held as a whole.
    by_path = groupby(heapq.merge(listed, found, key=itemgetter(0)), key=itemgetter(0))
    for parts, group in by_path:
        path = "/".join(parts)
        there = {origin: value for _, origin, value in group}
        if "found" not in there:
            yield Difference(path, "missing")
        elif "listed" not in there:
            yield Difference(path, "added")
        elif _content(folder / path, there["found"], pause) != there["listed"]:
            yield Difference(path, "changed")
        elif there["found"] != "link" and _is_open(folder / path):
            yield Difference(path, "writable")


def _listed(manifest: Path) -> Iterator[_Item]:
    """The paths of a MANIFEST and the content of each, as `_content` tells it."""
    with manifest.open("rb") as file:
        while line := file.readline(MAX_LINE).decode("utf-8", "replace").rstrip("\n"):
            if line.startswith(_LINK):
                path, arrow, target = line.removeprefix(_LINK).partition(_ARROW)
                content = arrow + target
            else:
                content, _, path = line.partition("  ")
            yield tuple(path.split("/")), content


def _walk(folder: Path, above: tuple[str, ...] = ()) -> Iterator[_Item]:
    """What is in a folder and below it, but the MANIFEST: `file`, `link`, or what has no place."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        parts = (*above, entry.name)
        if entry.is_symlink():
            yield parts, "link"
        elif entry.is_file(follow_symlinks=False):
            if parts != (NAME,):
                yield parts, "file"
        elif entry.is_dir(follow_symlinks=False) and len(parts) < MAX_DEPTH:
            yield from _walk(Path(entry.path), parts)
        else:
            yield parts, "other"


def _content(path: Path, kind: str, pause: Callable[[], None]) -> str:
    """The digest of a file, or where a link leads; nothing for anything else."""
    if kind == "link":
        return f"{_ARROW}{path.readlink()}"
    return _digest(path, pause) if kind == "file" else ""


def _digest(path: Path, pause: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    block = bytearray(BLOCK)
    view = memoryview(block)
    descriptor = os.open(path, os.O_RDONLY | durable.UNTRAPPED)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        left = MAX_FILE
        while left > 0 and (count := file.readinto(block)):
            digest.update(view[:count])
            left -= count
            pause()
    return digest.hexdigest() if left > 0 else ""


def _is_open(path: Path) -> bool:
    """Whether others than root, or than this user, may change a file."""
    if sys.platform == "win32":
        return False  # No modes are known there; the folder is for administrators alone.
    status = path.lstat()
    return bool(status.st_mode & 0o022) or status.st_uid not in (0, os.geteuid())


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0


def _no_pause() -> None:
    pass
