"""Recordings and the events they must give, which `make golden` rewrites.

One is of a real kernel, through eBPF; the other is of records as the audit system writes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from endpoint_agent._native import Pipeline, Spool, replay
from endpoint_agent.errors import RecordingError

HERE = Path(__file__).parent
ROOT = HERE / "root"
RECORDING = HERE / "session.rec"
AGENT_ID = "ab" * 32
ENVELOPE = b'"agent":{"id":"' + AGENT_ID.encode() + b'"},"host":{"hostname":"golden"}'


def events(recording: Path) -> Iterator[bytes]:
    yield from replay(str(recording), agent_id=AGENT_ID, envelope=ENVELOPE, root=str(ROOT))


@pytest.mark.parametrize("name", ["session", "audit"])
def test_recording_gives_the_expected_events(name: str) -> None:
    seen = b"".join(event + b"\n" for event in events(HERE / f"{name}.rec"))
    expected = HERE / f"{name}.ndjson"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_bytes(seen)
    assert seen.splitlines() == expected.read_bytes().splitlines()


def test_events_are_numbered_without_gaps() -> None:
    numbers = [orjson.loads(event)["event"]["sequence"] for event in events(RECORDING)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_same_events_through_the_queue_and_the_sums_hold(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "queue"))
    pipeline = Pipeline(
        spool,
        source=f"replay:{RECORDING}",
        agent_id=AGENT_ID,
        envelope=ENVELOPE,
        state_directory=str(tmp_path),
        root=str(ROOT),
    )
    pipeline.start()
    assert pipeline.ready(10.0)
    pipeline.stop()
    assert pipeline.finished()
    assert pipeline.notices() == []
    count = spool.counters()
    assert count["captured"] == count["spooled"] == len(list(events(RECORDING)))
    spool.close()


@pytest.mark.parametrize("size", [0, 8, 23])
def test_what_is_no_recording_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "short.rec"
    path.write_bytes(RECORDING.read_bytes()[:size])
    with pytest.raises(RecordingError, match=r"short\.rec is not a recording"):
        replay(str(path), agent_id=AGENT_ID, envelope=ENVELOPE)


def test_half_a_record_is_told_after_the_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "torn.rec"
    path.write_bytes(RECORDING.read_bytes()[:-5])
    seen = []
    with pytest.raises(RecordingError, match="half a record at its end"):
        seen.extend(events(path))
    path.write_bytes(RECORDING.read_bytes() + b"\x01\x00\x00\x00")
    with pytest.raises(RecordingError, match="a record of 1 bytes"):
        list(events(path))


def test_malformed_records_are_counted_as_lost(tmp_path: Path) -> None:
    path = tmp_path / "odd.rec"
    strange = (72).to_bytes(4, "little") + b"\xff" * 68
    path.write_bytes(RECORDING.read_bytes() + 3 * strange)
    last = orjson.loads(list(events(path))[-1])
    assert last["event"]["action"] == "events-lost"
    assert last["action"]["properties"]["count"] == 3
