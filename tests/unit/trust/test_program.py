from __future__ import annotations

import threading
from pathlib import Path

import pytest

from endpoint_agent.service import manifest
from endpoint_agent.service.manifest import Difference
from endpoint_agent.trust import program
from endpoint_agent.trust.program import Verdict, Verifier


@pytest.fixture
def version(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/agent").write_text("the program")
    manifest.write(tmp_path)
    return tmp_path


class Found:
    """Waits for what a verifier finds."""

    def __init__(self) -> None:
        self.differences: list[Difference] = []
        self.came = threading.Event()

    def __call__(self, differences: list[Difference]) -> None:
        self.differences = differences
        self.came.set()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "verify"]


def test_differences_are_found_on_a_thread_of_its_own(version: Path) -> None:
    (version / "bin/agent").write_text("another one")
    found = Found()
    verifier = Verifier(version, found)
    verifier.start()
    assert found.came.wait(20)
    assert found.differences == [Difference("bin/agent", "changed")]
    verifier.stop()
    assert verifier.verdict.checked
    assert verifier.verdict.differences == 1
    assert threads() == []


def test_it_ends_when_it_is_told_to(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PAUSE", 600.0)
    (version / "bin/agent").write_text("another one")
    found = Found()
    verifier = Verifier(version, found)
    verifier.start()
    verifier.start()
    assert threads() == ["verify"]
    verifier.stop()
    assert threads() == []
    assert not found.came.is_set()


def test_a_program_that_was_not_installed_is_not_verified() -> None:
    verifier = Verifier(program.folder(), Found())
    verifier.start()
    assert threads() == []
    verifier.stop()


def test_what_it_has_come_to_is_known(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compare() -> Verdict:
        verifier = Verifier(version, Found())
        assert verifier.verdict == Verdict()
        verifier.start()
        for thread in threading.enumerate():
            if thread.name == "verify":
                thread.join(20)
        assert verifier.verdict.checked
        return verifier.verdict

    verdict = compare()
    assert (verdict.differences, verdict.error) == (0, "")

    def fails(*arguments: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(manifest, "verify", fails)
    assert compare().error == "[Errno 5] Input/output error"
