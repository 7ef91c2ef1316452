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
