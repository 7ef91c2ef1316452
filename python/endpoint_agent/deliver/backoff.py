"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 3600.0


class Backoff:
    """Full jitter: each delay is drawn between 0 and a ceiling that doubles up to a limit.

    Agents that one outage has put in step fall out of it with their first retry.
    """

    def __init__(
        self,
        first: float,
        limit: float,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Takes the first and the last ceiling, in seconds, and the source of chance."""
        self._first = first
        self._limit = limit
        self._uniform = uniform
        self._ceiling = first

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait. The jitter comes on top of `at_least`, what the peer asked for."""
        delay = at_least + self._uniform(0.0, self._ceiling)
        self._ceiling = min(self._limit, self._ceiling * 2)
        return delay

    def reset(self) -> None:
        """Starts again from the first ceiling."""
        self._ceiling = self._first


def retry_after(value: str | None, now: float) -> float:
    """Seconds that a `Retry-After` header (RFC 9110 §10.2.3) asks for, 0 to 3600.

    Args:
        value: the header: seconds, or an HTTP date. None or nonsense asks for nothing.
        now: seconds since the epoch.
    """
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        # A longer number is beyond the bound whatever its digits; int() refuses thousands of them.
        seconds = float(text[:9])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
