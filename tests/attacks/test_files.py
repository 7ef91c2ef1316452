"""Files that are written to, renamed and deleted in ways that names and descriptors do not tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.capture import Capture, Event

from .conftest import Tricks, by_descriptor

pytestmark = pytest.mark.live

# Where nothing is done about it, one in six is missed (7.2). Whoever comes in between just when a
# program begins or ends still is.
CUTS = 200
MISSED = 5


def acts_on(capture: Capture, path: Path) -> list[str]:
    """What was told of a path so far."""
    return [
        event["event"]["action"]
        for event in capture.events
        if event.get("file", {}).get("path") == str(path)
    ]


def assert_unseen(capture: Capture, after: Path, *paths: Path) -> None:
    """Nothing is told of what was done to `paths`, and by now it would have been."""
    after.touch()
    capture.of_path(str(after), "file-created")
    unseen = set(map(str, paths))
    assert [it for it in capture.events if it.get("file", {}).get("path") in unseen] == []


def test_names_below_a_folder_that_moves(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    played = tricks.play("folder_moved", before, after)
    made, named = after / "made", after / "named"
    created = by_descriptor(watching, played.pid, "file-created", made, "made")
    renamed = by_descriptor(watching, played.pid, "renamed", named, "named")
    if created["file"]["path"] == str(made) == renamed["file"]["path"]:
        assert renamed["action"]["properties"]["old_path"] == str(made)
    by_descriptor(watching, played.pid, "file-deleted", named, "named")


def test_link_that_is_swapped(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """The audit source tells the link, and which file it led to by the number alone."""
    files = tmp_path / "one", tmp_path / "other"
    for file in files:
        file.touch()
    played = tricks.play("link_swapped", *files, tmp_path / "link", tmp_path / "another-link")
    field = "inode" if watching.audits else "path"
    one, other = (str(file.stat().st_ino if watching.audits else file) for file in files)
    counts = {one: 0, other: 0}

    def counted(event: Event) -> bool:
        which = event.get("file", {}).get(field, "")
        if which in counts and event["process"]["pid"] == played.pid:
            counts[which] += event["sekoiaio"].get("repeat", {}).get("count", 1)
        return sum(counts.values()) == 300

    watching.wait_for(counted)
    assert counts == {one: int(played.lines[0]), other: int(played.lines[1])}


def test_files_made_while_another_is_told(
    watching: Capture, tricks: Tricks, tmp_path: Path
) -> None:
    """Where the kernel may preempt a program, it skips it for those that come in between."""
    tricks.play("cut_in", tmp_path, str(CUTS))
    after = tmp_path / "after"
    after.touch()
    watching.of_path(str(after), "file-created")
    untold = [number for number in range(CUTS) if not acts_on(watching, tmp_path / str(number))]
    assert len(untold) <= MISSED


def test_name_that_is_rewritten_during_the_call(
    watching: Capture, tricks: Tricks, tmp_path: Path
) -> None:
    """By tracepoints the lie is told: what a call took away leaves nothing but its arguments."""
    (tmp_path / "old").touch()
    tricks.play("name_rewritten", tmp_path)
    assert (tmp_path / "honest").exists()
    told = "honest" if watching.sees_objects() or watching.audits else "forged"
    event = watching.of_path(str(tmp_path / told), "renamed")
    assert event["action"]["properties"]["old_path"] == str(tmp_path / "old")


def test_deletion_through_a_link(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """But as an object, the name is told as it was given: the link is not followed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    tricks.play("deleted_through_link", tmp_path)
    folder = "folder" if watching.sees_objects() else "link"
    watching.of_path(str(tmp_path / folder / "file"), "file-deleted")


