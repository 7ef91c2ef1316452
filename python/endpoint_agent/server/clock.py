"""Times as the intake keeps them: milliseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from endpoint_agent.server.refusal import Refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_9999 = 253_370_764_800_000


def parse_milliseconds(text: str) -> int | None:
    """An ISO 8601 time, UTC where it names no zone; None if it is not one from 1970 to 9998."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    milliseconds = round(moment.timestamp() * 1000)
    return milliseconds if 0 <= milliseconds < _YEAR_9999 else None


def given_time(text: str, name: str) -> int:
    """The time a sender gave, in milliseconds since the epoch.

    Raises:
        Refusal: 400, it is not ISO 8601.
    """
    milliseconds = parse_milliseconds(text)
    if milliseconds is None:
        raise Refusal(400, f"{name} is not a time of ISO 8601 such as 2026-01-19T12:50:54.116Z")
    return milliseconds


def format_milliseconds(milliseconds: int) -> str:
    """ISO 8601 in UTC: `2026-01-19T12:50:54.116Z`."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
