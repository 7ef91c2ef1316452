from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.service import health
from endpoint_agent.service.health import Trial, missing

WELL: dict[str, Any] = {
    "source": "ebpf",
    "fallback": "",
    "heartbeat_delivered": True,
    "counters": {"recovered": 0},
    "delivery": {"key_refused": False, "last_error": None, "last_delivery": 1.0},
}


def but(**changes: Any) -> dict[str, Any]:
    delivery = WELL["delivery"] | changes.pop("delivery", {})
    return WELL | changes | {"delivery": delivery}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (WELL, ""),
        (but(source=""), "captures nothing"),
        (but(heartbeat_delivered=False), "no answer of the intake"),
        (but(heartbeat_delivered=False, delivery={"last_error": "refused"}), "arrived: refused"),
        (but(delivery={"key_refused": True, "last_error": "401"}), "refuses the key: 401"),
        (but(heartbeat_delivered=False, counters={"recovered": 9}), ""),
        (
            but(
                heartbeat_delivered=False,
                counters={"recovered": 9},
                delivery={"last_delivery": None},
            ),
            "has not arrived",
        ),
    ],
)
def test_what_keeps_an_agent_from_being_well(answer: dict[str, Any], reason: str) -> None:
    assert reason in missing(answer)
    assert bool(reason) == bool(missing(answer))


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(health, "POLL", 0.001)
    monkeypatch.setattr(health, "LOOK", 0.0)
    return Trial(tmp_path, tmp_path / "agent.log")


def answers(monkeypatch: pytest.MonkeyPatch, *given: dict[str, Any] | None) -> None:
    """What the agent answers, one time after the other, the last one for ever."""
    left = list(given)

    def ask(state_directory: Path) -> dict[str, Any]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer is None:
            raise AgentError("no agent runs")
        return answer

    monkeypatch.setattr(health, "ask", ask)


def test_it_waits_until_all_is_well(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, None, but(source=""), but(heartbeat_delivered=False), WELL)
    assert trial.wait(lambda: True) == "ebpf"


def test_why_it_is_not_ebpf_is_told(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, but(source="audit", fallback="the kernel refuses"))
    assert trial.wait(lambda: True) == "audit (the kernel refuses)"


def test_a_refused_key_is_not_waited_for(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, but(delivery={"key_refused": True, "last_error": "401"}))
    with pytest.raises(AgentError, match=r"^the intake refuses the key: 401$"):
        trial.wait(lambda: True)


def test_an_agent_that_has_ended_is_not_waited_for(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, None)
    with pytest.raises(AgentError, match="does not say why"):
        trial.wait(lambda: False)
    (tmp_path / "agent.log").write_text(
        "2001-01-01T00:00:00.000Z ERROR long ago\n"
        "2999-01-01T00:00:00.000Z ERROR now\n"
        "2999-01-01T00:00:00.000Z INFO that was it\n"
    )
    with pytest.raises(AgentError, match=r"^it has ended: now$"):
        trial.wait(lambda: False)


def test_patience_ends(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, but(heartbeat_delivered=False, delivery={"last_error": "refused"}))
    with pytest.raises(AgentError, match=r"^after 0 s its heartbeat has not arrived: refused$"):
        trial.wait(lambda: True, timeout=0.05)


def test_a_version_has_to_be_that_one_and_to_see_what_is_run(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def well(version: str, captured: int) -> dict[str, Any]:
        return but(version=version, counters={"recovered": 0, "captured": captured})

    asked = []

    def is_active() -> bool:
        asked.append(1)
        return True

    answers(monkeypatch, well("v1", 9), well("v2", 3), well("v2", 3), well("v2", 4))
    assert trial.wait(is_active, version="v2") == "ebpf"
    assert len(asked) == 1
    answers(monkeypatch, well("v1", 9))
    with pytest.raises(AgentError, match="it is v1 that runs"):
        trial.wait(lambda: True, 0.05, "v2")
    answers(monkeypatch, well("v2", 9))
    with pytest.raises(AgentError, match="does not see what is run"):
        Trial(Path(), Path()).wait(lambda: True, 0.05, "v2")


def test_what_the_running_agent_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, but(version="v1", delivery={"last_error": "refused"}))
    assert health.version(Path()) == "v1"
    assert health.undelivered(Path()) == "refused"
    answers(monkeypatch, None)
    assert health.version(Path()) == health.undelivered(Path()) == ""
