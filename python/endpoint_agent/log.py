"""The agent's own log: one file that is rotated by size, and its warnings as events."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from endpoint_agent import durable
from endpoint_agent.errors import ADMINISTRATOR, AgentError, NotPermittedError

if TYPE_CHECKING:
    from endpoint_agent.config import Settings

LOGGER = logging.getLogger("endpoint_agent")

_MEGABYTE = 1_000_000
# Control characters but the line feed, which is told by indenting what follows it.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(10), *range(11, 32), *range(127, 160))}


def start(settings: Settings) -> None:
    """Directs the log of the package as the settings say, in place of what was before.

    Raises:
        AgentError: the file cannot be opened. The log stays as it was.
    """
    handler = _handler(settings)
    handler.setFormatter(LineFormatter())
    before = [old for old in LOGGER.handlers if isinstance(old, RotatingFile | Stderr)]
    LOGGER.addHandler(handler)
    for old in before:
        LOGGER.removeHandler(old)
        old.close()
    LOGGER.setLevel(settings.log_level.upper())
    LOGGER.propagate = False


def _handler(settings: Settings) -> RotatingFile | Stderr:
    if str(settings.log_file) == "-":
        return Stderr()
    return RotatingFile(
        Path(settings.log_file),
        max_bytes=settings.log_max_size * _MEGABYTE,
        backups=settings.log_max_backups,
        compress=settings.log_compress,
    )


class LineFormatter(logging.Formatter):
    """`2026-01-19T12:50:54.116Z WARNING message`; further lines of a message are indented.

    What an attacker names can thus neither forge a line nor reach a terminal as control code.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, or several of which all but the first are indented."""
        message = super().format(record).translate(_ESCAPES).replace("\n", "\n    ")
        when = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        return f"{when.isoformat(timespec='milliseconds')}Z {record.levelname} {message}"


class Stderr(logging.Handler):
    """Writes lines to standard error. A reader that went away costs only the lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        with suppress(OSError, ValueError):
            line = self.format(record) + "\n"
            sys.stderr.buffer.write(line.encode("utf-8", "backslashreplace"))
            sys.stderr.buffer.flush()


class RotatingFile(logging.Handler):
    """Writes lines to `agent.log`, and keeps `agent.log.1.gz`, `agent.log.2.gz`, … of before.

    A line that cannot be written, as on a full disk, is counted; the count is written before the
    first line that can be.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int, compress: bool) -> None:
        """Opens the file, making its folder. Where the disk is full, the first line tries again.

        Raises:
            AgentError: it cannot be opened.
        """
        super().__init__()
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._compress = compress
        self._unwritten = 0
        self._descriptor = -1
        with _told(path):
            self._descriptor = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        lines = self.format(record) + "\n"
        if self._unwritten:
            lines = f"({self._unwritten} lines before this one could not be written)\n{lines}"
        try:
            self._write(lines.encode("utf-8", "backslashreplace"))
            self._unwritten = 0
        except OSError:
            self._unwritten += 1

    def close(self) -> None:
        """Closes the file."""
        self.acquire()
        try:
            self._shut()
        finally:
            self.release()
        super().close()

    def _write(self, data: bytes) -> None:
        """Writes all of the data or none."""
        size = self._size()
        if size and size + len(data) > self._max_bytes:
            self._rotate()
            size = 0
        if os.write(self._descriptor, data) < len(data):
            os.ftruncate(self._descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _size(self) -> int:
        """Bytes of the file, which is opened anew when it has been removed or was lost."""
        if self._descriptor >= 0:
            status = os.fstat(self._descriptor)
            if status.st_nlink:
                return status.st_size
            self._shut()
        self._descriptor = self._open()
        return os.fstat(self._descriptor).st_size

    def _open(self) -> int:
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        return _open_own(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def _shut(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _rotate(self) -> None:
        """Moves the file to number 1 and each of the earlier ones on, and starts a new file."""
        self._shut()
        for number in range(self._backups, 0, -1):
            for suffix in ("", ".gz"):
                with suppress(FileNotFoundError):
                    self._move_on(number, suffix)
        if self._backups:
            first = self._numbered(1)
            self._path.replace(first)
            if self._compress:
                _compress(first)
        else:
            self._path.unlink()
        self._descriptor = self._open()

    def _move_on(self, number: int, suffix: str) -> None:
        old = self._numbered(number, suffix)
        if number == self._backups:
            old.unlink()
        else:
            old.replace(self._numbered(number + 1, suffix))

    def _numbered(self, number: int, suffix: str = "") -> Path:
        return self._path.with_name(f"{self._path.name}.{number}{suffix}")


def _open_own(path: Path, flags: int) -> int:
    """Opens a regular file of this user: where others may write to the folder, what stands under
    the name may be a trap of theirs."""
    descriptor = os.open(path, flags | durable.UNTRAPPED, 0o600)
    status = os.fstat(descriptor)
    is_own = sys.platform == "win32" or status.st_uid == os.geteuid()
    if stat.S_ISREG(status.st_mode) and is_own:
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file of the agent's user")


def _compress(path: Path) -> None:
    """Replaces a file by its gzip. Where there is no room for that the file stays as it is."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with (
            os.fdopen(_open_own(path, os.O_RDONLY), "rb") as source,
            os.fdopen(_open_own(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as sink,
            # Level 1: other threads wait for the log while it is compressed.
            gzip.open(sink, "wb", 1) as target,
        ):
            while block := source.read(65536):
                target.write(block)
        part.replace(path.with_name(path.name + ".gz"))
        path.unlink()
    except OSError:
        part.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tells the user what keeps the file from being opened, unless that may pass by itself."""
    try:
        yield
    except PermissionError as error:
        raise NotPermittedError(
            f"cannot open the log file {path}: {error.strerror}; "
            f"run as {ADMINISTRATOR}, or set LogFile to a file you may write or to - for standard "
            "error"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return
        raise AgentError(
            f"cannot open the log file {path}: {error.strerror}; "
            "set LogFile to a file that can be written, or to - for standard error"
        ) from error
