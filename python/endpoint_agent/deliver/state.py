"""How delivery fares: for `status`, and for the log when it changes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from endpoint_agent.deliver.answer import Answer, Verdict

log = logging.getLogger(__name__)

MESSAGES = {
    Verdict.UNAVAILABLE: (
        logging.WARNING,
        "the intake does not take events: %s; they stay in the queue and are sent again",
    ),
    Verdict.KEY_REFUSED: (
        logging.ERROR,
        "the intake refuses the key: %s; events stay in the queue; correct IntakeKey and reload",
    ),
    Verdict.MISCONFIGURED: (
        logging.ERROR,
        "there is no intake where the settings say: %s; events stay in the queue; "
        "correct IntakeURL, HTTPProxyURL or CABundlePath and reload",
    ),
    Verdict.REFUSED: (
        logging.WARNING,
        "the intake refuses an event for good: %s; it is kept in quarantine.ndjson",
    ),
}


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """How delivery fares at one moment."""

    last_delivery: float | None = None
    """When the intake last took events, in seconds since the epoch."""
    last_error: str | None = None
    """Why the last try failed; None after one that did not."""
    retry_in: float = 0.0
    """Seconds until the next try; 0 when none is waited for."""
    consecutive_failures: int = 0
    """Tries since the last that did not fail."""
    key_refused: bool = False
    """The intake's last word was that the key is wrong."""
    requests: int = 0
    """Requests made in this run."""
    bytes_sent: int = 0
    """Bytes of their bodies, compressed."""


class Recorder:
    """Keeps the state. One thread records, any thread may take a snapshot."""

    def __init__(self) -> None:
        self._state = DeliveryState()
        self._retry_at = 0.0
        self._told: Verdict | None = None

    def sent(self, size: int) -> None:
        """A request with a body of `size` bytes was made."""
        self._retry_at = 0.0
        state = self._state
        self._state = replace(
            state, requests=state.requests + 1, bytes_sent=state.bytes_sent + size
        )

    def taken(self) -> None:
        """The intake took a batch."""
        if self._told not in (None, Verdict.REFUSED):
            log.info("the intake takes events again")
        self._told = None
        self._state = replace(
            self._state,
            last_delivery=time.time(),
            last_error=None,
            consecutive_failures=0,
            key_refused=False,
        )

    def refused(self, answer: Answer) -> None:
        """An event went to quarantine."""
        self._tell(answer)

    def failed(self, answer: Answer, delay: float) -> None:
        """A try failed; the next comes after `delay` seconds."""
        self._tell(answer)
        self._retry_at = time.monotonic() + delay
        self._state = replace(
            self._state,
            last_error=answer.text,
            consecutive_failures=self._state.consecutive_failures + 1,
            key_refused=answer.verdict is Verdict.KEY_REFUSED,
        )

    def snapshot(self) -> DeliveryState:
        """The state now."""
        return replace(self._state, retry_in=max(0.0, self._retry_at - time.monotonic()))

    def _tell(self, answer: Answer) -> None:
        # Once per change and not per try: a warning becomes an event, which is delivered too.
        if answer.verdict is self._told:
            return
        self._told = answer.verdict
        level, message = MESSAGES[answer.verdict]
        log.log(level, message, answer.text)
