"""A mock of the native queue: the same methods, in memory, for what a real one does too rarely."""

from __future__ import annotations

import gzip
import threading
import uuid
from dataclasses import dataclass

from endpoint_agent.errors import SpoolError


@dataclass(frozen=True)
class MockBatch:
    first: int
    records: tuple[bytes, ...]

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.first}+{self.count}"))

    @property
    def count(self) -> int:
        return len(self.records)

    @property
    def body(self) -> bytes:
        return gzip.compress(b"\n".join(self.records) + b"\n")


class MockSpool:
    def __init__(self, *records: bytes) -> None:
        self._records = list(records)
        self._first = 0
        self._changed = threading.Condition()
        self._woken = False
        self._closed = False
        self.quarantine: list[bytes] = []
        self._counters = {"spooled": len(records), "delivered": 0, "rejected": 0, "evicted": 0}

    def append(self, record: bytes) -> bool:
        with self._changed:
            self._records.append(record)
            self._counters["spooled"] += 1
            self._changed.notify_all()
        return True

    def next_batch(
        self,
        timeout: float,
        *,
        enough: int = 250,
        max_records: int = 1000,
        max_wait: float = 5.0,
        max_bytes: int = 0,
    ) -> MockBatch | None:
        with self._changed:
            self._wait(timeout, 1)
            if self._records:
                self._wait(max_wait, min(enough, max_records))
            self._woken = False
            if not self._records:
                return None
            return MockBatch(self._first, tuple(self._records[:max_records]))

    def _wait(self, timeout: float, records: int) -> None:
        self._changed.wait_for(
            lambda: self._woken or self._closed or len(self._records) >= records, timeout
        )
        if self._closed:
            raise SpoolError("queue: is closed")

    def split(self, batch: MockBatch) -> tuple[MockBatch, MockBatch]:
        if batch.first != self._first or batch.count < 2:
            raise ValueError("not at the queue's head")
        half = batch.count // 2
        return (
            MockBatch(batch.first, batch.records[:half]),
            MockBatch(batch.first + half, batch.records[half:]),
        )

    def ack(self, batch: MockBatch) -> None:
        self._leave(batch, "delivered")

    def reject(self, batch: MockBatch) -> None:
        self._leave(batch, "rejected")
        self.quarantine.extend(batch.records)

    def evict(self, count: int) -> None:
        self._leave(MockBatch(self._first, tuple(self._records[:count])), "evicted")

    def _leave(self, batch: MockBatch, counter: str) -> None:
        with self._changed:
            if self._closed:
                raise SpoolError("queue: is closed")
            gone = max(0, batch.first + batch.count - self._first)
            del self._records[:gone]
            self._first += gone
            self._counters[counter] += gone

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def counters(self) -> dict[str, int]:
        return {**self._counters, "queued": len(self._records)}

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
