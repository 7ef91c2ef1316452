from __future__ import annotations

import stat
from pathlib import Path

import pytest

from endpoint_agent._native import Spool
from endpoint_agent.envelope import Reporter
from endpoint_agent.update import state
from endpoint_agent.update.state import State

from ..conftest import Queued


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert state.load(tmp_path) == State()
    known = State(checked=1.5, offered="0.2.0", failed={"0.2.0": "it fails"})
    state.save(tmp_path, known)
    assert state.load(tmp_path) == known
    path = tmp_path / "update/state.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"[]", b'{"failed": 1}', b"\xff" * 9, b" " * 99_999])
def test_a_damaged_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    state.save(tmp_path, State(offered="0.2.0"))
    (tmp_path / "update/state.json").write_bytes(content)
    assert state.load(tmp_path) == State()


def test_failures_are_remembered_up_to_a_number() -> None:
    known = State()
    for n in range(20):
        known.fail(f"0.{n}.0", "x" * 2000)
    known.fail("0.5.0", "again")
    assert len(known.failed) == state.MAX_FAILED
    assert list(known.failed)[-1] == "0.5.0"
    assert all(len(reason) <= state.MAX_REASON for reason in known.failed.values())


def test_what_happened_is_reported_once(tmp_path: Path, reporter: Reporter, queued: Queued) -> None:
    state.report(tmp_path, reporter)
    state.tell(tmp_path, state.STARTED, "0.1.0", "0.2.0", "it begins")
    state.tell(tmp_path, state.FAILED, "0.1.0", "0.2.0", "it fails")
    (tmp_path / "update/events/1.json").write_bytes(b"damaged")
    state.report(tmp_path, reporter)
    state.report(tmp_path, reporter)
    first, second = queued()
    assert first["event"]["action"] == "update-started"
    assert second["event"]["type"] == ["change"]
    assert second["event"]["outcome"] == "failure"
    assert second["event"]["reason"] == "it fails"
    assert second["action"]["properties"] == {"old_version": "0.1.0", "new_version": "0.2.0"}
    assert list((tmp_path / "update/events").iterdir()) == []


def test_what_cannot_be_kept_is_reported_later(tmp_path: Path, spool: Spool) -> None:
    """A queue that is closed, as when the agent ends, keeps nothing."""
    state.tell(tmp_path, state.DONE, "0.1.0", "0.2.0", "done")

    class Full:
        def report(self, *arguments: object, **members: object) -> bool:
            return False

    state.report(tmp_path, Full())  # type: ignore[arg-type]
    assert len(list((tmp_path / "update/events").iterdir())) == 1
