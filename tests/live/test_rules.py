"""Watches and drop rules on this kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from endpoint_agent._native import Rules
from endpoint_agent.rules import Filter, Rule
from endpoint_agent.watches import Watch

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
        capture.stop()

        assert made["tags"] == ["folder"]
        assert ran["tags"] == ["tool"]
        assert dict(rules.counts()) == {"noise": 501, "exit": 1}
        assert capture.spool.counters()["filtered"] == 502

    def of(event: Event) -> bool:
        ended = event["event"].get("action") == "process-ended"
        of_tool = event.get("process", {}).get("executable") == str(tool)
        return str(noise) in event.get("file", {}).get("path", "") or (ended and of_tool)

    assert [event for event in capture.events if of(event)] == []
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
