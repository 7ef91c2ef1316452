"""The six forms of the API: from a body to the events in it, as they were received.

Lists are decoded no deeper than to their items (`msgspec.Raw`): an event sent as a JSON object
is kept byte for byte, and none is parsed here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from endpoint_agent.server.clock import given_time
from endpoint_agent.server.refusal import Refusal

MAX_EVENTS = 10_000
"""Events of one request."""
MAX_PATH_DEPTH = 16
"""Names in the `path` of `/jsons`."""

T = TypeVar("T")


class Event(NamedTuple):
    """One received event."""

    intake: int
    text: str | bytes
    """As received; bytes only where it is not UTF-8."""
    timestamp: int | None = None
    """Milliseconds since the epoch, where the form carries one beside the event."""


class Submission(NamedTuple):
    """What a form reads its events from."""

    body: bytes
    intake_of: Callable[[str | None], int]
    """The intake of a key in the body (or, without one, of the request); Refusal 422."""
    path: str = ""
    """Where in the body the list of `/jsons` is: `$.a.b`."""


class Form(NamedTuple):
    """One path of the API."""

    parse: Callable[[Submission], list[Event]]
    key_in_body: bool = False
    one_event: bool = False


class _One(msgspec.Struct):
    json: Raw
    intake_key: str | None = None
    timestamp: str | None = msgspec.field(default=None, name="@timestamp")


class _Batch(msgspec.Struct):
    jsons: Raw
    intake_key: str | None = None


class _Item(msgspec.Struct):
    json: Raw
    intake_key: str | None = None
    timestamp: str | None = None


def parse(form: Form, submission: Submission) -> list[Event]:
    """The events of a body, at least 1 and at most MAX_EVENTS.

    Raises:
        Refusal: 400 malformed or empty, 413 too many, 422 a key in it is wrong.
    """
    try:
        events = form.parse(submission)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"the body does not have the form of this path: {error}") from None
    if not events:
        raise Refusal(400, "the body holds no event")
    return _within(MAX_EVENTS, events)


def _plain(submission: Submission) -> list[Event]:
    if not submission.body:
        return []
    return [Event(submission.intake_of(None), _decoded(submission.body))]


def _plain_batch(submission: Submission) -> list[Event]:
    intake = submission.intake_of(None)
    if submission.body.count(b"\n") > MAX_EVENTS:
        raise _too_many()
    lines = submission.body.split(b"\n")
    return [Event(intake, _decoded(line)) for line in lines if line and not line.isspace()]


def _single(submission: Submission) -> list[Event]:
    one = msgspec.json.decode(submission.body, type=_One)
    return [Event(submission.intake_of(one.intake_key), _text(one.json), _time(one.timestamp))]


def _batch(submission: Submission) -> list[Event]:
    batch = msgspec.json.decode(submission.body, type=_Batch)
    return _list(submission.intake_of(batch.intake_key), batch.jsons)


def _array(submission: Submission) -> list[Event]:
    items = _within(MAX_EVENTS, msgspec.json.decode(submission.body, type=list[_Item]))
    return [
        Event(submission.intake_of(item.intake_key), _text(item.json), _time(item.timestamp))
        for item in items
    ]


def _jsons(submission: Submission) -> list[Event]:
    intake = submission.intake_of(None)
    found = Raw(submission.body)
    for name in _names(submission.path):
        members = msgspec.json.decode(found, type=dict[str, Raw])
        if name not in members:
            raise Refusal(400, f"the body has nothing at path {submission.path}")
        found = members[name]
    return _list(intake, found)


def _list(intake: int, jsons: Raw) -> list[Event]:
    items = _within(MAX_EVENTS, msgspec.json.decode(jsons, type=list[Raw]))
    return [Event(intake, _text(item)) for item in items]


def _names(path: str) -> list[str]:
    root, *names = path.split(".")
    if root not in ("", "$") or "" in names or len(names) > MAX_PATH_DEPTH:
        raise Refusal(400, f"path is $.name.name with at most {MAX_PATH_DEPTH} names")
    return names


def _text(item: Raw) -> str:
    """An event sent as a JSON string, or as the JSON itself."""
    received = bytes(item)
    return msgspec.json.decode(received, type=str) if received[0] == ord('"') else received.decode()


def _decoded(line: bytes) -> str | bytes:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line


def _time(text: str | None) -> int | None:
    return None if text is None else given_time(text, "timestamp")


def _within(limit: int, items: list[T]) -> list[T]:
    if len(items) > limit:
        raise _too_many()
    return items


def _too_many() -> Refusal:
    return Refusal(413, f"the body holds more than {MAX_EVENTS} events: send fewer at once")


FORMS: dict[str, Form] = {
    "/": Form(_single, key_in_body=True, one_event=True),
    "/batch": Form(_batch, key_in_body=True),
    "/array": Form(_array, key_in_body=True),
    "/plain": Form(_plain, one_event=True),
    "/plain/batch": Form(_plain_batch),
    "/jsons": Form(_jsons),
}
