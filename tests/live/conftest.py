from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .audit import MASK_ENABLED, Client, State, audit_client
from .capture import PATIENCE, Capture, auditing_into, capturing, require_root


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Capture]:
    """This kernel's events; the test's own processes are among them."""
    require_root()
    with capturing(tmp_path) as running:
        yield running


def scope_of_watching(fixture_name: str, config: pytest.Config) -> str:
    """One capture for a module; for all where attaching takes minutes, as in an emulated kernel."""
    return "module" if PATIENCE == 1 else "package"


@pytest.fixture(scope=scope_of_watching)
def watching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Capture]:
    """The same for all tests of a module that neither stop it nor count everything it saw.

    Attaching and detaching all programs takes seconds.
    """
    require_root()
    with capturing(tmp_path_factory.mktemp("watching")) as running:
        yield running


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder that everyone may enter, with a name short enough for bpftrace's 64 bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


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
