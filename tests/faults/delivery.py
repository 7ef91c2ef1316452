"""What the delivery tests share: events, an agent that delivers them, the balance."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from endpoint_agent._native import Spool
from endpoint_agent.config import Settings
from endpoint_agent.deliver import Deliverer, Pace

KEY = "key-0123456789abcdef"
QUICK = Pace(batch=0.02, first_retry=0.02, last_retry=0.05, slow_retry=0.05)


def events(count: int) -> list[bytes]:
    return [b'{"event":{"sequence":%d}}' % number for number in range(1, count + 1)]


def settings(url: str, **others: Any) -> Settings:
    return Settings(intake_key=KEY, intake_url=url, **others)


@contextlib.contextmanager
def delivering(spool: Spool, url: str, pace: Pace = QUICK, **others: Any) -> Iterator[Deliverer]:
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


def settled(spool: Spool) -> None:
    until(lambda: spool.counters()["queued"] == 0)


def assert_balance(spool: Spool, **expected: int) -> None:
    """Every record is somewhere, and these counters have these values."""
    counters = spool.counters()
    assert counters["recovered"] + counters["spooled"] == sum(
        counters[part] for part in ("delivered", "queued", "evicted", "rejected", "damaged")
    )
    assert {name: counters[name] for name in expected} == expected
