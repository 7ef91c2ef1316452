"""What the delivery tests share: a queue with events, an agent that delivers, the balance."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from endpoint_agent.config import Settings
from endpoint_agent.deliver import Deliverer, Pace

from ..unit.deliver.mock_spool import MockSpool

KEY = "key-0123456789abcdef"
QUICK = Pace(batch=0.02, first_retry=0.02, last_retry=0.05, slow_retry=0.05)


def events(count: int) -> list[bytes]:
    return [b'{"event":{"sequence":%d}}' % number for number in range(1, count + 1)]


def queue(count: int) -> MockSpool:
    return MockSpool(*events(count))


def settings(url: str, **others: Any) -> Settings:
    return Settings(intake_key=KEY, intake_url=url, **others)


@contextlib.contextmanager
def delivering(spool: Any, url: str, pace: Pace = QUICK, **others: Any) -> Iterator[Deliverer]:
    deliverer = Deliverer(spool, settings(url, **others), pace=pace)
    thread = threading.Thread(target=deliverer.run, daemon=True)
    thread.start()
    try:
        yield deliverer
    finally:
        deliverer.stop(drain=1.0)
        thread.join(5)
        assert not thread.is_alive()


def until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def settled(spool: Any) -> None:
    until(lambda: spool.counters()["queued"] == 0)


def quarantined(spool: Any) -> list[bytes]:
    return spool.quarantine


def assert_balance(spool: Any, **expected: int) -> None:
    counters = spool.counters()
    parts = ("delivered", "queued", "evicted", "rejected", "damaged")
    assert counters.get("recovered", 0) + counters["spooled"] == sum(
        counters.get(part, 0) for part in parts
    )
    assert {name: counters[name] for name in expected} == expected
