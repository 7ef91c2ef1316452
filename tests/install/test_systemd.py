"""A machine with systemd: installed, its clock set, rebooted, changed, killed, removed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.service import program

from ..live.daemon import Intake
from .machine import boot, disk

MARKERS = ("installed", "forward", "rebooted", "killed", "stopped", "refused")


@pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's")
def test_the_agent_lives_on_a_machine_with_systemd(
    image: Path, tmp_path: Path, intake: Intake, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "trial"
    program.copy(folder / "program", Path("/trial/program"))
    text = boot(image, disk(folder, "trial", intake), intake, MARKERS)
    (jump,) = told(intake, "changed-system-time")
    assert 3590 < jump["action"]["properties"]["offset"] < 3610
    assert [boot["event"]["outcome"] for boot in told(intake, "booted-system")] == ["success"]
    # The kill, and the watchdog's.
    assert len(told(intake, "crashed-program")) == 2
    for changed in told(intake, "checked-integrity-of"):
        differences = changed["action"]["properties"]["differences"]
        assert differences == ["packages/endpoint_agent/replay.py: changed"]
    assert told(intake, "checked-integrity-of")
    with capsys.disabled():
        print("\n".join(line for line in text.splitlines() if line.startswith("installed")))


def told(intake: Intake, action: str) -> list[dict[str, Any]]:
    """What the agent has told of what was done to it."""
    return [event for event in intake.events(text=action) if event["event"]["action"] == action]