def test_names_that_change_places(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    other.touch()
    tricks.play("renamed_with", "exchange", one, other)
    for old, new in (one, other), (other, one):
        properties = watching.of_path(str(new), "renamed")["action"]["properties"]
        assert properties["old_path"] == str(old)
        assert properties["flags"] == ["RENAME_EXCHANGE"]


def test_name_that_must_be_free(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    one, taken, free = tmp_path / "one", tmp_path / "taken", tmp_path / "free"
    one.touch()
    taken.touch()
    tricks.play("renamed_with", "noreplace", one, taken, status=17)
    tricks.play("renamed_with", "noreplace", one, free)
    event = watching.of_path(str(free), "renamed")
    assert event["action"]["properties"]["old_path"] == str(one)
    assert "renamed" not in acts_on(watching, taken)


def test_hole_left_behind(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """The records of the audit system do not have it."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    tricks.play("renamed_with", "whiteout", one, other)
    event = watching.of_path(str(other), "renamed")
    assert event["action"]["properties"]["old_path"] == str(one)
    if watching.audits:
        (tmp_path / "end").touch()
        watching.of_path(str(tmp_path / "end"), "file-created")
        # By the touch.
        assert acts_on(watching, one) == ["file-created"]
        return
    hole = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "file-created"
            and event["file"]["path"] == str(one)
            and event["file"].get("type") == "char"
        )
    )
    assert hole["action"]["properties"]["rdev"] == "00:00"


def test_file_that_is_named_later(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """Its path is the one the kernel gave it, from the open to the links."""
    played = tricks.play("named_later", tmp_path)
    named, again = tmp_path / "named", tmp_path / "again"
    inode = named.stat().st_ino
    opened = watching.of_path(f"{tmp_path}/#{inode}", "file-modified")
    assert opened["process"]["pid"] == played.pid
    assert opened["action"]["properties"]["deleted"] is True
    assert opened["file"]["inode"] == str(inode)
    linked = by_descriptor(watching, played.pid, "linked", named, "named")
    by_descriptor(watching, played.pid, "linked", again, "again")
    # The audit source tells the descriptor's name in /proc, as it was given.
    old_path = linked["action"]["properties"]["old_path"]
    assert old_path.startswith("/proc/self/fd/" if watching.audits else opened["file"]["path"])


def test_file_opened_by_its_number(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    played = tricks.play("opened_by_handle", tmp_path, path.name)
    event = by_descriptor(watching, played.pid, "file-modified", path, "")
    assert event["file"]["inode"] == str(path.stat().st_ino)


def test_link_that_is_absolute_below_a_folder(
    watching: Capture, tricks: Tricks, tmp_path: Path
) -> None:
    pid = tricks.play("opened_in_root", tmp_path).pid
    made, beneath = tmp_path / "made", tmp_path / "beneath"
    event = by_descriptor(watching, pid, "file-created", made, "")
    assert event["file"]["inode"] == str(made.stat().st_ino)
    by_descriptor(watching, pid, "file-created", beneath, "folder/../beneath")


def test_write_through_a_mapping(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4096))
    played = tricks.play("written_by_mapping", path)
    event = watching.of_path(str(path), "file-modified")
    assert event["process"]["pid"] == played.pid
    assert path.read_bytes().startswith(b"written")


@pytest.mark.parametrize("call", ["sendfile", "splice", "copy_file_range", "FICLONE"])
def test_file_filled_without_a_write(
    watching: Capture, tricks: Tricks, tmp_path: Path, call: str
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("content")
    played = tricks.play("copied_by", call, source, target)
    event = watching.of_path(str(target), "file-created")
    assert event["process"]["pid"] == played.pid
    assert call == "FICLONE" or target.read_text() == "content"


def test_changes_through_a_descriptor(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """The open for writing is told, and stands for what follows."""
    path = tmp_path / "file"
    tricks.play("changed_unseen", path)
    assert path.read_text().endswith("on")
    (tmp_path / "end").touch()
    watching.of_path(str(tmp_path / "end"), "file-created")
    # What is set through a ring is an event as an object only.
    told = ["changed-file-attributes-of"] if watching.sees_changed_objects() else []
    assert acts_on(watching, path) == ["file-created", *told]


def test_calls_of_32_bit_programs(
    watching: Capture, tricks: Tricks, tmp_path: Path, marker: str
) -> None:
    """Their exec is seen; tracepoints of calls leave out what they do to files."""
    made, named = tmp_path / "made", tmp_path / "named"
    played = tricks.play("called_as_32_bit", made, named, marker)
    assert watching.exec_of("echo", marker)["process"]["pid"] == played.pid
    if not (watching.sees_objects() or watching.audits):
        assert_unseen(watching, tmp_path / "end", made, named)
        return
    acts = (made, "file-created"), (named, "renamed"), (named, "file-deleted")
    for path, action in acts:
        assert watching.of_path(str(path), action)["process"]["pid"] == played.pid


def test_changes_by_32_bit_calls(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """Tracepoints of calls leave them out."""
    made = [("node", "file-created"), ("below", "directory-created")]
    made += [("hard", "linked"), ("soft", "symlinked")]
    changed = [
        *("changed-file-permissions-of", "changed-file-ownership-of", "changed-timestamp-of"),
        *("file-modified", "changed-file-attributes-of"),
    ]
    played = tricks.play("changed_as_32_bit", tmp_path)
    if not (watching.sees_objects() or watching.audits):
        assert_unseen(watching, tmp_path / "end", *(tmp_path / name for name, _ in made))
        return
    for name, action in made:
        assert watching.of_path(str(tmp_path / name), action)["process"]["pid"] == played.pid
    if not (watching.sees_changed_objects() or watching.audits):
        return
    for action in changed:
        assert watching.of_path(str(tmp_path / "node"), action)["process"]["pid"] == played.pid
    watching.wait_for(
        lambda event: (
            event["event"]["action"] == "changed-file-attributes-of"
            and event["file"]["path"] == str(tmp_path / "node")
            and "removed" in event["action"]["properties"]
        )
    )


def test_files_of_a_ring_are_not_audited(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """What eBPF tells of them is in test_uring.py."""
    if not watching.audits:
        pytest.skip("of the audit source alone")
    tricks.play("ring_files", "submitted", tmp_path)
    paths = (tmp_path / name for name in ("made", "named"))
    assert_unseen(watching, tmp_path / "end", *paths)
    # It was made by a system call, and removed through the ring.
    assert "file-deleted" not in acts_on(watching, tmp_path / "below")
