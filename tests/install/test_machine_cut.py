"""A machine whose power fails in the middle of an update: what is on its disk goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..live.daemon import Intake
from .machine import PASSED, Machine, await_markers, disk

pytest.importorskip("tuf")

from .test_machine_update import prepare
from .test_update import NEWER, told

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's")

# What the machine is at when its power fails.
MOMENTS = ("unpacking", "trial")


def test_an_update_without_power_is_made_later(image: Path, tmp_path: Path, intake: Intake) -> None:
    """QEMU is killed: what the machine has not yet written to its disk is lost."""
    trial = disk(prepare(tmp_path, (NEWER,)), "trial-cut", intake)
    machine = Machine(image, trial, kept=tmp_path / "disk")
    for moment in MOMENTS:
        with machine.on():
            machine.wait_word(f"cut {moment}")
    assert not intake.events(text="/var/marker-queued")
    with machine.on():
        machine.wait_off()
    assert PASSED in machine.said(), machine.said()
    await_markers(intake, ("installed", "unpacking", "queued", "over"))
    assert told(intake.events(action="updated"), "updated") == [NEWER]
    assert told(intake.events(action="update-failed"), "update-failed") == []
    boots = [event["event"]["outcome"] for event in intake.events(action="booted-system")]
    assert boots == ["failure", "failure"]
