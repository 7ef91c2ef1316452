"""What a MANIFEST says of a folder, and what is found to be different from it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoint_agent.service import manifest
from endpoint_agent.service.manifest import Difference, verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version, with names that sort otherwise as paths than as parts of paths."""
    version = tmp_path / "1.0"
    for path in ("bin/agent", "lib/a-b/one", "lib/a/two", "lib/a/three", "lib/empty"):
        (version / path).parent.mkdir(parents=True, exist_ok=True)
        (version / path).write_text(path if path != "lib/empty" else "")
    (version / "lib/link").symlink_to("a/two")
    manifest.write(version)
    return version


def change(folder: Path) -> None:
    (folder / "lib/a/two").write_text("lib/a/tow")


def remove(folder: Path) -> None:
    (folder / "lib/a/two").unlink()


def add(folder: Path) -> None:
    (folder / "lib/a/new").touch()


def make_pipe(folder: Path) -> None:
    remove(folder)
    os.mkfifo(folder / "lib/a/two")


def replace_by_link(folder: Path) -> None:
    shutil.copy(folder / "lib/a/two", folder.parent / "copy")
    remove(folder)
    (folder / "lib/a/two").symlink_to(folder.parent / "copy")


def redirect(folder: Path) -> None:
    (folder / "lib/link").unlink()
    (folder / "lib/link").symlink_to("a/three")


def let_others_write(folder: Path) -> None:
    (folder / "bin/agent").chmod(0o757)


def remove_manifest(folder: Path) -> None:
    (folder / "MANIFEST").unlink()


def forget(folder: Path) -> None:
    path = folder / "MANIFEST"
    path.write_text("".join(line for line in path.open() if not line.endswith("two\n")))


def scramble(folder: Path) -> None:
    (folder / "MANIFEST").write_bytes(b"\xff" * 100_000 + b"\n")


def test_what_is_as_it_was_written_has_no_difference(folder: Path) -> None:
    assert verify(folder) == []


def test_other_tools_can_check_it(folder: Path) -> None:
    words = ["sha256sum", "--check", "--strict", "--quiet", "MANIFEST"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "# lib/link -> a/two\n" in (folder / "MANIFEST").read_text()


def test_it_is_the_same_for_the_same_files(folder: Path) -> None:
    before = (folder / "MANIFEST").read_bytes()
    manifest.write(folder)
    assert (folder / "MANIFEST").read_bytes() == before


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (change, [Difference("lib/a/two", "changed")]),
        (remove, [Difference("lib/a/two", "missing")]),
        (add, [Difference("lib/a/new", "added")]),
        (make_pipe, [Difference("lib/a/two", "changed")]),
        (replace_by_link, [Difference("lib/a/two", "changed")]),
        (redirect, [Difference("lib/link", "changed")]),
        (let_others_write, [Difference("bin/agent", "writable")]),
        (remove_manifest, [Difference("MANIFEST", "missing")]),
        (forget, [Difference("lib/a/two", "added"), Difference("lib/link", "added")]),
    ],
)
def test_a_difference_is_found(
    folder: Path, tamper: Callable[[Path], None], expected: list[Difference]
) -> None:
    tamper(folder)
    assert verify(folder) == expected


def test_a_manifest_that_is_none_is_told(folder: Path) -> None:
    scramble(folder)
    whats = {difference.what for difference in verify(folder)}
    assert whats == {"added", "missing"}


def test_differences_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MAX_DIFFERENCES", 5)
    for number in range(20):
        (folder / f"new{number}").touch()
    assert len(verify(folder)) == 5


def test_a_pause_can_end_it(folder: Path) -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        verify(folder, stop)


@pytest.mark.parametrize("name", ["line\nbreak", "back\\slash", "a -> b"])
def test_what_cannot_be_listed_is_refused(folder: Path, name: str) -> None:
    (folder / name).touch()
    with pytest.raises(ValueError, match="cannot be listed"):
        manifest.write(folder)
