"""Where an executable file looks for its shared libraries."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

# elf(5), of 64-bit little-endian files.
_MAGIC = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<32xQ14xHH")
_SEGMENT = struct.Struct("<I4xQQ8xQ")
_ENTRY = struct.Struct("<qQ")
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 0, 5, 15, 29


def set_library_path(path: Path, value: str) -> None:
    """Replaces the absolute folders that an executable file names for its libraries.

    Raises:
        ValueError: it names some, and there is no room for the new value.
    """
    data = bytearray(path.read_bytes())
    for place in _library_paths(data):
        old = data[place : data.index(0, place)]
        if old.startswith(b"$ORIGIN"):
            continue
        new = value.encode("ascii")
        if len(new) > len(old):
            raise ValueError(f"{path} looks for its libraries in {old.decode(errors='replace')}")
        data[place : place + len(old)] = new.ljust(len(old), b"\0")
        path.write_bytes(data)


def _library_paths(data: bytes | bytearray) -> Iterator[int]:
    """Where in the file the strings stand."""
    try:
        if not data.startswith(_MAGIC):
            return
        segments = list(_segments(data))
        for kind, offset, _, size in segments:
            if kind != _PT_DYNAMIC:
                continue
            entries = list(_entries(data, offset, size))
            table = next((value for tag, value in entries if tag == _DT_STRTAB), 0)
            for tag, value in entries:
                if tag in (_DT_RPATH, _DT_RUNPATH):
                    yield _offset(segments, table + value)
    except (struct.error, OverflowError):
        return


def _segments(data: bytes | bytearray) -> Iterator[tuple[int, int, int, int]]:
    """Kind, offset in the file, address and size in the file of each."""
    first, size, count = _HEADER.unpack_from(data)
    for number in range(count):
        yield _SEGMENT.unpack_from(data, first + number * size)


def _entries(data: bytes | bytearray, offset: int, size: int) -> Iterator[tuple[int, int]]:
    for place in range(offset, offset + size, _ENTRY.size):
        tag, value = _ENTRY.unpack_from(data, place)
        if tag == _DT_NULL:
            return
        yield tag, value


def _offset(segments: list[tuple[int, int, int, int]], address: int) -> int:
    """Where in the file an address lies."""
    for kind, offset, start, size in segments:
        if kind == _PT_LOAD and start <= address < start + size:
            return offset + address - start
    raise struct.error("an address that is in no segment")
