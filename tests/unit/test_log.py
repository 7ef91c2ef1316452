from __future__ import annotations

import errno
import gzip
import io
import logging
import os
import resource
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from endpoint_agent import log
from endpoint_agent.errors import AgentError, NotPermittedError
from endpoint_agent.log import LineFormatter, RotatingFile


def line(text: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("endpoint_agent.x", level, __file__, 1, text, None, None)


@contextmanager
def file_of(path: Path, **given: Any) -> Iterator[RotatingFile]:
    handler = RotatingFile(path, **{"max_bytes": 1000, "backups": 3, "compress": True} | given)
    handler.setFormatter(logging.Formatter("%(message)s"))
    yield handler
    handler.close()


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Files cannot grow beyond `room` bytes, which fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def package_log() -> Iterator[logging.Logger]:
    """The log of the package, put back afterwards."""
    logger = log.LOGGER
    before = list(logger.handlers), logger.level, logger.propagate
    yield logger
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.level, logger.propagate = before


def settings(path: Path | str, **given: Any) -> Any:
    """A mock of the settings that the log looks at."""
    values = {
        "log_file": Path(path),
        "log_level": "info",
        "log_max_size": 1,
        "log_max_backups": 1,
        "log_compress": True,
    }
    return SimpleNamespace(**values | given)


def test_a_line_has_time_level_and_message() -> None:
    record = line("all is %s")
    record.created, record.args = 1_768_827_054.1161, ("well",)

    assert LineFormatter().format(record) == "2026-01-19T12:50:54.116Z WARNING all is well"


def test_a_message_cannot_forge_a_line_or_reach_a_terminal() -> None:
    formatted = LineFormatter().format(line("a\n2026-01-19T12:50:54.116Z INFO b\x1b[2J\r\x9b"))

    first, second = formatted.split("\n")
    assert first.endswith("WARNING a")
    assert second == r"    2026-01-19T12:50:54.116Z INFO b\x1b[2J\x0d\x9b"


def test_file_and_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "log" / "agent.log"

    with file_of(path) as handler:
        handler.handle(line("one \udcff"))

    assert path.read_text() == "one \\udcff\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_a_full_file_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    with file_of(path, max_bytes=10) as handler:
        for number in range(6):
            handler.handle(line(f"line {number}"))

    assert path.read_text() == "line 5\n"
    kept = [tmp_path / f"agent.log.{number}.gz" for number in (1, 2, 3)]
    assert [gzip.decompress(file.read_bytes()) for file in kept] == [
        b"line 4\n",
        b"line 3\n",
        b"line 2\n",
    ]
    assert sorted(tmp_path.iterdir()) == [path, *kept]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in kept)


def test_rotation_keeps_what_was_not_compressed(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    with file_of(path, max_bytes=10, compress=False, backups=2) as handler:
        for number in range(3):
            handler.handle(line(f"line {number}"))
    with file_of(path, max_bytes=10, backups=2) as handler:
        handler.handle(line("line 3"))

    assert {file.name for file in tmp_path.iterdir()} == {
        "agent.log",
        "agent.log.1.gz",
        "agent.log.2",
    }
    assert (tmp_path / "agent.log.2").read_text() == "line 1\n"


def test_without_backups_the_file_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    with file_of(path, max_bytes=10, backups=0) as handler:
        for number in range(3):
            handler.handle(line(f"line {number}"))

    assert [file.name for file in tmp_path.iterdir()] == ["agent.log"]
    assert path.read_text() == "line 2\n"


def test_a_full_disk_costs_lines_and_says_how_many(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    with file_of(path) as handler:
        handler.handle(line("before"))
        with full_disk(room=10):
            handler.handle(line("lost 1"))
            handler.handle(line("lost 2"))
        handler.handle(line("after"))
        handler.handle(line("later"))

    assert path.read_text().splitlines() == [
        "before",
        "(2 lines before this one could not be written)",
        "after",
        "later",
    ]


def test_a_full_disk_leaves_a_rotated_file_uncompressed(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    with file_of(path, max_bytes=10) as handler:
        handler.handle(line("line 0"))
        with full_disk(room=8):
            handler.handle(line("line 1"))

    assert path.read_text() == "line 1\n"
    assert {file.name for file in tmp_path.iterdir()} == {"agent.log", "agent.log.1"}


def test_a_disk_that_is_full_at_the_start_costs_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "log" / "agent.log"
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        handler = RotatingFile(path, max_bytes=1000, backups=1, compress=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
        handler.handle(line("lost"))
    handler.handle(line("after"))
    handler.close()

    assert path.read_text() == "(1 lines before this one could not be written)\nafter\n"


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    with file_of(path) as handler:
        handler.handle(line("one"))
        path.unlink()
        handler.handle(line("two"))

    assert path.read_text() == "two\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AgentError, match=r"agent\.log: .*; set LogFile"):
        RotatingFile(path, max_bytes=1000, backups=1, compress=False)


def test_a_pipe_is_neither_awaited_nor_written(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    os.mkfifo(path)
    with pytest.raises(AgentError, match=r"agent\.log: .*; set LogFile"):
        RotatingFile(path, max_bytes=1000, backups=1, compress=False)

    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(AgentError, match="it is not a regular file of the agent's user"):
        RotatingFile(path, max_bytes=1000, backups=1, compress=False)
    os.close(reader)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give a file away")
def test_a_file_of_another_user_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    path.touch(0o666)
    os.chown(path, 65534, 65534)

    with pytest.raises(AgentError, match="it is not a regular file of the agent's user"):
        RotatingFile(path, max_bytes=1000, backups=1, compress=False)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("trap", ["link", "pipe"])
def test_what_was_put_in_the_place_of_a_backup_is_not_read(tmp_path: Path, trap: str) -> None:
    path, secret = tmp_path / "agent.log.1", tmp_path / "secret"
    secret.write_text("a secret")
    if trap == "link":
        path.symlink_to(secret)
    else:
        os.mkfifo(path)

    log._compress(path)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["agent.log.1", "secret"]


def test_a_folder_that_may_not_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(NotPermittedError, match="run as root"):
        RotatingFile(tmp_path / "agent.log", max_bytes=1000, backups=1, compress=False)


def test_a_new_start_replaces_the_file_and_the_level(
    tmp_path: Path, package_log: logging.Logger
) -> None:
    logger = logging.getLogger("endpoint_agent.anything")
    log.start(settings(tmp_path / "one"))
    logger.info("first")
    logger.debug("no")
    log.start(settings(tmp_path / "two", log_level="error"))
    logger.warning("no")
    logger.error("second")

    assert (tmp_path / "one").read_text().endswith(" INFO first\n")
    assert (tmp_path / "two").read_text().endswith(" ERROR second\n")


def test_a_start_that_fails_leaves_the_log_as_it_was(
    tmp_path: Path, package_log: logging.Logger
) -> None:
    log.start(settings(tmp_path / "one"))
    with pytest.raises(AgentError):
        log.start(settings(tmp_path))
    package_log.info("still here")

    assert "still here" in (tmp_path / "one").read_text()


def test_a_dash_is_standard_error(
    monkeypatch: pytest.MonkeyPatch, package_log: logging.Logger
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw))
    log.start(settings("-"))

    package_log.warning("café \udcff")

    assert raw.getvalue().endswith("WARNING café \\udcff\n".encode())


def test_a_standard_error_that_was_closed_costs_only_the_line(
    monkeypatch: pytest.MonkeyPatch, package_log: logging.Logger
) -> None:
    closed = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stderr", closed)
    log.start(settings("-"))
    closed.close()

    package_log.warning("nobody reads this")
