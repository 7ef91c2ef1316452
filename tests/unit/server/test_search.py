"""`GET /events`: filters, the two orders, the cursor and the limits."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from endpoint_agent.server import search as searching
from endpoint_agent.server.columns import Row
from endpoint_agent.server.refusal import Refusal
from endpoint_agent.server.search import Query, search
from endpoint_agent.server.store import Store


def event(number: int, action: str, host: str) -> str:
    return json.dumps(
        {
            "@timestamp": f"2026-01-19T12:00:{number:02d}.000Z",
            "event": {"action": action},
            "host": {"hostname": host},
            "process": {"command_line": f"run 100% of Job_{number}"},
        }
    )


EVENTS = [
    event(3, "file-created", "web"),
    event(1, "process-created", "web"),
    event(2, "file-created", "db"),
    event(4, "connected-to", "db"),
]


@pytest.fixture
def filled(sender: httpx.Client) -> httpx.Client:
    assert sender.post("/plain/batch", content="\n".join(EVENTS)).status_code == 202
    return sender


def seconds(client: httpx.Client, **params: object) -> list[int]:
    """The second of each event found, which names it."""
    answer = client.get("/events", params=params)
    assert answer.status_code == 200, answer.text
    return [int(found["timestamp"][17:19]) for found in answer.json()]


@pytest.mark.parametrize(
    ("params", "newest_first"),
    [
        ({}, [4, 3, 2, 1]),
        ({"action": "file-created"}, [3, 2]),
        ({"action": "File-Created"}, []),
        ({"host": "db"}, [4, 2]),
        ({"action": "file-created", "host": "db"}, [2]),
        ({"text": "job_1"}, [1]),
        ({"text": "100% of"}, [4, 3, 2, 1]),
        ({"text": "1%of"}, []),
        ({"text": "Job\\1"}, []),
        ({"since": "2026-01-19T12:00:02Z"}, [4, 3, 2]),
        ({"until": "2026-01-19T12:00:02Z"}, [1]),
        ({"since": "2026-01-19T13:00:02+01:00", "until": "2026-01-19T12:00:04"}, [3, 2]),
        ({"limit": 2}, [4, 3]),
        ({"action": "", "host": "", "text": "", "since": "", "until": ""}, [4, 3, 2, 1]),
    ],
)
def test_filters(filled: httpx.Client, params: dict[str, object], newest_first: list[int]) -> None:
    assert seconds(filled, **params) == newest_first
    arrival = [number for number in (3, 1, 2, 4) if number in newest_first]
    assert seconds(filled, after=0, **params) in (arrival, [3, 1])  # [3, 1]: limit=2


def test_an_answer_says_all(filled: httpx.Client) -> None:
    found = filled.get("/events", params={"host": "web", "limit": 1}).json()[0]
    assert found.keys() == {"id", "event_id", "received", "timestamp", "event"}
    assert found["event"] == EVENTS[0]
    assert found["timestamp"] == "2026-01-19T12:00:03.000Z"
    assert found["received"].endswith("Z")


def test_the_id_of_a_sender_is_the_one_found(sender: httpx.Client) -> None:
    (event_id,) = sender.post("/plain/batch", content=b"x").json()["event_ids"]
    assert [found["event_id"] for found in sender.get("/events").json()] == [event_id]


def test_tailing_sees_each_event_once(sender: httpx.Client) -> None:
    seen, after = [], 0
    for batch in range(5):
        lines = "\n".join(f"event {batch}.{number}" for number in range(7))
        assert sender.post("/plain/batch", content=lines).status_code == 202
        while page := sender.get("/events", params={"after": after, "limit": 3}).json():
            assert len(page) <= 3
            seen += [found["event"] for found in page]
            after = page[-1]["id"]
    assert seen == [f"event {batch}.{number}" for batch in range(5) for number in range(7)]


def test_a_key_sees_its_own_events_only(intake, filled: httpx.Client) -> None:
    with intake.client("key-198") as other:
        assert other.get("/events").json() == []
        assert other.get("/events", params={"after": 0, "text": "Job"}).json() == []


@pytest.mark.parametrize("headers", [{}, {"X-SEKOIAIO-INTAKE-KEY": "no"}])
def test_reading_needs_a_key(anonymous: httpx.Client, headers: dict[str, str]) -> None:
    assert anonymous.get("/events", headers=headers).status_code == 422


def test_the_key_may_come_by_basic_or_query(anonymous: httpx.Client, key: str) -> None:
    assert anonymous.get("/events", auth=("", key)).status_code == 200
    assert anonymous.get("/events", params={"intake_key": key}).status_code == 200


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"limit": "²"},
        {"after": "x"},
        {"after": str(2**63)},
        {"after": "1" * 5000},
        {"since": "yesterday"},
        {"until": "2026-13-01"},
        {"text": "x" * 257},
        {"actions": "file-created"},
    ],
)
def test_bad_parameters_are_named(sender: httpx.Client, params: dict[str, str]) -> None:
    answer = sender.get("/events", params=params)
    assert answer.status_code == 400
    assert next(iter(params)) in answer.json()["error"]


def test_a_long_answer_is_cut_and_continued(sender: httpx.Client) -> None:
    lines = "\n".join(f"{number:02d}" + "x" * 240_000 for number in range(40))
    assert sender.post("/plain/batch", content=lines).status_code == 202
    assert sender.post("/plain/batch", content=lines).status_code == 202
    first = sender.get("/events", params={"after": 0}).json()
    assert 40 <= len(first) < 80
    rest = sender.get("/events", params={"after": first[-1]["id"]}).json()
    assert [e["event"][:2] for e in first + rest] == [f"{n:02d}" for n in range(40)] * 2


def test_a_long_search_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.add([Row(1, 0, number, None, None, "x" * 100) for number in range(5000)])
    query = Query(1, text="y")
    assert search(store.path, query) == []
    monkeypatch.setattr(searching, "MAX_SECONDS", -1)
    with pytest.raises(Refusal) as refused:
        search(store.path, query)
    assert refused.value.status == 503
    store.close()
