"""The loop that empties the queue into the intake.

    next_batch ──► post ─┬─► taken: ack
        ▲                ├─► refused: halve it, down to the one event that goes to quarantine
        └───── wait ◄────┴── anything else: it stays at the head of the queue

A batch is acknowledged only after the intake took it, so each is delivered at least once; its id
lets the intake drop the second copy.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from endpoint_agent.deliver.answer import Answer, Verdict
from endpoint_agent.deliver.backoff import Backoff
from endpoint_agent.deliver.client import ANSWER_TIMEOUT, IntakeClient
from endpoint_agent.deliver.state import DeliveryState, Recorder
from endpoint_agent.errors import ConfigError, SpoolError

if TYPE_CHECKING:
    from endpoint_agent._native import Batch, Spool
    from endpoint_agent.config import Settings

# Events that make a request worth sending, and most that one holds when the queue has got longer:
# a request costs as much as a hundred events. The intake's limit is the size of the body.
ENOUGH = 250
MAX_RECORDS = 1000
MAX_BODY = 10_485_760

# Lone events refused in a row, after which the next ones have to wait.
MAX_REFUSALS = 10

# Seconds the loop waits for a first event before it looks around.
IDLE = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds."""

    batch: float = 5.0
    """From the first event of a batch until it is sent, full or not."""
    first_retry: float = 1.0
    """At most until the first retry; the limit doubles with each further one …"""
    last_retry: float = 60.0
    """… up to this."""
    slow_retry: float = 60.0
    """About how long until the next try when a person has to correct something first."""


class Deliverer:
    """Delivers a queue to the intake of the settings. `run` it in a daemon thread of its own."""

    def __init__(
        self,
        spool: Spool,
        settings: Settings,
        *,
        pace: Pace | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Connects nothing yet. `uniform` is the source of chance for the waits."""
        self._spool = spool
        self._settings = settings
        self._pace = pace or Pace()
        self._uniform = uniform
        self._backoff = Backoff(self._pace.first_retry, self._pace.last_retry, uniform)
        self._client: IntakeClient | None = None
        self._recorder = Recorder()
        self._delay = 0.0
        self._refusals = 0
        self._nudge = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._stop_at: float | None = None

    def run(self) -> None:
        """Delivers until `stop`.

        Raises:
            SpoolError: the queue failed, or was closed before `stop`.
        """
        self._ended.clear()
        try:
            while self._step():
                pass
        except SpoolError:
            # After `stop` the queue may be closed while a request still hangs.
            if self._stop_at is None:
                raise
        finally:
            if self._client is not None:
                self._client.close()
            self._ended.set()

    def stop(self, drain: float = 5.0) -> None:
        """Ends `run` after one pass over the queue. Any thread but that of `run` may call it.

        Returns when `run` has ended, or after `drain` seconds: a request that still hangs then
        ends with its timeout or with the process. Its events stay in the queue.
        """
        self._stop_at = time.monotonic() + drain
        self._nudge.set()
        self._spool.wake()
        self._ended.wait(drain)

    def reconfigure(self, settings: Settings) -> None:
        """Uses other settings from the next request on, and ends the wait for it."""
        self._settings = settings
        self._nudge.set()

    def state(self) -> DeliveryState:
        """How delivery fares."""
        return self._recorder.snapshot()

    def _step(self) -> bool:
        """Delivers one batch; false when the loop is to end."""
        stopping = self._stop_at is not None
        if self._patience() <= 0:
            return False
        batch = self._spool.next_batch(
            0.0 if stopping else IDLE,
            enough=ENOUGH,
            max_records=MAX_RECORDS,
            max_wait=0.0 if stopping else self._pace.batch,
            max_bytes=MAX_BODY,
        )
        if batch is None:
            return not stopping
        if self._deliver(batch):
            return True
        if self._stop_at is None:
            self._nudge.wait(self._delay)
            self._nudge.clear()
        return not stopping

    def _deliver(self, batch: Batch) -> bool:
        """Settles a batch, in parts if need be; false when the rest has to wait."""
        answer = self._post(batch)
        match answer.verdict:
            case Verdict.TAKEN:
                return self._settle(batch, answer)
            case Verdict.REFUSED if batch.count > 1:
                return all(self._deliver(half) for half in self._halves(batch))
            case Verdict.REFUSED:
                return self._reject(batch, answer)
            case _:
                return self._fail(answer)

    def _post(self, batch: Batch) -> Answer:
        try:
            client = self._intake()
        except ConfigError as error:
            return Answer(Verdict.MISCONFIGURED, str(error))
        body = batch.body
        self._recorder.sent(len(body))
        return client.post(batch.id, body, max(0.1, self._patience()))

    def _intake(self) -> IntakeClient:
        settings = self._settings
        if self._client is not None and self._client.settings is not settings:
            self._client.close()
            self._client = None
        if self._client is None:
            self._backoff.reset()
            self._client = IntakeClient(settings)
        return self._client

    def _settle(self, batch: Batch, answer: Answer) -> bool:
        self._refusals = 0
        self._backoff.reset()
        self._recorder.taken()
        self._ack(batch, answer.refused)
        if answer.refused:
            self._recorder.refused(replace(answer, verdict=Verdict.REFUSED))
        return True

    def _ack(self, batch: Batch, refused: Iterable[int]) -> None:
        """Acknowledges a batch but for the events at these places, which go to quarantine."""
        places = [place for place in refused if 0 <= place < batch.count]
        if not places:
            self._spool.ack(batch)
        elif batch.count == 1:
            self._spool.reject(batch)
        else:
            for half in self._halves(batch):
                self._ack(half, places)
                places = [place - half.count for place in places]

    def _halves(self, batch: Batch) -> tuple[Batch, ...]:
        """The older and the newer half; none if the queue has evicted some of it by now."""
        try:
            return self._spool.split(batch)
        except ValueError:
            return ()

    def _reject(self, event: Batch, answer: Answer) -> bool:
        self._spool.reject(event)
        self._recorder.refused(answer)
        self._refusals += 1
        if self._refusals < MAX_REFUSALS:
            return True
        # Not one of the last events was taken: it is the intake that is wrong, or something on
        # the way to it, and the queue must not run empty into the quarantine meanwhile.
        self._refusals = 0
        return self._fail(answer)

    def _fail(self, answer: Answer) -> bool:
        if answer.verdict is Verdict.UNAVAILABLE:
            self._delay = self._backoff.next(answer.retry_after)
        else:
            slow = self._pace.slow_retry * self._uniform(0.5, 1.5)
            self._delay = max(slow, answer.retry_after)
        self._recorder.failed(answer, self._delay)
        return False

    def _patience(self) -> float:
        """Seconds that a request may take."""
        if self._stop_at is None:
            return ANSWER_TIMEOUT
        return min(ANSWER_TIMEOUT, self._stop_at - time.monotonic())
