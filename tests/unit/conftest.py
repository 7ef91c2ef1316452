"""What several tests of the daemon need: a queue, and its records as objects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent._native import Spool
from endpoint_agent.envelope import Envelope, Reporter

AGENT_ID = "ab" * 32

Queued = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(str(tmp_path / "queue"))
    yield spool
    spool.close()


@pytest.fixture
def reporter(spool: Spool) -> Reporter:
    return Reporter(spool, Envelope(AGENT_ID))


@pytest.fixture
def queued(spool: Spool) -> Queued:
    """Takes all records out of the queue."""

    def take() -> list[dict[str, Any]]:
        records = []
        while batch := spool.next_batch(0.0, max_wait=0.0):
            records += [json.loads(line) for line in gzip.decompress(batch.body).splitlines()]
            spool.ack(batch)
        return records

    return take
