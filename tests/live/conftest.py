from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .capture import Capture, capturing, require_root


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Capture]:
    """This kernel's events; the test's own processes are among them."""
    require_root()
    with capturing(tmp_path) as running:
        yield running
