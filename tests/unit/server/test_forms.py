"""Each form of the API, and each way to present the key."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from collections.abc import Callable

import httpx
import pytest

Stored = Callable[[], list[str]]

EVENT = '{"event":{"action":"file-created"},"host":{"hostname":"h1"}}'
OBJECT = b'{ "event" : {"action": "renamed"}, "n": 1.0 }'


def uuids(ids: list[str]) -> set[uuid.UUID]:
    return {uuid.UUID(event_id) for event_id in ids}


@pytest.mark.parametrize("prefix", ["", "/api/v1/intake-http"])
@pytest.mark.parametrize("as_key", ["header", "basic", "query"])
def test_key_outside_the_body(
    anonymous: httpx.Client, key: str, stored: Stored, prefix: str, as_key: str
) -> None:
    credentials = base64.b64encode(f":{key}".encode()).decode()
    headers = {
        "header": {"X-SEKOIAIO-INTAKE-KEY": key},
        "basic": {"Authorization": f"Basic {credentials}"},
        "query": {},
    }[as_key]
    params = {"intake_key": key} if as_key == "query" else {}
    for path, body in {
        "/plain": EVENT,
        "/plain/batch": EVENT,
        "/jsons": json.dumps([EVENT]),
        "/": json.dumps({"json": EVENT}),
        "/batch": json.dumps({"jsons": [EVENT]}),
        "/array": json.dumps([{"json": EVENT}]),
    }.items():
        answer = anonymous.post(prefix + path, content=body, headers=headers, params=params)
        assert answer.status_code == 202, (path, answer.text)
    assert stored() == [EVENT] * 6


def test_prefix_without_slash_takes_the_single_form(
    anonymous: httpx.Client, key: str, stored: Stored
) -> None:
    body = {"intake_key": key, "json": EVENT}
    assert anonymous.post("/api/v1/intake-http", json=body).status_code == 202
    assert stored() == [EVENT]


def test_single(anonymous: httpx.Client, key: str, stored: Stored) -> None:
    answer = anonymous.post("/", json={"intake_key": key, "json": EVENT})
    assert answer.status_code == 202
    assert uuid.UUID(answer.json()["event_id"]).version == 8
    assert stored() == [EVENT]


def test_batch(anonymous: httpx.Client, key: str, stored: Stored) -> None:
    answer = anonymous.post("/batch", json={"intake_key": key, "jsons": [EVENT, "not json"]})
    assert answer.status_code == 202
    assert len(uuids(answer.json()["event_ids"])) == 2
    assert stored() == [EVENT, "not json"]


def test_array_takes_several_keys(intake, anonymous: httpx.Client, key: str, stored: Stored):
    other = "key-199"
    body = [
        {"intake_key": key, "json": "a", "timestamp": "2026-01-19T12:00:00Z"},
        {"intake_key": other, "json": "b"},
        {"intake_key": key, "json": "c"},
    ]
    answer = anonymous.post("/array", json=body)
    assert answer.status_code == 202
    assert len(uuids(answer.json()["event_ids"])) == 3
    assert stored() == ["a", "c"]
    with intake.client(other) as client:
        assert [found["event"] for found in client.get("/events").json()] == ["b"]


def test_plain_keeps_the_text_as_it_is(sender: httpx.Client, stored: Stored) -> None:
    text = "<13>Jan 1 host app: two\nlines, ünïcode \\ and a tab\t"
    answer = sender.post("/plain", content=text.encode())
    assert answer.status_code == 202
    assert uuid.UUID(answer.json()["event_id"])
    assert stored() == [text]


def test_plain_batch_is_one_event_a_line(sender: httpx.Client, stored: Stored) -> None:
    answer = sender.post("/plain/batch", content=b"one\n\n  \n" + EVENT.encode() + b"\nthree\n")
    assert len(uuids(answer.json()["event_ids"])) == 3
    assert stored() == ["one", EVENT, "three"]


def test_bytes_that_are_not_utf8_are_kept_and_shown(sender: httpx.Client, stored: Stored) -> None:
    assert sender.post("/plain/batch", content=b"caf\xe9 one\ntwo").status_code == 202
    assert stored() == ["caf\\xe9 one", "two"]
    assert len(sender.get("/events", params={"text": "one"}).json()) == 1


def test_jsons_keeps_objects_byte_for_byte(sender: httpx.Client, stored: Stored) -> None:
    body = b' [ "a text" , ' + OBJECT + b"\n, 3 ]"
    answer = sender.post("/jsons", content=body)
    assert len(uuids(answer.json()["event_ids"])) == 3
    assert stored() == ["a text", OBJECT.decode(), "3"]


@pytest.mark.parametrize("path", ["", "$"])
def test_jsons_without_path_is_the_body(sender: httpx.Client, stored: Stored, path: str) -> None:
    assert sender.post("/jsons", params={"path": path}, content=b'["a"]').status_code == 202
    assert stored() == ["a"]


def test_jsons_at_a_path(sender: httpx.Client, stored: Stored) -> None:
    body = b'{"x": 1, "a": {"b": [' + OBJECT + b"]}}"
    assert sender.post("/jsons", params={"path": "$.a.b"}, content=body).status_code == 202
    assert stored() == [OBJECT.decode()]


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip(sender: httpx.Client, stored: Stored, encoding: str) -> None:
    # Two members, as RFC 1952 allows.
    body = gzip.compress(b"one\ntw") + gzip.compress(b"o\n")
    answer = sender.post("/plain/batch", content=body, headers={"Content-Encoding": encoding})
    assert answer.status_code == 202
    assert stored() == ["one", "two"]


def test_status_200_on_demand(sender: httpx.Client) -> None:
    assert sender.post("/plain", params={"status_code": "200"}, content=b"x").status_code == 200
    assert sender.post("/plain", params={"status_code": "500"}, content=b"x").status_code == 202


def test_event_times(anonymous: httpx.Client, sender: httpx.Client, key: str) -> None:
    """The event's own time goes before the one of its form, that before the header's."""
    own = '{"@timestamp":"2026-01-01T00:00:00.5Z"}'
    given = {"X-SEKOIAIO-EVENT-TIMESTAMP": "2026-03-03T00:00:00+01:00"}
    body = [
        {"intake_key": key, "json": own, "timestamp": "2026-02-02T00:00:00Z"},
        {"intake_key": key, "json": "x", "timestamp": "2026-02-02T00:00:00Z"},
        {"intake_key": key, "json": "x"},
    ]
    assert anonymous.post("/array", json=body, headers=given).status_code == 202
    assert anonymous.post("/array", json=body[2:]).status_code == 202
    found = sender.get("/events", params={"after": 0}).json()
    assert [event["timestamp"] for event in found[:3]] == [
        "2026-01-01T00:00:00.500Z",
        "2026-02-02T00:00:00.000Z",
        "2026-03-02T23:00:00.000Z",
    ]
    assert found[3]["timestamp"] == found[3]["received"]


def test_health_needs_no_key(anonymous: httpx.Client) -> None:
    for path in ("/", "/api/v1/intake-http/"):
        answer = anonymous.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
