from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from endpoint_agent import __version__
from endpoint_agent.service import versions
from endpoint_agent.update import schedule


def test_a_program_of_the_tests_is_not_installed() -> None:
    assert not schedule.is_installed()


def test_a_trial_that_was_cut_off_is_taken_up_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "CURRENT", tmp_path / "current")
    versions.point(schedule.CURRENT, "9.0.1")
    assert schedule.first() == schedule.RESUME
    versions.point(schedule.CURRENT, __version__)
    assert schedule.first() >= schedule.FIRST[0] > schedule.RESUME


def test_no_two_hosts_ask_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "CURRENT", tmp_path / "current")
    assert len({schedule.first() for _ in range(9)} | {schedule.day() for _ in range(9)}) == 18
    assert 0.7 * 86_400 < schedule.day() < 1.3 * 86_400


def test_the_command_outlives_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "GOOD", tmp_path)
    monkeypatch.setenv("ENDPOINT_AGENT_INTAKE_KEY", "secret")
    program = tmp_path / "bin/endpoint-agent"
    program.parent.mkdir()
    said = tmp_path / "said"
    program.write_text(
        f'#!/bin/sh\n(echo "$@"; env; cat /proc/$$/stat) >{said}.part; mv {said}.part {said}\n'
    )
    program.chmod(0o755)
    schedule.start()
    deadline = time.monotonic() + 20
    while not said.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    words, *_, status = said.read_text().splitlines()
    assert words == "update --automatic"
    assert "secret" not in said.read_text()
    parent, _, session = status.rpartition(")")[2].split()[1:4]
    assert int(session) != os.getsid(0)
    assert int(parent) != os.getpid()
