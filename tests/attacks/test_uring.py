"""Acts that are asked for through io_uring."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from endpoint_agent._native import Rules
from endpoint_agent.rules import Filter, Rule
from tests.live.capture import Capture, Event, capturing
from tests.live.test_hashes import until_known

from .conftest import Tricks
from .test_files import acts_on
from .test_network import of_connection

pytestmark = pytest.mark.live

ATTRIBUTE = "changed-file-attributes-of"


@pytest.fixture(autouse=True)
def rings(watching: Capture) -> None:
    """Rings that are seen."""
    if watching.audits:
        pytest.skip("the audit system's records of io_uring tell neither names nor results")
    if not watching.sees_rings():
        pytest.skip("needs Linux 6.0: what is asked for through io_uring is not seen before it")


@pytest.mark.parametrize("how", ["submitted", "polled"])
def test_files(watching: Capture, tricks: Tricks, tmp_path: Path, how: str) -> None:
    played = tricks.play("ring_files", how, tmp_path)
    made, named = tmp_path / "made", tmp_path / "named"
    created = watching.of_path(str(made), "file-created")
    assert created["file"]["mode"] == "0600"
    renamed = watching.of_path(str(named), "renamed")
    assert renamed["action"]["properties"]["old_path"] == str(made)
    deleted = watching.of_path(str(named), "file-deleted")
    folder = watching.of_path(str(tmp_path / "below"), "file-deleted")
    assert folder["file"]["type"] == "dir"
    for event in created, renamed, deleted, folder:
        assert event["process"]["pid"] == played.pid
        assert event["process"]["name"] == "ring_files"
        assert event["event"]["outcome"] == "success"
    # What failed, and the file that was opened for reading, are behind all this by now.
    (tmp_path / "end").touch()
    watching.of_path(str(tmp_path / "end"), "file-created")
    assert acts_on(watching, tmp_path / "absent") == []
    assert acts_on(watching, made) == ["file-created"]


def test_what_a_rule_drops_is_counted_once(tricks: Tricks, tmp_path: Path) -> None:
    """A request and its answer are one act, and what has failed is none."""
    program = Filter("process.executable", "==", (str(tricks.program("ring_files")),))
    rules = Rules((), [Rule("ring", (program,))])
    folder, end = tmp_path / "folder", tmp_path / "end"
    folder.mkdir()
    with capturing(tmp_path, rules=rules) as capture:
        tricks.play("ring_files", "submitted", folder)
        end.touch()
        capture.of_path(str(end), "file-created")
        capture.stop()
    # The files made, renamed and deleted, the folder made and removed; the program's start and end.
    assert dict(rules.counts()) == {"ring": 8}


def test_file_that_was_written_has_hashes(tricks: Tricks, tmp_path: Path) -> None:
    with capturing(tmp_path, hash_max_size=1_000_000) as capture:

        def write(attempt: int) -> Event:
            folder = tmp_path / f"folder-{attempt}"
            folder.mkdir()
            tricks.play("ring_files", "submitted", folder)
            return capture.of_path(str(folder / "kept"), "file-created")

        event = until_known(write, "file")
    assert event["file"]["hash"]["sha256"] == hashlib.sha256().hexdigest()


@pytest.mark.parametrize("how", ["submitted", "polled"])
def test_folders_and_links(watching: Capture, tricks: Tricks, tmp_path: Path, how: str) -> None:
    file = tmp_path / "file"
    played = tricks.play("ring_links", how, tmp_path, file)
    folder = watching.of_path(str(tmp_path / "below"), "directory-created")
    assert folder["file"]["type"] == "dir"
    soft = watching.of_path(str(tmp_path / "soft"), "symlinked")
    assert soft["file"]["target_path"] == "../any/where"
    hard = watching.of_path(str(tmp_path / "hard"), "linked")
    assert hard["action"]["properties"]["old_path"] == str(file)
    named = watching.of_path(str(tmp_path / "named"), "linked")
    # As the kernel calls it, and not `/proc/self/fd/5`.
    assert named["action"]["properties"]["old_path"].startswith(f"{tmp_path}/#")
    for event in folder, soft, hard, named:
        assert event["process"]["pid"] == played.pid
        assert event["event"]["outcome"] == "success"
    (tmp_path / "end").touch()
    watching.of_path(str(tmp_path / "end"), "file-created")
    assert acts_on(watching, tmp_path / "below") == ["directory-created"]


def test_attributes(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """Tracepoints do not see them."""
    paths = tmp_path / "named", tmp_path / "open"
    played = tricks.play("ring_attributes", *paths)
    if not watching.sees_changed_objects():
        (tmp_path / "end").touch()
        watching.of_path(str(tmp_path / "end"), "file-created")
    for path in paths:
        if watching.sees_changed_objects():
            event = watching.of_path(str(path), ATTRIBUTE)
            assert event["action"]["properties"]["attribute"] == "trusted.test"
            assert event["process"]["pid"] == played.pid
        else:
            assert ATTRIBUTE not in acts_on(watching, path)


def test_file_that_no_descriptor_leads_to(
    watching: Capture, tricks: Tricks, tmp_path: Path
) -> None:
    played = tricks.play("ring_slot", tmp_path / "made")
    event = watching.of_path(str(tmp_path / "made"), "file-created")
    assert event["process"]["pid"] == played.pid
    assert event["event"]["outcome"] == "success"


def test_deletion_without_an_answer(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    tricks.play("ring_silent", path)
    event = watching.of_path(str(path), "file-deleted")
    # An object that is gone needs no answer.
    assert event["event"]["outcome"] == ("success" if watching.sees_objects() else "unknown")


def test_rights_given_up_before(watching: Capture, tricks: Tricks, tmp_path: Path) -> None:
    """By tracepoints, the user is who the process has become, not whose rights are used."""
    path = tmp_path / "file"
    path.touch()
    tricks.play("ring_personality", path)
    user = watching.of_path(str(path), "file-deleted")["user"]["id"]
    assert user == ("0" if watching.sees_objects() else "65534")


def test_sockets(watching: Capture, tricks: Tricks) -> None:
    played = tricks.play("ring_sockets")
    for action in "connected-to", "accepted-connection-from":
        event = of_connection(watching, action, played.lines)
        assert event["process"]["pid"] == played.pid


def test_request_that_accepts_many(watching: Capture, tricks: Tricks) -> None:
    """Its answers do not tell what they answer: only the client's side is seen."""
    played = tricks.play("ring_accepts_many")
    connected = of_connection(watching, "connected-to", played.lines)
    watching.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == played.pid
        )
    )
    ports = {connected["source"]["port"], connected["destination"]["port"]}
    assert not [
        event
        for event in watching.events
        if event["event"]["action"] == "accepted-connection-from"
        and {event["source"]["port"], event["destination"]["port"]} == ports
    ]
