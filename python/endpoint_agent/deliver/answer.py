"""What an answer of the intake means for the batch it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

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


def printable(text: str, secret: str) -> str:
    """Foreign text made fit for the log: one line, at most 200 characters, without the secret."""
    if secret:
        text = text.replace(secret, "…")
    line = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * MAX_SHOWN])
    return " ".join(line.split())[:MAX_SHOWN]
