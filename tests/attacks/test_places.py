"""Mounts, namespaces and layers under which names mean something else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.live.capture import Capture

from .conftest import Tricks

pytestmark = pytest.mark.live


def test_folder_bound_elsewhere(
    watching: Capture, tricks: Tricks, tmp_path: Path, marker: str
) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    shutil.copy("/bin/echo", folder / "echo")
    tricks.play("bound_elsewhere", folder, elsewhere, marker)
    created = watching.of_path(str(elsewhere / "made"), "file-created")
    assert created["file"]["inode"] == str((folder / "made").stat().st_ino)
    assert watching.exec_of("echo", marker)["process"]["executable"] == str(elsewhere / "echo")


def test_jail_in_a_user_namespace(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """The audit source tells paths from there."""
    jail = tmp_path / "jail"
    jail.mkdir()
    played = tricks.play("jailed", jail)
    rooted = watching.of_path(str(jail), "changed-root-directory-of")
    assert rooted["process"]["pid"] == played.pid
    root = Path("/") if watching.audits else jail
    created = watching.of_path(str(root / "made"), "file-created")
    assert created["process"]["pid"] == played.pid
    assert created["user"]["id"] == "0"
    renamed = watching.of_path(str(root / "named"), "renamed")
    assert renamed["action"]["properties"]["old_path"] == str(root / "made")
    watching.of_path(str(root / "named"), "file-deleted")
    watching.of_path(str(root / "relative"), "file-created")
    # By its letters, a relative name's `..` leads out.
    folder = root if watching.sees_objects() or watching.audits else tmp_path
    watching.of_path(str(folder / "relative"), "file-deleted")


def test_file_of_a_lower_layer(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    tricks.play("layered", tmp_path)
    watching.of_path(str(tmp_path / "merged" / "file"), "file-modified")
    watching.of_path(str(tmp_path / "merged" / "file"), "file-deleted")
