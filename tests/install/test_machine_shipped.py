"""Installed into a machine from what ships: from the one file, and as a package of Debian."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ..live.daemon import Intake
from .conftest import shipped
from .machine import boot, disk


@pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's")
@pytest.mark.parametrize(
    ("pattern", "trial", "markers"),
    [
        ("agent", "trial-agent", ("installed", "refused")),
        ("endpoint-agent_*.deb", "trial-deb", ("installed", "upgraded", "again")),
    ],
)
def test_the_agent_is_installed_and_removed(
    image: Path,
    intake: Intake,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pattern: str,
    trial: str,
    markers: tuple[str, ...],
) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    shutil.copy2(shipped(pattern), folder)
    text = boot(image, disk(folder, trial, intake), intake, markers)
    with capsys.disabled():
        print("\n".join(line for line in text.splitlines() if line.startswith("installed")))
