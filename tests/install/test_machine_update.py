"""A machine with systemd whose agent is updated under load: every marker is told once."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from endpoint_agent.service import program
from endpoint_agent.service.places import VERSIONS

from ..live.daemon import Intake
from .machine import boot, disk

pytest.importorskip("tuf")

from ..unit.update.published import Publisher
from .test_update import BROKEN, NEWER, bundle


@pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's")
def test_an_update_loses_no_event(
    image: Path, tmp_path: Path, intake: Intake, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "trial"
    program.copy(folder / "program", Path("/trial/program"))
    program.copy(tmp_path / "copy", VERSIONS / "copy")
    publisher = Publisher(tmp_path)
    shutil.copy(publisher.root, folder / "root.json")
    for name, version in (("first", NEWER), ("second", BROKEN)):
        made = bundle(tmp_path, tmp_path / "copy", version, version == BROKEN)
        publisher.repository.add([made], 100)
        shutil.copytree(publisher.folder, folder / name)
    text = boot(image, disk(folder, "trial-update", intake), intake, ("updated", "killed"))
    found = re.search(r"^storm: (\d+)$", text, re.MULTILINE)
    assert found, text
    count = int(found[1])
    paths = [
        event["file"]["path"]
        for event in intake.events(text="/var/markers/marker-")
        if event["event"]["action"] == "file-created"
    ]
    assert sorted(paths) == [f"/var/markers/marker-{number:06}" for number in range(count)]
    with capsys.disabled():
        print(f"updated under a storm: {count} markers, none missing")
