"""Changes of files on this kernel."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .capture import Capture

pytestmark = pytest.mark.live


def test_life_of_a_file(watching: Capture, tmp_path: Path) -> None:
    made, moved = tmp_path / "made", tmp_path / "moved"
    made.write_text("one")
    created = watching.of_path(str(made), "file-created")
    assert created["event"]["code"] == 11
    assert created["file"]["inode"] == str(made.stat().st_ino)
    assert created["file"]["mode"] == f"{stat.S_IMODE(made.stat().st_mode):04o}"
    assert created["file"]["name"] == "made"
    assert created["file"]["directory"] == str(tmp_path)

    made.rename(moved)
    renamed = watching.of_path(str(moved), "renamed")
    assert str(made) in str(renamed)

    moved.unlink()
    assert watching.of_path(str(moved), "file-deleted")["event"]["code"] == 23


def test_existing_file_opened_for_writing(watching: Capture, tmp_path: Path) -> None:
    path = tmp_path / "old"
    subprocess.run(["touch", path], check=True)
    with path.open("a"):
        pass
    event = watching.of_path(str(path), "file-modified")
    assert event["process"]["pid"] == os.getpid()


def test_reading_is_not_reported(watching: Capture, tmp_path: Path) -> None:
    path = tmp_path / "read"
    path.write_text("x")
    watching.of_path(str(path), "file-created")
    seen = len(watching.events)
    path.read_text()
    (tmp_path / "end").write_text("x")
    watching.of_path(str(tmp_path / "end"), "file-created")
    later = watching.events[seen:]
    assert not [event for event in later if event.get("file", {}).get("path") == str(path)]


def test_relative_names(watching: Capture, tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    folder = os.open(below, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(os.open("one", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.rename("one", "two", src_dir_fd=folder, dst_dir_fd=folder)
        os.unlink("two", dir_fd=folder)
        # The audit source asks where a descriptor leads when it is told of the call.
        watching.of_path(str(below / "one"), "file-created")
        watching.of_path(str(below / "two"), "renamed")
        watching.of_path(str(below / "two"), "file-deleted")
    finally:
        os.close(folder)
    subprocess.run("touch three; rm ../below/./three", shell=True, cwd=below, check=True)
    watching.of_path(str(below / "three"), "file-deleted")


def test_path_of_the_object_not_of_the_link(watching: Capture, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with link.open("w"):
        watching.of_path(str(target), "file-created")


def test_removed_folder(watching: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.rmdir()
    assert watching.of_path(str(folder), "file-deleted")["file"]["type"] == "dir"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system mounted inside another that is mounted again elsewhere."""
    outer, again = tmp_path / "outer", tmp_path / "again"
    outer.mkdir()
    again.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", outer], check=True)
        (outer / "in").mkdir()
        subprocess.run(["mount", "--bind", outer / "in", again], check=True)
        yield again
    finally:
        subprocess.run(["umount", again], check=False)
        subprocess.run(["umount", outer], check=False)


def test_path_across_mounts(watching: Capture, mounted: Path) -> None:
    (mounted / "file").write_text("x")
    watching.of_path(str(mounted / "file"), "file-created")


def test_path_of_4000_bytes(watching: Capture, tmp_path: Path) -> None:
    names = ["d" * 200] * 19
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        for name in names:
            Path(name).mkdir()
            os.chdir(name)
        Path("leaf").write_text("x")
    finally:
        os.chdir(before)
    path = f"{tmp_path}/{'/'.join(names)}/leaf"
    assert 3800 < len(path) < 4096
    watching.of_path(path, "file-created")
    subprocess.run(["rm", "-rf", tmp_path / names[0]], check=True)


def test_names_that_are_not_text(watching: Capture, tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b'/\xff"\n', os.O_CREAT | os.O_WRONLY))
    watching.of_path(f'{tmp_path}/\ufffd"\n', "file-created")


@pytest.mark.ebpf("repeats are events of their own")
def test_repeats_are_folded_and_counted(watching: Capture, tmp_path: Path) -> None:
    path = tmp_path / "often"
    flags = os.O_CREAT | os.O_WRONLY
    acts = f"[os.close(os.open({str(path)!r}, {flags})) for _ in range(1000)]"
    child = subprocess.Popen([sys.executable, "-I", "-c", f"import os; {acts}"])
    # By its end, all is told that was counted until then.
    watching.exit_of(child)
    events = [event for event in watching.events if event.get("file", {}).get("path") == str(path)]
    counts = [event["sekoiaio"].get("repeat", {}).get("count", 1) for event in events]
    assert sum(counts) == 1000
    assert len(events) < 10
    repeated = next(event for event in events if "repeat" in event["sekoiaio"])
    assert repeated["event"]["action"] == "file-modified"
    assert repeated["event"]["start"] <= repeated["event"]["end"]


def test_repeats_stay_with_the_program_and_the_user(watching: Capture, short_path: Path) -> None:
    path = short_path / "shared"
    path.write_text("")
    path.chmod(0o666)
    act = "import os; [os.close(os.open({path!r}, os.O_WRONLY)) for _ in range(5)]"
    become = "os.setresuid(65534, 65534, 65534)"
    shell = f"for i in 1 2 3 4 5 6 7; do : >> {path}; done"
    code = act.format(path=str(path)) + f"; {become}; os.execv('/bin/sh', ['sh', '-c', {shell!r}])"
    child = subprocess.Popen([sys.executable, "-c", code])
    watching.exit_of(child)

    counts: dict[tuple[str, str], int] = {}
    for event in watching.events:
        if event.get("file", {}).get("path") == str(path) and event["process"]["pid"] == child.pid:
            who = event["process"]["name"], event["user"]["id"]
            count = event["sekoiaio"].get("repeat", {}).get("count", 1)
            counts[who] = counts.get(who, 0) + count
    shell_name = Path("/bin/sh").resolve().name
    assert counts == {(Path(sys.executable).resolve().name, "0"): 5, (shell_name, "65534"): 7}


def test_another_name_of_the_same_file_is_told(watching: Capture, tmp_path: Path) -> None:
    one, other = tmp_path / "harmless", tmp_path / "target"
    one.write_text("x")
    os.link(one, other)
    for _ in range(3):
        other.open("a").close()
    watching.of_path(str(other), "file-modified")


def test_file_without_a_name_is_marked(watching: Capture, tmp_path: Path) -> None:
    file = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
    inode = os.fstat(file).st_ino
    os.close(file)
    # A number of a file may have been another's before.
    watching.wait_for(
        lambda event: (
            event.get("file", {}).get("inode") == str(inode)
            and event["action"]["properties"].get("deleted") is True
        )
    )
