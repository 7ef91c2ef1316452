"""`GET /events`: reads the store beside the writer, on a connection of its own."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from endpoint_agent.server.clock import format_milliseconds, given_time
from endpoint_agent.server.refusal import Refusal
from endpoint_agent.server.store import event_uuid

MAX_LIMIT = 1000
"""Events of one answer."""
DEFAULT_LIMIT = 100
MAX_ANSWER = 10_485_760
"""Bytes of events in one answer; a longer one is cut, and the cursor goes on from there."""
MAX_SECONDS = 10
"""Of one search: it reads everything that the indexes do not rule out."""
MAX_TEXT = 256
"""Characters of a filter."""
_STEPS_BETWEEN_CHECKS = 10_000
_PARAMETERS = {"action", "host", "text", "since", "until", "after", "limit", "intake_key"}


class Query(NamedTuple):
    """The filters of a search; all that are given must match."""

    intake: int
    action: str | None = None
    host: str | None = None
    text: str | None = None
    """Anywhere in the raw event; ASCII letters match in both cases."""
    since: int | None = None
    """Milliseconds since the epoch of the event's time, this one included."""
    until: int | None = None
    """… this one excluded."""
    after: int | None = None
    """The last id seen: what arrived later, in order. Without it the latest by event time."""
    limit: int = DEFAULT_LIMIT


def query(intake: int, parameters: Mapping[str, str]) -> Query:
    """The query that the parameters of a URL ask for.

    Raises:
        Refusal: 400, a parameter is unknown or out of its limits.
    """
    if unknown := parameters.keys() - _PARAMETERS:
        raise Refusal(400, f"unknown parameter {min(unknown)[:MAX_TEXT]}")
    return Query(
        intake,
        action=_text(parameters, "action"),
        host=_text(parameters, "host"),
        text=_text(parameters, "text"),
        since=_time(parameters, "since"),
        until=_time(parameters, "until"),
        after=_number(parameters, "after", 0, 2**63 - 1),
        limit=_number(parameters, "limit", 1, MAX_LIMIT) or DEFAULT_LIMIT,
    )


def search(database: Path, wanted: Query) -> list[dict[str, object]]:
    """The matching events: `id`, `event_id`, `received`, `timestamp`, `event` (as received).

    Raises:
        Refusal: 503, the search took too long.
    """
    sql, values = _select(wanted)
    found: list[dict[str, object]] = []
    size = 0
    try:
        with _reader(database) as db:
            (prefix,) = db.execute("SELECT event_id_prefix FROM store").fetchone()
            for number, received, timestamp, raw in db.execute(sql, values):
                size += len(raw)
                if found and size > MAX_ANSWER:
                    break
                found.append(_answer(prefix, number, received, timestamp, raw))
    except sqlite3.OperationalError as error:
        raise Refusal(
            503, f"the search was ended ({error}): narrow it by action, host or time"
        ) from None
    return found


@contextlib.contextmanager
def _reader(database: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as db:
        deadline = time.monotonic() + MAX_SECONDS
        db.execute("PRAGMA query_only = 1")
        db.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_CHECKS)
        yield db


def _select(wanted: Query) -> tuple[str, list[object]]:
    """The statement and its values.

    The two orders need two plans. The latest by time come out of an index, filters included. A
    tail reads on from its cursor: there `+` keeps the filters from choosing an index, which would
    collect and sort all of the past.
    """
    tail = wanted.after is not None
    plus = "+" if tail else ""
    terms = [
        ("intake = ?", wanted.intake),
        ("id > ?", wanted.after),
        (f"{plus}action = ?", wanted.action),
        (f"{plus}host = ?", wanted.host),
        (f"{plus}timestamp >= ?", wanted.since),
        (f"{plus}timestamp < ?", wanted.until),
        (
            "CAST(raw AS TEXT) LIKE ? ESCAPE '\\'",
            None if wanted.text is None else _pattern(wanted.text),
        ),
    ]
    given = [(term, value) for term, value in terms if value is not None]
    order = "id" if tail else "timestamp DESC, id DESC"
    where = " AND ".join(term for term, _ in given)
    sql = f"SELECT id, received, timestamp, raw FROM events WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
    return sql, [*(value for _, value in given), wanted.limit]


def _pattern(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return f"%{text}%"


def _answer(
    prefix: str, number: int, received: int, timestamp: int, raw: str | bytes
) -> dict[str, object]:
    return {
        "id": number,
        "event_id": event_uuid(prefix, number),
        "received": format_milliseconds(received),
        "timestamp": format_milliseconds(timestamp),
        "event": raw if isinstance(raw, str) else raw.decode(errors="backslashreplace"),
    }


def _text(parameters: Mapping[str, str], name: str) -> str | None:
    value = parameters.get(name) or None
    if value is not None and len(value) > MAX_TEXT:
        raise Refusal(400, f"{name} is longer than {MAX_TEXT} characters")
    return value


def _time(parameters: Mapping[str, str], name: str) -> int | None:
    value = parameters.get(name) or None
    return None if value is None else given_time(value, name)


def _number(parameters: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    value = parameters.get(name) or None
    if value is None:
        return None
    digits = value.isascii() and value.isdigit() and len(value) < 20
    if not (digits and least <= int(value) <= most):
        raise Refusal(400, f"{name} is a number from {least} to {most}")
    return int(value)
