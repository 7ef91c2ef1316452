"""What holds for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Rooms whose tests share kernel, network and clock with all that runs on the host.
SHARED = ("live", "faults", "attacks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs a test that depends on the host again before it counts as failed.

    What failed once is named in the summary all the same: a test that needs it often is wrong.
    In an emulated kernel, where a test has all the time there is, once has to do.
    """
    if "PATIENCE" in os.environ:
        return
    for item in items:
        room = Path(item.path).relative_to(Path(__file__).parent).parts[0]
        if room in SHARED:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
