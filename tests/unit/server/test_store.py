"""Rules of the store that a sender cannot see."""

from __future__ import annotations

import sqlite3
import stat
import uuid
from pathlib import Path

import pytest

from endpoint_agent.errors import ServerError
from endpoint_agent.server.columns import MAX_WORD, Row, row
from endpoint_agent.server.forms import Event
from endpoint_agent.server.store import BATCH_MEMORY_MS, Store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def rows(count: int, received: int = 0) -> list[Row]:
    return [Row(1, received, received, None, None, "x") for _ in range(count)]


def test_ids_are_never_used_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.add(rows(120))
    store.close()
    with sqlite3.connect(tmp_path / "events.db") as db:
        db.execute("DELETE FROM events")
    store = Store(tmp_path)
    second = store.add(rows(120))
    store.close()
    assert len({*first, *second}) == 240
    assert {uuid.UUID(event_id).variant for event_id in first} == {uuid.RFC_4122}


def test_batch_ids_are_forgotten_in_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, young = uuid.uuid4(), uuid.uuid4()
    first = store.add(rows(1), old)
    assert store.add(rows(1, BATCH_MEMORY_MS), young) != first
    assert store.add(rows(1, BATCH_MEMORY_MS), old) == first
    store.add(rows(1, BATCH_MEMORY_MS + 1), uuid.uuid4())
    assert store.add(rows(1, BATCH_MEMORY_MS + 1), old) != first
    store.close()


def test_a_failed_request_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    batch = uuid.uuid4()
    broken = [*rows(60), Row(1, 0, 0, None, None, None)]  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.add(broken, batch)
    assert store.add(rows(2), batch)
    store.close()
    with sqlite3.connect(tmp_path / "events.db") as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (2,)


def test_a_key_keeps_its_number(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.intakes([b"a", b"b", b"a"]) == [1, 2, 1]
    store.close()
    store = Store(tmp_path)
    assert store.intakes([b"c", b"b"]) == [3, 2]
    store.close()


def test_folder_and_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    store = Store(folder)
    store.add(rows(1))
    assert mode(folder) == 0o700
    files = {file.name: mode(file) for file in folder.iterdir()}
    assert files == {"events.db": 0o600, "events.db-wal": 0o600, "events.db-shm": 0o600}
    store.close()


def test_an_open_empty_folder_is_closed_and_a_used_one_refused(tmp_path: Path) -> None:
    empty, used = tmp_path / "empty", tmp_path / "used"
    for folder in (empty, used):
        folder.mkdir()
        folder.chmod(0o755)
    (used / "letter").touch()
    Store(empty).close()
    assert mode(empty) == 0o700
    with pytest.raises(ServerError, match="open to other users"):
        Store(used)
    assert mode(used) == 0o755


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_bytes(b"letters" * 1000)
    with pytest.raises(ServerError, match="not a database"):
        Store(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ServerError, match="--data"):
        Store(tmp_path / "file")


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "events.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ServerError, match="another version"):
        Store(tmp_path)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('{"event":{"action":"a"},"host":{"hostname":"h"}}', (5, "a", "h")),
        ('{"@timestamp":"1970-01-01T00:00:01Z","event":"a","host":["h"]}', (1000, None, None)),
        ('{"@timestamp":"1970-01-01T00:00:01","event":{"action":"a"}}', (1000, "a", None)),
        ('{"@timestamp":7,"event":{"action":["a"]},"host":{"hostname":"h"}}', (5, None, "h")),
        ('{"@timestamp":"soon","host":{"hostname":"h","os":{}}}', (5, None, "h")),
        ('{"@timestamp":"0001-01-01T00:00:00+23:59"}', (5, None, None)),
        ('{"@timestamp":"9999-12-31T23:59:59-23:59"}', (5, None, None)),
        ('["event"]', (5, None, None)),
        ("<13>Jan 1 syslog", (5, None, None)),
        (b'{"event":{"action":"a\xff"}}', (5, None, None)),
        ('{"event":' * 20_000, (5, None, None)),
        ('{"event":{"action":"' + "a" * 1000 + '"}}', (5, "a" * MAX_WORD, None)),
    ],
)
def test_columns(text: str | bytes, columns: tuple[int, str | None, str | None]) -> None:
    made = row(Event(1, text), received=5)
    assert (made.timestamp, made.action, made.host) == columns
    assert made.raw == text
