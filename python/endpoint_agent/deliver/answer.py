"""What an answer of the intake means for the batch it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import orjson

MAX_SHOWN = 200


class Verdict(Enum):
    """What becomes of a batch."""

    TAKEN = auto()
    """The intake has it (2xx)."""
    REFUSED = auto()
    """It is too large or holds something the intake cannot read (413, 400)."""
    UNAVAILABLE = auto()
    """No answer, or one that says to try later (5xx, 429, 408, 425)."""
    KEY_REFUSED = auto()
    """The intake key is wrong or has expired (422, 401, 403)."""
    MISCONFIGURED = auto()
    """What answers is no intake (a redirect, 404, …), or the settings cannot be used."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one try to deliver came to."""

    verdict: Verdict
    text: str
    """For the log: at most about 200 printable characters, without the key."""
    retry_after: float = 0.0
    """Seconds the intake asked to wait."""
    refused: tuple[int, ...] = ()
    """Places, from 0, of the events in a taken batch that the intake refused for good."""


def verdict_of(status: int) -> Verdict:
    """The meaning of an HTTP status."""
    if 200 <= status < 300:
        return Verdict.TAKEN
    if status in (400, 413):
        return Verdict.REFUSED
    if status in (401, 403, 422):
        return Verdict.KEY_REFUSED
    if status >= 500 or status in (408, 425, 429):
        return Verdict.UNAVAILABLE
    return Verdict.MISCONFIGURED


def refused_events(body: bytes) -> tuple[int, ...]:
    """Places of the events that the answer to a taken batch names as refused for good.

    The embedded intake adds `"errors": [{"index": 3, "status": 413, …}]`. An answer of another
    shape names none: the status of the whole says that the batch was taken.
    """
    if b'"errors"' not in body:
        return ()
    try:
        errors = orjson.loads(body)["errors"]
        return tuple(
            int(error["index"])
            for error in errors
            if verdict_of(int(error["status"])) is Verdict.REFUSED
        )
    except (ValueError, TypeError, LookupError):
        return ()


def printable(text: str, secret: str) -> str:
    """Foreign text made fit for the log: one line, at most 200 characters, without the secret."""
    if secret:
        text = text.replace(secret, "…")
    line = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * MAX_SHOWN])
    return " ".join(line.split())[:MAX_SHOWN]
