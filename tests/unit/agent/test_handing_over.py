from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent import _native, agent
from endpoint_agent.config import Settings, load
from endpoint_agent.errors import UnsupportedError
from endpoint_agent.handover.words import AGREED, DONE, READY, VARIABLE
from endpoint_agent.status import ask

from .running import (
    MockPipeline,
    MockStandBy,
    MockSuccessor,
    is_answering,
    left,
    run,
    wait_for,
    words,
)


def ask_for_change(settings: Settings) -> None:
    os.kill(os.getpid(), signal.SIGUSR2)


def test_another_agent_takes_over(tmp_path: Path, config_path: Path) -> None:
    settings = load(config_path)

    def act() -> None:
        wait_for(lambda: is_answering(settings))
        ask_for_change(settings)

    thread = threading.Thread(target=act)
    thread.start()
    assert agent.run(settings, config_path, None) == 0
    thread.join()

    assert MockSuccessor.heard == ["start", "done"]
    records = [words(record) for record in left(tmp_path)]
    assert "stopped-service" not in records
    assert records[-1] == "stats"
    # And the next one is not told that this one was killed.
    run(config_path)
    assert "crashed-program" not in [words(record) for record in left(tmp_path)]


def test_one_that_cannot_take_over_is_ended_and_told(
    tmp_path: Path, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockSuccessor, "fails", "it hangs")
    answers: list[dict[str, Any]] = []

    def look(settings: Settings) -> None:
        wait_for(lambda: MockSuccessor.heard == ["start", "abort"])
        answers.append(ask(settings.state_directory)["handover"])

    assert run(config_path, ask_for_change, look) == 0

    assert answers == [{"possible": True, "failures": 1, "failed": "it hangs"}]
    assert "no other agent takes over, and this one goes on" in [
        words(record) for record in left(tmp_path)
    ]


def test_one_that_is_not_ready_ends_with_the_agent(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockSuccessor, "is_ready", lambda _: False)

    def wait(_: Settings) -> None:
        wait_for(lambda: MockSuccessor.heard == ["start"])

    assert run(config_path, ask_for_change, wait, ask_for_change) == 0

    assert MockSuccessor.heard == ["start", "abort"]


def test_the_audit_system_is_not_handed_over(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockPipeline, "refused", ("ebpf",))
    answers: list[dict[str, Any]] = []

    def look(settings: Settings) -> None:
        wait_for(lambda: ask(settings.state_directory)["handover"]["failures"] == 1)
        answers.append(ask(settings.state_directory)["handover"])

    run(config_path, ask_for_change, look)

    assert not answers[0]["possible"]
    assert MockSuccessor.heard == []


def test_it_takes_over_when_it_is_its_turn(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    monkeypatch.setenv(VARIABLE, str(theirs.detach()))
    settings = load(config_path)

    def act() -> None:
        try:
            assert ours.recv(100) == READY
            # The queue is the other's until then.
            assert not (settings.state_directory / agent.QUEUE).exists()
            ours.send(b"cut 1 2")
            assert ours.recv(100) == AGREED
            ours.send(DONE)
            wait_for(lambda: is_answering(settings))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=act)
    thread.start()
    assert agent.run(settings, config_path, None) == 0
    thread.join()

    (stand_by,) = MockStandBy.made
    assert stand_by.before == os.getpid()
    assert stand_by.taken
    assert VARIABLE not in os.environ


def test_one_whose_capture_cannot_be_says_why(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise UnsupportedError("no ebpf; boot a newer kernel")

    monkeypatch.setattr(_native, "StandBy", refuse)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    monkeypatch.setenv(VARIABLE, str(theirs.detach()))

    with pytest.raises(UnsupportedError):
        agent.run(load(config_path), config_path, None)

    assert ours.recv(100) == b"failed no ebpf; boot a newer kernel"
