from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from endpoint_agent.trust import run
from endpoint_agent.trust.run import FILE_NAME, Run
from endpoint_agent.trust.settings import Content

THIS = Run("boot", 7, 1000.0, "v1", configuration={"/etc/x": Content("ab", 0o600, 0)})


def test_the_next_run_reads_what_was_written(tmp_path: Path) -> None:
    run.write(tmp_path, THIS)
    assert run.read(tmp_path) == THIS
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_the_first_run_finds_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run.read(tmp_path) is None
    assert run.last_alive(tmp_path, tmp_path / "queue") is None
    assert not caplog.records


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"pid":"x"}', b"\xff" * 100, b"{}" * 99_999])
def test_a_damaged_file_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert run.read(tmp_path) is None
    assert "how the last run of the agent ended is not known" in caplog.text


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    run.write(tmp_path, THIS)
    (tmp_path / FILE_NAME).rename(tmp_path / "other")
    (tmp_path / FILE_NAME).symlink_to("other")
    assert run.read(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run.write(tmp_path / "none", THIS)
    assert "the next run will not know of this one" in caplog.text
    run.touch(tmp_path / "none")


def test_a_run_was_alive_when_it_or_its_queue_was_touched(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    queue.mkdir()
    run.write(tmp_path, THIS)
    (queue / "segment").touch()
    (tmp_path / "agent-id").touch()
    os.utime(tmp_path / FILE_NAME, (100, 100))
    os.utime(queue / "segment", (200, 200))
    assert run.last_alive(tmp_path, queue) == 200
    os.utime(queue / "segment", (50, 50))
    assert run.last_alive(tmp_path, queue) == 100
    run.touch(tmp_path)
    assert (run.last_alive(tmp_path, queue) or 0) > 1_000_000


def test_this_boot_has_a_name() -> None:
    assert len(run.boot_id()) == 36
