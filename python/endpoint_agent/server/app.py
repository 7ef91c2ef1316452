"""The HTTP side of the intake: paths, answers and the limits on what runs at once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from endpoint_agent.server import bodies, keys
from endpoint_agent.server.clock import given_time
from endpoint_agent.server.columns import row
from endpoint_agent.server.forms import FORMS, Event, Form, Submission, parse
from endpoint_agent.server.keys import IntakeKeys
from endpoint_agent.server.refusal import Refusal
from endpoint_agent.server.search import query, search
from endpoint_agent.server.store import BatchMismatchError, Store

MAX_EVENT = 250_000
"""Bytes of one event."""
MAX_BODIES = 8
"""Bodies in memory at once, of senders whose key is known before the body is read."""
MAX_UNKNOWN_BODIES = 2
"""… of senders whose key is in the body: strangers cannot take the place of the others."""
MAX_SEARCHES = 2
"""Searches at once."""
RETRY_AFTER = 30
"""Seconds until a sender may try again what the intake could not do."""
REGIONAL_PREFIX = "/api/v1/intake-http"
"""Under which the regions of the original serve the same paths."""

_log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class Intake:
    """The endpoints over one store."""

    def __init__(self, store: Store, intake_keys: IntakeKeys) -> None:
        self._store = store
        self._keys = intake_keys
        self._bodies = asyncio.Semaphore(MAX_BODIES)
        self._unknown_bodies = asyncio.Semaphore(MAX_UNKNOWN_BODIES)
        self._searches = asyncio.Semaphore(MAX_SEARCHES)

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            *(Route(p, self._receiver(form), methods=["POST"]) for p, form in FORMS.items()),
            Route("/", self._health, methods=["GET"]),
            Route("/events", self._search, methods=["GET"]),
        ]
        app = Starlette(
            routes=[
                *routes,
                Mount(REGIONAL_PREFIX, Router(routes, redirect_slashes=False)),
                Route(REGIONAL_PREFIX, self._receiver(FORMS["/"]), methods=["POST"]),
            ],
            exception_handlers={
                Refusal: _refused,
                HTTPException: _unrouted,
                ClientDisconnect: _gone,
            },
        )
        app.router.redirect_slashes = False
        return app

    def _receiver(self, form: Form) -> Endpoint:
        async def receive(request: Request) -> Response:
            intake = self._intake_of_request(request, form)
            async with self._unknown_bodies if intake is None else self._bodies:
                return self._stored(request, form, intake, await bodies.read(request))

        return receive

    def _intake_of_request(self, request: Request, form: Form) -> int | None:
        presented = keys.presented(request)
        if presented is None and form.key_in_body:
            return None
        return self._keys.identify(presented)

    def _stored(self, request: Request, form: Form, intake: int | None, body: bytes) -> Response:
        def intake_of(key: str | None) -> int:
            if key is None and intake is not None:
                return intake
            return self._keys.identify(key)

        path = request.query_params.get("path", "")
        events = parse(form, Submission(body, intake_of, path))
        fitting = [event for event in events if _size(event) <= MAX_EVENT]
        if not fitting:
            raise Refusal(413, _TOO_LONG)
        ids = self._add(_timed(fitting, request), _batch_id(request))
        return _accepted(request, form, events, ids)

    def _add(self, events: list[Event], batch: uuid.UUID | None) -> list[str]:
        received = time.time_ns() // 1_000_000
        try:
            return self._store.add([row(event, received) for event in events], batch)
        except BatchMismatchError as error:
            raise Refusal(400, f"X-Batch-Id was used for another batch: {error}") from None
        except sqlite3.Error as error:
            _log.error("events could not be stored: %s", error)
            raise Refusal(503, f"the events could not be stored: {error}") from error

    async def _search(self, request: Request) -> Response:
        wanted = query(self._keys.identify(keys.presented(request)), request.query_params)
        async with self._searches:
            return _json(200, await asyncio.to_thread(search, self._store.path, wanted))

    async def _health(self, request: Request) -> Response:
        return _json(200, {"status": "ok"})


_TOO_LONG = f"an event is longer than {MAX_EVENT} bytes"


def _size(event: Event) -> int:
    """Bytes of an event; encodes only what could be too long and is not ASCII."""
    text = event.text
    if isinstance(text, bytes) or text.isascii() or len(text) > MAX_EVENT:
        return len(text)
    return len(text.encode())


def _timed(events: list[Event], request: Request) -> list[Event]:
    """The events with the time of the request's header, where they have none of their own."""
    header = request.headers.get("X-SEKOIAIO-EVENT-TIMESTAMP")
    if header is None:
        return events
    given = given_time(header, "X-SEKOIAIO-EVENT-TIMESTAMP")
    return [
        event if event.timestamp is not None else event._replace(timestamp=given)
        for event in events
    ]


def _batch_id(request: Request) -> uuid.UUID | None:
    header = request.headers.get("X-Batch-Id")
    try:
        return None if header is None else uuid.UUID(header)
    except ValueError:
        raise Refusal(400, "X-Batch-Id is not a UUID") from None


def _accepted(request: Request, form: Form, events: list[Event], ids: list[str]) -> Response:
    """The ids of what was stored, in order, and an entry for each event that was not."""
    answer: dict[str, object] = {"event_id": ids[0]} if form.one_event else {"event_ids": ids}
    if len(ids) < len(events):
        answer["errors"] = [
            {"index": index, "status": 413, "error": _TOO_LONG}
            for index, event in enumerate(events)
            if _size(event) > MAX_EVENT
        ]
    return _json(200 if request.query_params.get("status_code") == "200" else 202, answer)


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - registered for this class
    answer = _json(refusal.status, {"error": refusal.message})
    if refusal.status == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


async def _unrouted(request: Request, error: Exception) -> Response:
    """No such path (404), or the path does not take the method (405)."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    answer = _json(error.status_code, {"error": f"{error.detail}: see the paths of the API"})
    answer.headers.update(error.headers or {})
    return answer


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody is there to read it: the sender left before its body was whole."""
    return Response(status_code=400)


def _json(status: int, content: object) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
