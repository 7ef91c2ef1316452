"""An archive tells nothing of when, where and by whom it was made."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .conftest import EPOCH, VERSION


def test_the_same_files_give_the_same_bytes(
    tool: Callable[[str], Any], bundle: Path, program: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    # In another order, at another time, by another user, and with two names of one file.
    for path in sorted(program.rglob("*"), reverse=True):
        target = other / path.relative_to(program)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            shutil.copy(path, target)
            os.utime(target, (1, 1))
    (tmp_path / "second name").hardlink_to(other / "bin/python3.11")
    if os.geteuid() == 0:
        os.chown(other / "bin", 1234, 1234)

    tool("archive").write(other, VERSION, tmp_path / "again", EPOCH)

    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()


def test_all_is_there_and_roots(bundle: Path, program: Path) -> None:
    with tarfile.open(bundle) as archived:
        members = {member.name: member for member in archived}
    assert members.keys() == {
        VERSION,
        *(f"{VERSION}/{path.relative_to(program)}" for path in program.rglob("*")),
    }
    for member in members.values():
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "root", "root")
        assert member.mtime == EPOCH
    assert members[f"{VERSION}/bin/python3.11"].mode == 0o755


def test_links_stay_links(tool: Callable[[str], Any], program: Path, tmp_path: Path) -> None:
    (program / "lib").mkdir()
    (program / "lib/link").symlink_to("../bin")
    tool("archive").write(program, VERSION, tmp_path / "links", EPOCH)
    with tarfile.open(tmp_path / "links") as archived:
        assert archived.getmember(f"{VERSION}/lib/link").linkname == "../bin"
        assert f"{VERSION}/lib/link/python3.11" not in archived.getnames()
