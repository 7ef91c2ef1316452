from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoint_agent import _native, agent, log, support
from endpoint_agent.handover import successor

from .running import CONFIGURATION, MockPipeline, MockStandBy, MockSuccessor


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIGURATION.format(state=tmp_path / "state", folder=tmp_path))
    path.chmod(0o600)
    return path


@pytest.fixture(autouse=True)
def around(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Puts the mock in place, ticks fast, and puts the log back."""
    monkeypatch.setattr(agent, "Pipeline", MockPipeline)
    monkeypatch.setattr(_native, "StandBy", MockStandBy)
    monkeypatch.setattr(successor, "Successor", MockSuccessor)
    monkeypatch.setattr(MockStandBy, "made", [])
    monkeypatch.setattr(MockSuccessor, "heard", [])
    monkeypatch.setattr(support, "facts", list)
    monkeypatch.setattr(support, "audit_facts", list)
    monkeypatch.setattr(agent, "TICK", 0.01)
    before = list(log.LOGGER.handlers), log.LOGGER.level, log.LOGGER.propagate
    yield
    for handler in log.LOGGER.handlers:
        handler.close()
    log.LOGGER.handlers, log.LOGGER.level, log.LOGGER.propagate = before
