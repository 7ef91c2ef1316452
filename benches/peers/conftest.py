"""What is other for the peers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live.audit import audit_client


@pytest.fixture(scope="module", autouse=True)
def unaudited() -> Iterator[None]:
    """The audit system is what some of them read: nothing keeps it from the storm.

    Whoever has turned it on, it is left as it was found.
    """
    with audit_client():
        yield
