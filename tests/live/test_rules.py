"""Watches and drop rules on this kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from endpoint_agent._native import Rules
from endpoint_agent.rules import Filter, Rule
from endpoint_agent.watches import Watch

from .acts import of
from .capture import Event, capturing, require_root

pytestmark = pytest.mark.live


def test_events_are_tagged_dropped_and_counted(tmp_path: Path) -> None:
    require_root()
    watched, noise = tmp_path / "watched", tmp_path / "noise"
    for folder in (watched, noise):
        folder.mkdir()
    tool = tmp_path / "tool-of-rules"
    shutil.copy("/bin/true", tool)
    rules = Rules(
        [
            Watch("folder", paths=(f"{watched}/",)),
            Watch("tool", executables=(tool.name,), effective_users=("root",)),
            Watch("tool", executables=(str(tool),), arguments=("given",)),
            Watch("other", executables=(tool.name,), arguments=("never",)),
            Watch("apart", syscalls=("unshare",)),
        ],
        [
            Rule("noise", (Filter("file.path", "contains", (f"{noise}/",)),)),
            Rule(
                "exit",
                (Filter("event.code", "==", (5,)), Filter("process.name", "==", (tool.name,))),
            ),
        ],
    )
    with capturing(tmp_path, rules=rules) as capture:
        for _ in range(500):
            os.close(os.open(noise / "often", os.O_CREAT | os.O_WRONLY))
        (noise / "often").unlink()
        subprocess.run([tool, "given"], check=True)
        (watched / "made").write_text("x")
        made = capture.of_path(str(watched / "made"), "file-created")
        ran = capture.exec_of(str(tool), "given")
        parted = subprocess.Popen(["unshare", "--uts", "true"])
        assert parted.wait() == 0
        apart = capture.wait_for(of(parted.pid, "changed-namespace-of"))
        capture.stop()

        assert made["tags"] == ["folder"]
        assert ran["tags"] == ["tool"]
        assert apart["tags"] == ["apart"]
        assert dict(rules.counts()) == {"noise": 501, "exit": 1}
        assert capture.spool.counters()["filtered"] == 502

    def of_noise(event: Event) -> bool:
        ended = event["event"].get("action") == "process-ended"
        of_tool = event.get("process", {}).get("executable") == str(tool)
        return str(noise) in event.get("file", {}).get("path", "") or (ended and of_tool)

    assert [event for event in capture.events if of_noise(event)] == []
    numbers = [event["event"]["sequence"] for event in capture.events]
    assert numbers == list(range(1, len(numbers) + 1))


def test_rules_of_programs_and_users_are_decided_in_the_kernel(
    tmp_path: Path, short_path: Path
) -> None:
    require_root()
    short_path.chmod(0o777)
    noisy, record, after = tmp_path / "noisy-shell", tmp_path / "record", tmp_path / "after"
    shutil.copy(Path("/bin/sh").resolve(), noisy)
    rules = Rules(
        (),
        [
            Rule("program", (Filter("process.executable", "==", (str(noisy),)),)),
            Rule("user", (Filter("user.id", "in", ("64122", "64123")),)),
            Rule(
                "both",
                (
                    Filter("user.name", "==", ("root",)),
                    Filter("process.executable", "==", ("/no",)),
                ),
            ),
        ],
    )
    # No argument has the name of a file: it is recorded only where the event of the file is.
    write = "z=zz; for i in {numbers}; do : > {folder}/{name}$z$i; done"
    before = write.format(numbers=" ".join(map(str, range(100))), folder=tmp_path, name="a")
    later = write.format(numbers="1 2 3 4 5", folder=short_path, name="b")
    with (
        # One that runs when the capture starts, and one that starts later.
        subprocess.Popen([noisy], stdin=subprocess.PIPE, text=True) as running,
        capturing(tmp_path, rules=rules, record=str(record)) as capture,
    ):
        # A child runs the same program, and what the process becomes is another.
        running.communicate(
            f"{before}; (: > {tmp_path}/a$z-child)\nexec /bin/sh -c ': > {after}'\n"
        )
        subprocess.run([noisy, "-c", later], check=True)
        subprocess.run(["/bin/sh", "-c", later.replace("/b$z", "/c$z")], check=True, user=64123)
        capture.of_path(str(after), "file-created")
        capture.stop()

        counts = dict(rules.counts())
        # With the ends of the child and of the second shell, and the second's exec.
        assert counts["program"] == 101 + 1 + 5 + 2
        # With exec and exit, and the change of identity before where the kernel tells it.
        assert counts["user"] >= 5 + 2
        assert counts["both"] == 0
        assert capture.spool.counters()["filtered"] == sum(counts.values())
    recorded = record.read_bytes()
    assert b"after" in recorded
    for name in (b"azz7", b"azz-child", b"bzz3", b"czz3"):
        assert name not in recorded


def of_folder(name: str, folder: Path, *others: Filter) -> Rule:
    return Rule(name, (Filter("file.path", "starts with", (f"{folder}/",)), *others))


def make(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def test_rules_of_folders_are_decided_in_the_kernel(tmp_path: Path, short_path: Path) -> None:
    require_root()
    folder, beside, record = short_path / "x", short_path / "xy", tmp_path / "record"
    for made in (folder, folder / "deep", beside):
        made.mkdir()
        made.chmod(0o777)
    (beside / "leads-in").symlink_to(folder)
    (folder / "leads-out").symlink_to(beside)
    rules = Rules(
        (),
        [
            of_folder("deep", folder / "deep", Filter("user.name", "==", ("root",))),
            of_folder("folder", folder),
            of_folder("user", beside, Filter("user.id", "==", ("64123",))),
            of_folder("program", short_path, Filter("process.executable", "==", ("/no",))),
        ],
    )
    with capturing(tmp_path, rules=rules, record=str(record)) as capture:
        for number in range(100):
            make(folder / f"below-{number}")
        make(folder / "deep" / "deeper")
        make(beside / "leads-in" / "by-link")
        make(folder / "leads-out" / "outside")
        make(beside / "besides")
        # The folder that is renamed takes its files along, and their paths begin otherwise.
        folder.rename(short_path / "moved")
        make(short_path / "moved" / "renamed")
        beside.rename(folder)
        make(folder / "taking-its-place")
        with (folder / "taking-its-place").open("rb") as file:
            os.fchmod(file.fileno(), 0o600)
        (folder / "taking-its-place").unlink()
        folder.rename(beside)
        # No argument has the name of a file: it is recorded only where the event of the file is.
        write = f"z=zz; : > {beside}/by-$z-user"
        subprocess.run(["/bin/sh", "-c", write], check=True, user=64123)
        capture.of_path(str(beside), "renamed")
        capture.stop()

        counts = dict(rules.counts())
        assert counts == {"deep": 1, "folder": 100 + 1 + 3, "user": 1, "program": 0}
        assert capture.spool.counters()["filtered"] == sum(counts.values())
        for told in ("xy/outside", "xy/besides", "moved/renamed"):
            capture.of_path(str(short_path / told), "file-created")
        of_folder_told = [
            event["event"]["action"]
            for event in capture.events
            if event.get("file", {}).get("path", "").startswith(f"{folder}/")
        ]
        assert of_folder_told == []
        sees_objects = capture.sees_objects()
    recorded = record.read_bytes()
    assert b"besides" in recorded
    for name in (b"below-7", b"deeper", b"by-link", b"by-zz-user"):
        assert name not in recorded
    # What is left of a name that is gone, where objects are not seen, is the caller's string.
    assert (b"taking-its-place" in recorded) is not sees_objects


def test_rules_of_folders_go_by_what_is_told_of_mounts(tmp_path: Path, short_path: Path) -> None:
    require_root()
    folder, beside, record = short_path / "x", short_path / "xy", tmp_path / "record"
    (folder / "mount").mkdir(parents=True)
    (beside / "mount").mkdir(parents=True)
    acts = """
import ctypes, os, sys
mount = ctypes.CDLL(None, use_errno=True).mount
for source, place in ("x", "xy/mount"), ("xy", "x/mount"):
    if mount(source.encode(), place.encode(), None, 4096, None):
        sys.exit(ctypes.get_errno())
    os.close(os.open(place + "/made-in-" + source, os.O_CREAT | os.O_WRONLY))
"""
    rules = Rules((), [of_folder("folder", folder)])
    with capturing(tmp_path, rules=rules, record=str(record)) as capture:
        command = ["unshare", "--mount", sys.executable, "-I", "-c", acts]
        done = subprocess.run(command, check=False, cwd=short_path, stderr=subprocess.PIPE)
        if done.returncode and not done.stderr:
            pytest.skip(f"cannot mount here: {os.strerror(done.returncode)}")
        assert done.returncode == 0, done.stderr
        capture.of_path(str(beside / "mount" / "made-in-x"), "file-created")
        capture.stop()

        # With the mount.
        assert dict(rules.counts()) == {"folder": 2}
        assert (beside / "made-in-xy").exists()
    assert b"made-in-xy\0mount" not in record.read_bytes()
