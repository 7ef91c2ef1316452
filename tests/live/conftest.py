from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .audit import MASK_ENABLED, Client, State, audit_client
from .capture import Capture, auditing_into, require_root
from .daemon import Intake


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder that everyone may enter, with a name short enough for bpftrace's 64 bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    intake = Intake(tmp_path / "intake")
    yield intake
    intake.stop()


@pytest.fixture(scope="module")
def audit() -> Iterator[Client]:
    """The audit system of this host, as it is without an agent."""
    require_root()
    with audit_client() as client:
        client.set(MASK_ENABLED, enabled=0)
        yield client


@pytest.fixture(scope="module")
def before(audit: Client) -> State:
    return audit.state()


@pytest.fixture(scope="module")
def auditing(
    audit: Client, before: State, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Capture]:
    """One capture for the tests of this module, after which the audit system is as before."""
    with auditing_into(tmp_path_factory.mktemp("auditing")) as capture:
        yield capture
    assert audit.state() == before
