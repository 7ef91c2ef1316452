from __future__ import annotations

import errno
from pathlib import Path

import pytest

from endpoint_agent import _native
from endpoint_agent.service import files


def test_two_paths_change_places(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    files.exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a/b").exists()
    assert (tmp_path / "b/a").exists()


def test_a_path_that_is_missing_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="No such file"):
        files.exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").is_dir()


def test_an_old_kernel_takes_three_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native, "exchange", lambda one, other: errno.ENOSYS)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    files.exchange(tmp_path / "a", tmp_path / "b")
    assert [(tmp_path / name).read_text() for name in "ab"] == ["b", "a"]
    assert list(tmp_path.glob("*.aside")) == []


def test_a_file_system_is_written_to_the_disk(tmp_path: Path) -> None:
    files.sync_all(tmp_path)
    with pytest.raises(FileNotFoundError):
        files.sync_all(tmp_path / "none")
