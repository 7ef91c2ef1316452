"""A machine with systemd: installed, rebooted, killed, removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from endpoint_agent.service import program

from ..live.daemon import Intake
from .machine import boot, disk

MARKERS = ("installed", "rebooted", "killed", "stopped", "refused")


@pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's")
def test_the_agent_lives_on_a_machine_with_systemd(
    image: Path, tmp_path: Path, intake: Intake, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "trial"
    program.copy(folder / "program", Path("/trial/program"))
    text = boot(image, disk(folder, "trial", intake), intake, MARKERS)
    with capsys.disabled():
        print("\n".join(line for line in text.splitlines() if line.startswith("installed")))
