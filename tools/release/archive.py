"""A tar.gz whose bytes depend on nothing but the names, modes and contents of a folder's files."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path


def write(folder: Path, name: str, target: Path, epoch: int) -> None:
    """Archives a folder.

    Args:
        folder: what is archived, with all that is in it.
        name: what the folder is called in the archive.
        target: the archive.
        epoch: the time of every file, in seconds.
    """

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = epoch
        return member

    # GNU's format, which every tar of a Linux reads: nothing here needs that of POSIX.
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        archive.add(folder, name, recursive=False, filter=plain)
        for path in sorted(folder.rglob("*")):
            # Without the link between two names of one file.
            archive.inodes.clear()
            archive.add(path, f"{name}/{path.relative_to(folder)}", recursive=False, filter=plain)
