"""The answer to a request that is not served."""

from __future__ import annotations


class Refusal(Exception):
    """Ends a request with an HTTP status and one line that says why and what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
