"""What is other for the peers."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def unaudited() -> None:
    """The audit system is what some of them read: nothing keeps it from the storm."""
