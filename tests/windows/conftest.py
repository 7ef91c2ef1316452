from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.daemon import Intake

from .wine import ROOT, TARGET, Host

OTHER_KEY = "another-key-for-tests"


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """A host with nothing of the agent's, which each test leaves so."""
    # The Python that asks it, and the module as it is now.
    subprocess.run(["tools/windows", "python", "-c", ""], cwd=ROOT, check=True)
    made = Host(TARGET / "host")
    yield made
    made.close()


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    made = Intake(tmp_path / "intake", OTHER_KEY)
    yield made
    made.stop()
