"""A flood that tries to push an exec out of the sensor's buffers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.audit import auditing_alone
from tests.live.capture import Event, capturing, require_root

from .conftest import Tricks

pytestmark = [pytest.mark.live, pytest.mark.slow]

EXECS = 50
ACTS = 2 * 5_000


@pytest.mark.parametrize("source", ["ebpf", "audit"])
def test_execs_in_a_flood_of_files(
    tricks: Tricks, tmp_path: Path, marker: str, source: str
) -> None:
    """Every exec is there, and every act of the flood is an event or a counted loss."""
    require_root()
    flooded, kept = tmp_path / "flooded", tmp_path / "kept"
    for folder in flooded, kept:
        folder.mkdir()
    counts = {"open": 0, "delete": 0}
    kinds = {"file-created": "open", "file-deleted": "delete"}

    def all_accounted(event: Event) -> bool:
        action = event["event"]["action"]
        if action in kinds and event["file"]["path"].startswith(f"{flooded}/"):
            counts[kinds[action]] += 1
        elif action == "events-lost" and (what := event["action"]["properties"]["what"]) in counts:
            counts[what] += event["action"]["properties"]["count"]
        return min(counts.values()) >= ACTS

    running = auditing_alone(kept) if source == "audit" else capturing(kept, may_lose=True)
    with running as capture:
        tricks.play("flood", flooded, marker)
        capture.exec_of("true", marker, str(EXECS - 1))
        numbers = [
            event["process"]["args"][2]
            for event in capture.events
            if event["event"]["action"] == "process-created"
            and event["process"].get("args", [])[1:2] == [marker]
        ]
        assert numbers == [str(number) for number in range(EXECS)]
        capture.wait_for(all_accounted, timeout=60.0)
