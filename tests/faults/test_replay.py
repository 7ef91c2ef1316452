"""Replay, to standard output and to intakes of every temper. The recording is a stand-in."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpoint_agent import log, replay
from endpoint_agent.errors import AgentError, RecordingError

from .delivery import QUICK, events, settings
from .scripted_intake import answers, refuses, scripted_intake

Mock = Callable[[list[bytes]], None]
RECORDING = Path("a.rec")


@pytest.fixture
def mock_recording(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Makes any recording one of these events."""

    def put(found: list[bytes]) -> None:
        monkeypatch.setattr(replay, "_events", lambda *_: iter(found))

    return put


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(replay, "PACE", QUICK)
    before = list(log.LOGGER.handlers)
    propagate = log.LOGGER.propagate
    yield
    log.LOGGER.handlers[:] = before
    log.LOGGER.propagate = propagate


def deliver(url: str, state: Path) -> int:
    return replay.replay(RECORDING, settings(url, state_directory=state))


def test_events_are_lines_of_standard_output(
    mock_recording: Mock, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    mock_recording(events(1000))
    assert replay.replay(RECORDING, None) == 0
    assert capfdbinary.readouterr().out == b"".join(event + b"\n" for event in events(1000))


@contextlib.contextmanager
def standard_output(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with io.TextIOWrapper(os.fdopen(descriptor, "wb")) as output, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        yield


def test_a_reader_that_has_had_enough_is_no_error(
    mock_recording: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_recording(events(10_000))
    reader, writer = os.pipe()
    os.close(reader)
    with standard_output(writer, monkeypatch):
        assert replay.replay(RECORDING, None) == 0


def test_a_full_disk_is_told(mock_recording: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    mock_recording(events(10_000))
    full = os.open("/dev/full", os.O_WRONLY)
    with (
        standard_output(full, monkeypatch),
        pytest.raises(AgentError, match="cannot write to standard output: No space left"),
    ):
        replay.replay(RECORDING, None)


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(b"not a recording at all")
    with pytest.raises(RecordingError):
        replay.replay(path, None)


def test_every_event_reaches_the_intake(
    mock_recording: Mock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mock_recording(events(1000))
    with scripted_intake(answers(503)) as intake:
        assert deliver(intake.url, tmp_path) == 0
    assert intake.accepted == events(1000)
    assert "1000 of 1000 events delivered" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["agent-id"]


def test_more_events_than_the_queue_holds_are_not_evicted(
    mock_recording: Mock, tmp_path: Path
) -> None:
    many = [b'{"event":{"sequence":%d,"pad":"%s"}}' % (n, b"x" * 10_000) for n in range(300)]
    mock_recording(many)
    with scripted_intake() as intake:
        small = settings(intake.url, state_directory=tmp_path, event_buffer_cache_size=1)
        assert replay.replay(RECORDING, small) == 0
    assert intake.accepted == many


def test_what_could_be_read_of_a_damaged_file_is_delivered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def damaged(*_: object) -> Iterator[bytes]:
        yield from events(100)
        raise RecordingError("a.rec is damaged")

    monkeypatch.setattr(replay, "_events", damaged)
    with (
        scripted_intake() as intake,
        pytest.raises(RecordingError, match=r"a\.rec is damaged"),
    ):
        deliver(intake.url, tmp_path)
    assert intake.accepted == events(100)


def test_refused_events_make_it_fail(
    mock_recording: Mock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mock_recording(events(20))
    with scripted_intake(refuses(413, lambda request: events(20)[6] in request.events)) as intake:
        assert deliver(intake.url, tmp_path) == 1
    assert len(intake.accepted) == 19
    assert "19 of 20 events delivered" in capsys.readouterr().err


def test_a_refused_key_ends_it(mock_recording: Mock, tmp_path: Path) -> None:
    mock_recording(events(5))
    with (
        scripted_intake(*[answers(422)] * 100) as intake,
        pytest.raises(AgentError, match="the intake does not take events: HTTP 422"),
    ):
        deliver(intake.url, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["agent-id"]


def test_an_intake_that_stays_down_ends_it(mock_recording: Mock, tmp_path: Path) -> None:
    mock_recording(events(5))
    with pytest.raises(AgentError, match="correct the configuration and replay again"):
        deliver("http://127.0.0.1:9", tmp_path)
