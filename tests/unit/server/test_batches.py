"""An acknowledged batch is stored, once, whatever happens to the intake."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx

Stored = Callable[[], list[str]]


def post(client: httpx.Client, body: str, batch: str) -> httpx.Response:
    return client.post("/plain/batch", content=body, headers={"X-Batch-Id": batch})


def test_a_repeated_batch_is_stored_once(sender: httpx.Client, stored: Stored) -> None:
    batch = str(uuid.uuid4())
    first = post(sender, "a\nb", batch)
    again = post(sender, "a\nb", batch.upper())
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert stored() == ["a", "b"]


def test_a_repeated_batch_names_its_refused_event_again(
    sender: httpx.Client, stored: Stored
) -> None:
    batch, body = str(uuid.uuid4()), "a\n" + "x" * 250_001
    assert post(sender, body, batch).json() == post(sender, body, batch).json()
    assert stored() == ["a"]


def test_events_without_batch_id_are_not_compared(sender: httpx.Client, stored: Stored) -> None:
    for _ in range(2):
        assert sender.post("/plain", content=b"same").status_code == 202
    assert stored() == ["same", "same"]


def test_a_batch_id_belongs_to_its_key(intake, sender: httpx.Client, stored: Stored) -> None:
    batch = str(uuid.uuid4())
    with intake.client("key-197") as other:
        assert post(other, "theirs", batch).status_code == 202
    assert post(sender, "ours", batch).status_code == 202
    assert stored() == ["ours"]


def test_a_batch_id_for_other_events_is_refused(sender: httpx.Client, stored: Stored) -> None:
    batch = str(uuid.uuid4())
    assert post(sender, "a\nb", batch).status_code == 202
    answer = post(sender, "a\nb\nc", batch)
    assert answer.status_code == 400
    assert "X-Batch-Id" in answer.json()["error"]
    assert stored() == ["a", "b"]


def test_acknowledged_events_survive_kill_9(start, tmp_path: Path) -> None:
    victim = start(tmp_path)
    acknowledged: dict[str, list[str]] = {}
    enough = threading.Event()

    def send() -> None:
        with victim.client("key-0") as client:
            while True:
                batch = str(uuid.uuid4())
                body = "\n".join(f"{batch} {number}" for number in range(100))
                try:
                    answer = post(client, body, batch)
                except httpx.TransportError:
                    return
                acknowledged[batch] = answer.json()["event_ids"]
                if len(acknowledged) > 30:
                    enough.set()

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    assert enough.wait(20)
    assert victim.end(signal.SIGKILL)[0] == -signal.SIGKILL
    for sender in senders:
        sender.join()

    with start(tmp_path).client("key-0") as client:
        found: dict[str, str] = {}
        after = 0
        while page := client.get("/events", params={"after": after, "limit": 1000}).json():
            found |= {event["event_id"]: event["event"] for event in page}
            after = page[-1]["id"]
        for batch, ids in acknowledged.items():
            assert [found[event_id] for event_id in ids] == [f"{batch} {n}" for n in range(100)]
        # What was under way at the kill is there as a whole or not at all.
        assert len(found) % 100 == 0
        batch, ids = next(iter(acknowledged.items()))
        body = "\n".join(f"{batch} {number}" for number in range(100))
        assert post(client, body, batch).json()["event_ids"] == ids


def test_a_full_disk_refuses_and_keeps_what_it_has(start, tmp_path: Path) -> None:
    full = start(tmp_path, max_file=2_000_000)
    body = "\n".join("x" * 1000 for _ in range(100))
    with full.client("key-0") as client:
        taken = 0
        while (answer := post(client, body, str(uuid.uuid4()))).status_code == 202:
            taken += 1
            assert taken < 50
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert taken > 0
        assert client.get("/").status_code == 200
    full.end()
    with start(tmp_path).client("key-0") as client:
        assert len(client.get("/events", params={"limit": 1000}).json()) == min(taken * 100, 1000)
        assert post(client, body, str(uuid.uuid4())).status_code == 202
