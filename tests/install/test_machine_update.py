"""A machine with systemd whose agent is updated under load: every marker is told once."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from endpoint_agent.service import program
from endpoint_agent.service.places import VERSIONS

from ..live.daemon import Intake
from .machine import boot, disk

pytest.importorskip("tuf")

from ..unit.update.published import Publisher
from .test_update import BROKEN, NEWER, UNWELL, bundle, told

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's")


def prepare(folder: Path, versions: Sequence[str]) -> Path:
    """What a trial needs: the program, and repositories, each with one version more."""
    trial = folder / "trial"
    program.copy(trial / "program", Path("/trial/program"))
    program.copy(folder / "copy", VERSIONS / "copy")
    publisher = Publisher(folder)
    shutil.copy(publisher.root, trial / "root.json")
    for version in versions:
        publisher.repository.add([bundle(folder, folder / "copy", version)], 100)
        shutil.copytree(publisher.folder, trial / version)
    return trial


def test_an_update_loses_no_event(
    image: Path, tmp_path: Path, intake: Intake, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = prepare(tmp_path, (NEWER, BROKEN, UNWELL))
    text = boot(image, disk(trial, "trial-update", intake), intake, ("updated", "killed"))
    found = re.search(r"^storm: (\d+)$", text, re.MULTILINE)
    assert found, text
    count = int(found[1])
    paths = [
        event["file"]["path"]
        for event in intake.events(text="/var/markers/marker-")
        if event["event"]["action"] == "file-created"
    ]
    assert sorted(paths) == [f"/var/markers/marker-{number:06}" for number in range(count)]
    assert told(intake.events(action="updated"), "updated") == [NEWER]
    failed = told(intake.events(action="update-failed"), "update-failed")
    assert failed == [BROKEN, UNWELL]
    with capsys.disabled():
        print(f"updated under a storm: {count} markers, none missing")
