"""What the intake does not take: wrong keys, malformed bodies, and more than its limits."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import socket
import zlib
from collections.abc import Callable

import httpx
import pytest
from starlette.requests import Request

from endpoint_agent.server import bodies
from endpoint_agent.server.refusal import Refusal

Stored = Callable[[], list[str]]

MIB = 1024 * 1024
MAX_BODY = 10_485_760
MAX_EVENT = 250_000


def gzipped(client: httpx.Client, path: str, body: bytes) -> httpx.Response:
    return client.post(path, content=body, headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize("path", ["/plain", "/plain/batch", "/jsons", "/", "/batch", "/array"])
@pytest.mark.parametrize("presented", ["key-1x", "KEY-1", "ü", "", None])
def test_wrong_key_in_the_header(anonymous: httpx.Client, path: str, presented: str | None):
    headers = {} if presented is None else {b"X-SEKOIAIO-INTAKE-KEY": presented.encode()}
    bodies = {"/": {"json": "x"}, "/batch": {"jsons": ["x"]}, "/array": [{"json": "x"}]}
    answer = anonymous.post(path, json=bodies.get(path, ["x"]), headers=headers)
    assert answer.status_code == 422
    assert "intake key" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", {"intake_key": "no", "json": "x"}),
        ("/batch", {"intake_key": "no", "jsons": ["x"]}),
        ("/array", [{"intake_key": "RIGHT", "json": "x"}, {"intake_key": "no", "json": "x"}]),
    ],
)
def test_wrong_key_in_the_body_stores_nothing(
    anonymous: httpx.Client, sender: httpx.Client, key: str, stored: Stored, path: str, body: object
) -> None:
    content = json.dumps(body).replace("RIGHT", key)
    assert anonymous.post(path, content=content).status_code == 422
    # A right key in the header does not cover for it.
    assert sender.post(path, content=content).status_code == 422
    assert stored() == []


@pytest.mark.parametrize("authorization", ["Basic", "Basic !", "Basic /w==", "Bearer key-1"])
def test_broken_authorization(anonymous: httpx.Client, authorization: str) -> None:
    headers = {"Authorization": authorization}
    assert anonymous.post("/plain", content=b"x", headers=headers).status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b""),
        ("/", b"[]"),
        ("/", b"{}"),
        ("/", b'{"json": "x", "@timestamp": "yesterday"}'),
        ("/", b'{"json": "\xff"}'),
        ("/", b'{"json": "\\ud800"}'),
        ("/batch", b'{"jsons": "x"}'),
        ("/batch", b'{"jsons": []}'),
        ("/batch", b'{"jsons": ["x"}'),
        ("/array", b'[{"json": "x"}, 7]'),
        ("/array", b'[{"timestamp": "2026-01-01"}]'),
        ("/jsons", b"{}"),
        ("/jsons", b'["x", ]'),
        ("/jsons", b"[" * 200_000),
        ("/jsons?path=$.a", b'{"b": []}'),
        ("/jsons?path=$.a", b'{"a": 1}'),
        ("/jsons?path=a.b", b'{"a": ["x"]}'),
        ("/jsons?path=$..a", b'{"a": ["x"]}'),
        ("/jsons?path=$" + ".a" * 17, b'{"a": ["x"]}'),
        ("/plain", b""),
        ("/plain/batch", b"\n \n"),
    ],
)
def test_malformed_bodies(sender: httpx.Client, stored: Stored, path: str, body: bytes) -> None:
    answer = sender.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert stored() == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Batch-Id": "17"}, 400),
        ({"X-SEKOIAIO-EVENT-TIMESTAMP": "1969-12-31T00:00:00Z"}, 400),
        ({"Content-Encoding": "br"}, 415),
        ({"Content-Encoding": "gzip"}, 400),
    ],
)
def test_broken_headers(
    sender: httpx.Client, stored: Stored, headers: dict[str, str], status: int
) -> None:
    assert sender.post("/plain", content=b"x", headers=headers).status_code == status
    assert stored() == []


def test_broken_gzip(sender: httpx.Client, stored: Stored) -> None:
    whole = gzip.compress(b"event")
    for body in (whole[:-1], whole + b"more", whole[:-8] + bytes(8), b""):
        assert gzipped(sender, "/plain", body).status_code == 400
    assert gzipped(sender, "/plain", whole * 65).status_code == 413
    assert stored() == []


def test_long_bodies(intake, sender: httpx.Client, stored: Stored) -> None:
    line = b"x" * 99_999 + b"\n"
    fits = (line * 105)[:MAX_BODY]
    assert sender.post("/plain/batch", content=fits).status_code == 202
    too_long = b"x" * (MAX_BODY + 1)
    assert sender.post("/plain/batch", content=too_long).status_code == 413
    # Without a Content-Length, and three times as long as what is read of it.
    chunks = io.BytesIO(b"x" * (30 * MIB))
    assert (
        sender.post("/plain/batch", content=iter(lambda: chunks.read(MIB), b"")).status_code == 413
    )
    assert len(stored()) == 105


def test_a_bomb_costs_no_more_than_a_fair_body(intake, sender: httpx.Client, stored: Stored):
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(16 * MIB)) for _ in range(32)) + compressor.flush()
    before = intake.peak_memory()
    assert gzipped(sender, "/plain/batch", bomb).status_code == 413
    assert gzipped(sender, "/plain", gzip.compress(b"x" * (MAX_BODY + 1))).status_code == 413
    assert intake.peak_memory() - before < 64 * MIB
    assert stored() == []


def test_one_long_event(sender: httpx.Client, stored: Stored) -> None:
    assert sender.post("/plain", content=b"x" * MAX_EVENT).status_code == 202
    assert sender.post("/plain", content=b"x" * (MAX_EVENT + 1)).status_code == 413
    # The limit is in bytes, not in characters.
    assert sender.post("/plain", content="ü".encode() * MAX_EVENT).status_code == 413
    assert len(stored()) == 1


def test_a_long_event_in_a_batch_is_refused_alone(sender: httpx.Client, stored: Stored) -> None:
    long = "x" * (MAX_EVENT + 1)
    for path, body in {
        "/plain/batch": f"a\n{long}\nb\n",
        "/jsons": json.dumps(["a", long, "b"]),
        "/batch": json.dumps({"jsons": ["a", long, "b"]}),
    }.items():
        answer = sender.post(path, content=body)
        assert answer.status_code == 202
        assert len(answer.json()["event_ids"]) == 2
        (error,) = answer.json()["errors"]
        assert (error["index"], error["status"]) == (1, 413)
    assert sender.post("/plain/batch", content=f"{long}\n{long}").status_code == 413
    assert stored() == ["a", "b"] * 3


def test_too_many_events(sender: httpx.Client, key: str, stored: Stored) -> None:
    assert sender.post("/plain/batch", content=b"x\n" * 10_000).status_code == 202
    assert sender.post("/plain/batch", content=b"x\n" * 10_001).status_code == 413
    assert sender.post("/jsons", json=["x"] * 10_001).status_code == 413
    assert sender.post("/array", json=[{"json": "x"}] * 10_001).status_code == 413
    assert len(stored()) == 10_000


def test_long_head(sender: httpx.Client) -> None:
    try:
        answer = sender.post("/plain", content=b"x", headers={"X-Long": "x" * 1_000_000})
    except httpx.TransportError:
        return
    assert answer.status_code == 400


def test_methods_and_paths(sender: httpx.Client) -> None:
    for prefix in ("", "/api/v1/intake-http"):
        answers = {
            sender.get(f"{prefix}/plain"): (405, {"POST"}),
            sender.post(f"{prefix}/events", content=b"x"): (405, {"GET", "HEAD"}),
            sender.post(f"{prefix}/plain/", content=b"x"): (404, {""}),
        }
        for answer, expected in answers.items():
            allowed = set(answer.headers.get("Allow", "").split(", "))
            assert (answer.status_code, allowed) == expected
            assert answer.json()["error"].endswith(": see the paths of the API")


def test_strangers_do_not_take_the_place_of_senders(intake, sender: httpx.Client) -> None:
    """Bodies without a key that never end keep their own places occupied only."""
    head = b"POST /batch HTTP/1.1\r\nHost: intake\r\nContent-Length: 100\r\n\r\n{"
    strangers = [socket.create_connection(("127.0.0.1", intake.port)) for _ in range(5)]
    try:
        for stranger in strangers:
            stranger.sendall(head)
        assert sender.post("/plain", content=b"x").status_code == 202
    finally:
        for stranger in strangers:
            stranger.close()


def test_a_sender_that_leaves_stores_nothing(intake, key: str, stored: Stored) -> None:
    head = f"POST /plain?intake_key={key} HTTP/1.1\r\nHost: intake\r\nContent-Length: 9\r\n\r\nx"
    with socket.create_connection(("127.0.0.1", intake.port)) as leaving:
        leaving.sendall(head.encode())
    assert stored() == []


def test_a_slow_body_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> dict[str, object]:
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr(bodies, "MAX_SECONDS", 0.01)
    request = Request({"type": "http", "method": "POST", "headers": []}, receive=never)
    with pytest.raises(Refusal) as refused:
        asyncio.run(bodies.read(request))
    assert refused.value.status == 408
