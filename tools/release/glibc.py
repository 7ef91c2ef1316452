"""Tells the oldest glibc that the files of a folder or of a wheel run with: `glibc.py PATH...`."""

from __future__ import annotations

import re
import sys
import tempfile
import zipfile
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

Version = tuple[int, ...]

FLOOR: Version = (2, 17)
"""What is promised: that of CentOS 7."""

_SYMBOLS = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")


def needed(path: Path) -> Version | None:
    """The newest version that an ELF file asks of glibc, none for any other file.

    A file that asks for none, as a static one, needs version 0.
    """
    with path.open("rb") as file:
        try:
            elf = ELFFile(file)
            sections = [one for one in elf.iter_sections() if isinstance(one, GNUVerNeedSection)]
            names = [
                auxiliary.name
                for section in sections
                for _, auxiliaries in section.iter_versions()
                for auxiliary in auxiliaries
            ]
        except ELFError:
            return None
    found = [match[1] for name in names if (match := _SYMBOLS.fullmatch(name))]
    return max((tuple(map(int, one.split("."))) for one in found), default=(0,))


def needed_below(folder: Path) -> dict[Path, Version]:
    """What each ELF file in a folder needs."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path: version for path in paths if (version := needed(path)) is not None}


def needed_in(wheel: Path) -> dict[Path, Version]:
    """What each ELF file in a wheel needs."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        found = needed_below(Path(folder))
        return {path.relative_to(folder): version for path, version in found.items()}


def main() -> int:
    """Prints what each file needs, the newest last; 1 where that is more than is promised."""
    found: dict[Path, Version] = {}
    for path in map(Path, sys.argv[1:]):
        found |= needed_below(path) if path.is_dir() else needed_in(path)
    for path, version in sorted(found.items(), key=lambda item: item[1]):
        print(".".join(map(str, version)), path)
    return int(max(found.values(), default=(0,)) > FLOOR)


if __name__ == "__main__":
    sys.exit(main())
