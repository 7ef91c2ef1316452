"""What an event is searched by: read from its JSON, which is otherwise left alone."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from endpoint_agent.server.clock import parse_milliseconds
from endpoint_agent.server.forms import Event

MAX_WORD = 255
"""Characters kept of an action or a host name."""

# ECS asks for objects and strings here; what else a sender puts there must not cost the event
# its other columns.
_Other = list[object] | str | int | float | bool | None


class _EventFields(msgspec.Struct):
    action: object = None


class _HostFields(msgspec.Struct):
    hostname: object = None


class _Ecs(msgspec.Struct):
    timestamp: object = msgspec.field(default=None, name="@timestamp")
    event: _EventFields | _Other = None
    host: _HostFields | _Other = None


_decode = msgspec.json.Decoder(_Ecs).decode
_NOTHING = _Ecs()


class Row(NamedTuple):
    """One event as the store keeps it."""

    intake: int
    received: int
    """Milliseconds since the epoch, as is `timestamp`."""
    timestamp: int
    action: str | None
    host: str | None
    raw: str | bytes


def row(event: Event, received: int) -> Row:
    """The row of an event: its own `@timestamp`, else the sender's, else the time of receipt."""
    ecs = _read(event.text)
    action = ecs.event.action if isinstance(ecs.event, _EventFields) else None
    host = ecs.host.hostname if isinstance(ecs.host, _HostFields) else None
    own = parse_milliseconds(ecs.timestamp) if isinstance(ecs.timestamp, str) else None
    timestamp = own if own is not None else event.timestamp
    return Row(
        event.intake,
        received,
        received if timestamp is None else timestamp,
        _word(action),
        _word(host),
        event.text,
    )


def _read(text: str | bytes) -> _Ecs:
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOTHING


def _word(value: object) -> str | None:
    return value[:MAX_WORD] if isinstance(value, str) else None
