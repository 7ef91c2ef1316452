"""What `make audit` makes of what the tools say, which are mocks here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tools"))

import audit

PIP = ["pip-audit"]
CARGO = ["cargo-audit", "audit"]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(audit, "search_path", lambda: str(tmp_path))
    return tmp_path


def have_say(tool: Path, found: dict[str, Any]) -> None:
    """A tool that finds something."""
    tool.write_text(f"#!/bin/sh\necho '{json.dumps(found)}'\n")
    tool.chmod(0o755)


def test_a_fault_of_a_package_is_told(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"name": "bad", "version": "1", "vulns": [{"id": "PYSEC-1"}]}
    good = {"name": "good", "version": "2", "vulns": []}
    have_say(tools / "pip-audit", {"dependencies": [bad, good]})
    assert audit.faults("pip-audit", PIP) == ["bad 1: PYSEC-1"]
    assert "finds 1 known faults in 2 packages" in capsys.readouterr().out


def test_a_data_base_that_does_not_answer_finds_nothing(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    have_say(tools / "pip-audit", {"dependencies": [{"name": "a", "skip_reason": "not there"}]})
    assert audit.faults("pip-audit", PIP) == []
    said = capsys.readouterr().out
    assert said == "audit: pip-audit could not find out about 1 of 1 packages: not there\n"


def test_a_fault_of_a_crate_is_told(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"package": {"name": "bad", "version": "1"}, "advisory": {"id": "RUSTSEC-1"}}
    counts = {"lockfile": {"dependency-count": 7}, "vulnerabilities": {"list": [one]}}
    have_say(tools / "cargo-audit", counts)
    assert audit.faults("cargo-audit", CARGO) == ["bad 1: RUSTSEC-1"]
    assert "finds 1 known faults in 7 packages" in capsys.readouterr().out


def test_a_tool_that_fails_is_told(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = tools / "cargo-audit"
    tool.write_text("#!/bin/sh\necho 'error: no network' >&2\nexit 1\n")
    tool.chmod(0o755)
    assert audit.faults("cargo-audit", CARGO) == []
    assert capsys.readouterr().out == "audit: cargo-audit could not find out: error: no network\n"


@pytest.mark.parametrize(
    ("expression", "is_met"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(GPL-3.0-only OR MIT) AND Zlib", True),
        ("MIT/Apache-2.0", True),
    ],
)
def test_what_a_licence_allows(expression: str, *, is_met: bool) -> None:
    assert audit.is_allowed(expression, {"MIT", "Zlib"}) is is_met
