"""Who asks an agent to hand over, and what it makes of the answers."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.errors import AgentError, HandoverError
from endpoint_agent.update import change
from endpoint_agent.update.change import request


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(change, "POLL", 0.01)


class MockAgents:
    """What answers for agents, one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | None) -> None:
        self.answers = list(answers)
        self.signalled: list[tuple[int, int]] = []
        monkeypatch.setattr(change, "ask", self.ask)
        monkeypatch.setattr(os, "kill", lambda *given: self.signalled.append(given))

    def ask(self, _: Path) -> dict[str, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise AgentError("no agent runs")
        return answer


def answer(pid: int, failures: int = 0, possible: bool = True) -> dict[str, Any]:
    told = {"possible": possible, "failures": failures, "failed": "it hangs"}
    return {"pid": pid, "handover": told}


def test_a_change_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agents = MockAgents(monkeypatch, answer(5), answer(5), None, answer(6))
    assert request(tmp_path)
    assert agents.signalled == [(5, signal.SIGUSR2)]


@pytest.mark.parametrize("found", [None, {"pid": 5}, answer(5, possible=False)])
def test_no_signal_for_an_agent_that_it_would_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any] | None
) -> None:
    agents = MockAgents(monkeypatch, found)
    assert not request(tmp_path)
    assert agents.signalled == []


def test_a_change_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MockAgents(monkeypatch, answer(5, 1), answer(5, 1), answer(5, 2))
    with pytest.raises(HandoverError, match="the agent in use goes on: it hangs"):
        request(tmp_path)


@pytest.mark.parametrize("last", [answer(5), None])
def test_a_change_that_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: dict[str, Any] | None
) -> None:
    monkeypatch.setattr(change, "CHANGE" if last else "SILENCE", 0.05)
    MockAgents(monkeypatch, answer(5), last)
    with pytest.raises(HandoverError, match="not hand over in time"):
        request(tmp_path)
