"""Queues on disk for the fault tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpoint_agent._native import Spool

from .delivery import events

MakeQueue = Callable[..., Spool]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[MakeQueue]:
    """Makes the test's queue, or opens it again, and adds so many events to it."""
    queues: list[Spool] = []

    def make(count: int, max_bytes: int = 100_000_000) -> Spool:
        spool = Spool(str(tmp_path / "queue"), max_bytes=max_bytes)
        queues.append(spool)
        for event in events(count):
            assert spool.append(event)
        return spool

    yield make
    for spool in queues:
        spool.close()


@pytest.fixture
def quarantined(tmp_path: Path) -> Callable[[], list[bytes]]:
    """The events in quarantine."""
    return lambda: (tmp_path / "queue" / "quarantine.ndjson").read_bytes().splitlines()
