"""A flood that tries to push an exec out of the sensor's buffers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.capture import Capture, Event

from .conftest import Tricks

pytestmark = [pytest.mark.live, pytest.mark.slow]

EXECS = 50
ACTS = 2 * 5_000


def test_execs_in_a_flood_of_files(
    watching: Capture, tricks: Tricks, tmp_path: Path, marker: str
) -> None:
    """Every exec is there, and every act of the flood is an event or a counted loss."""
    tricks.play("flood", tmp_path, marker)
    watching.exec_of("true", marker, str(EXECS - 1))
    numbers = [
        event["process"]["args"][2]
        for event in watching.events
        if event["event"]["action"] == "process-created"
        and event["process"].get("args", [])[1:2] == [marker]
    ]
    assert numbers == [str(number) for number in range(EXECS)]

    counts = {"open": 0, "delete": 0}
    kinds = {"file-created": "open", "file-deleted": "delete"}

    def all_accounted(event: Event) -> bool:
        action = event["event"]["action"]
        if action in kinds and event["file"]["path"].startswith(f"{tmp_path}/"):
            counts[kinds[action]] += 1
        elif action == "events-lost" and (what := event["action"]["properties"]["what"]) in counts:
            counts[what] += event["action"]["properties"]["count"]
        return min(counts.values()) >= ACTS

    watching.wait_for(all_accounted, timeout=60.0)
