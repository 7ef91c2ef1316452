from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from endpoint_agent.trust.settings import NOTHING, Content, Files, content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("IntakeKey: one\n")
    path.chmod(0o600)
    return path


def of(text: str, mode: int = 0o600) -> Content:
    return Content(hashlib.sha256(text.encode()).hexdigest(), mode, os.geteuid())


def test_a_change_is_told_once(path: Path) -> None:
    files = Files([path])
    assert list(files.changes()) == []
    path.write_text("IntakeKey: two\n")
    assert list(files.changes()) == [(str(path), of("IntakeKey: two\n"))]
    assert list(files.changes()) == []


def test_a_file_that_is_replaced_removed_and_made_is_told(path: Path) -> None:
    files = Files([path])
    other = path.with_name("other")
    other.write_text("IntakeKey: one\nLogLevel: debug\n")
    other.chmod(0o600)
    other.replace(path)
    assert [found for _, found in files.changes()] == [of("IntakeKey: one\nLogLevel: debug\n")]
    path.unlink()
    assert list(files.changes()) == [(str(path), NOTHING)]
    path.write_text("")
    path.chmod(0o600)
    assert list(files.changes()) == [(str(path), of(""))]


def test_what_is_only_touched_or_written_again_has_not_changed(path: Path) -> None:
    files = Files([path])
    os.utime(path, (1, 1))
    assert list(files.changes()) == []
    path.write_text("IntakeKey: one\n")
    assert list(files.changes()) == []


def test_other_permissions_are_a_change(path: Path) -> None:
    files = Files([path])
    path.chmod(0o644)
    assert list(files.changes()) == [(str(path), of("IntakeKey: one\n", 0o644))]


def test_changes_since_another_time(path: Path, tmp_path: Path) -> None:
    missing = tmp_path / "watches.yaml"
    files = Files([path, missing])
    assert list(files.changes_since(files.contents)) == []
    assert list(files.changes_since({})) == []
    before = {str(path): of("other"), str(missing): of("gone")}
    assert dict(files.changes_since(before)) == files.contents


def test_what_is_no_file_holds_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert content(tmp_path / "pipe") == content(tmp_path) == content(tmp_path / "no") == NOTHING
