"""Unpacks a bundle: a tar of one version's folder, compressed by gzip.

It is signed, and unpacked by root. So nothing in it is believed that the signature's owner might
have got wrong: what is no plain file, folder or link within the folder is refused, and so is what
is larger than a program can be.
"""

from __future__ import annotations

import gzip
import os
import sys
import tarfile
import zlib
from itertools import dropwhile
from pathlib import Path, PurePosixPath
from typing import IO, cast

from endpoint_agent import durable
from endpoint_agent.errors import UpdateError

# Bytes and members of an unpacked bundle.
MAX_BYTES = 1_000_000_000
MAX_MEMBERS = 50_000
MAX_NAME = 1_024

_BLOCK = 1_048_576


def unpack(bundle: Path, version: str, target: Path) -> None:
    """Unpacks the folder of a version into a new folder.

    All of it belongs to this user, and nobody else can write to it.

    Raises:
        UpdateError: it is no bundle of that version. What is unpacked by then is left.
        OSError: it cannot be read or written.
    """
    target.mkdir(mode=0o755)
    try:
        # As a stream, so that no member can have the others read again and again.
        with gzip.open(bundle) as unzipped:
            bounded = cast("IO[bytes]", _Bounded(unzipped))
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                _unpack(archive, version, target)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise UpdateError(f"the bundle of {version} is damaged: {error}") from error


class _Bounded:
    """A file that ends with an error where it is longer than allowed."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._left = MAX_BYTES

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return data


def _unpack(archive: tarfile.TarFile, version: str, target: Path) -> None:
    folders = {target}
    for count, member in enumerate(archive):
        if count == MAX_MEMBERS:
            raise ValueError(f"more than {MAX_MEMBERS} files")
        path = target / _inside(member.name, version)
        if path == target and member.isdir():
            continue
        if path.parent not in folders:
            raise ValueError(f"{member.name!r} is in no folder of it")
        if member.isdir():
            path.mkdir(mode=0o755)
            folders.add(path)
        elif member.issym():
            _check_link(member, path, target)
            path.symlink_to(member.linkname)
        elif member.isreg():
            _write(archive, member, path)
        else:
            raise ValueError(f"{member.name!r} is neither a file, a folder nor a link")


def _inside(name: str, version: str) -> PurePosixPath:
    """The path of a member below the version's folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or len(name) > MAX_NAME or "\0" in name:
        raise ValueError(f"{name[:MAX_NAME]!r} is no name in it")
    if path.parts[:1] != (version,):
        raise ValueError(f"{name!r} is not below {version}")
    return path.relative_to(version)


def _check_link(member: tarfile.TarInfo, path: Path, target: Path) -> None:
    # Behind a name that is a link itself, `..` leads elsewhere than it reads.
    names = PurePosixPath(member.linkname).parts
    goes_back = ".." in dropwhile(lambda name: name == "..", names)
    leads_to = os.path.normpath(path.parent / member.linkname)
    if goes_back or member.linkname.startswith("/") or not Path(leads_to).is_relative_to(target):
        raise ValueError(f"{member.name!r} is a link that leads out of it")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    mode = 0o755 if member.mode & 0o111 else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | durable.UNTRAPPED
    content = archive.extractfile(member)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        while content is not None and (block := content.read(_BLOCK)):
            file.write(block)
        file.flush()
        if sys.platform != "win32":  # There the folder says who may do what.
            os.fchmod(file.fileno(), mode)
    # By which Python knows whether what it has compiled still holds.
    os.utime(path, (member.mtime, member.mtime))
