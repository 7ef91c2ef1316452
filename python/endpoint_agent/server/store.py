"""The events on disk: one SQLite database, written by one thread.

Rules the code keeps:

* A request is one transaction, its batch id included: all of it is stored or nothing.
* `add` returns when the transaction is synced (WAL, `synchronous=FULL`): what was acknowledged
  survives a killed process and a power cut.
* `events.id` is the order of arrival and is never used twice, so it is a cursor.
* An event's UUID is the store's own prefix and its id in hexadecimal (UUIDv8, RFC 9562): nothing
  per event has to be made up or kept.

The writer is the event loop's own thread: `sqlite3` gives up the GIL at every row, and a second
thread gets it back 5 ms later when the loop is busy, which costs 40 times the insert itself.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from endpoint_agent.errors import ServerError
from endpoint_agent.server.columns import Row

BATCH_MEMORY_MS = 30 * 24 * 3600 * 1000
"""How long a batch id is remembered: a sender may be off that long between try and retry."""

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE intakes (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE);
CREATE TABLE store (event_id_prefix TEXT NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    intake INTEGER NOT NULL,
    received INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    action TEXT,
    host TEXT,
    raw NOT NULL
);
CREATE INDEX events_by_time ON events (timestamp);
CREATE INDEX events_by_action ON events (action, timestamp);
CREATE INDEX events_by_host ON events (host, timestamp);
CREATE TABLE batches (
    intake INTEGER NOT NULL,
    id BLOB NOT NULL,
    first_event INTEGER NOT NULL,
    count INTEGER NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (intake, id)
) WITHOUT ROWID;
CREATE INDEX batches_by_age ON batches (received);
"""
# Without temp_store every large request makes, and removes, a file to undo statements from.
_SETTINGS = """
PRAGMA page_size = 8192;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA temp_store = MEMORY;
PRAGMA wal_autocheckpoint = 2000;
PRAGMA journal_size_limit = 67108864;
"""
_ROWS_A_STATEMENT = 50


class BatchMismatchError(Exception):
    """A batch id came again with another number of events."""


class Store:
    """The writing side. Not thread-safe; `search` reads beside it."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes the database.

        Raises:
            ServerError: the folder or the database cannot be used.
        """
        self.path = folder / "events.db"
        try:
            _make_private(folder, self.path)
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.executescript(_SETTINGS)
            self._prepare()
            (self._prefix,) = self._db.execute("SELECT event_id_prefix FROM store").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise ServerError(
                f"{self.path}: the events cannot be stored there: {error}; "
                "give --data a folder of its own that this user may write"
            ) from error

    def intakes(self, digests: Sequence[bytes]) -> list[int]:
        """The numbers of intake keys, given their digests; a new one for a new key.

        Raises:
            ServerError: a new key cannot be written.
        """
        known = dict(self._db.execute("SELECT digest, id FROM intakes"))
        if new := [(digest,) for digest in dict.fromkeys(digests) if digest not in known]:
            try:
                with self._transaction():
                    self._db.executemany("INSERT INTO intakes (digest) VALUES (?)", new)
            except sqlite3.Error as error:
                raise ServerError(
                    f"{self.path}: a new intake key cannot be noted: {error}: make room there"
                ) from error
            known = dict(self._db.execute("SELECT digest, id FROM intakes"))
        return [known[digest] for digest in digests]

    def add(self, rows: Sequence[Row], batch: uuid.UUID | None = None) -> list[str]:
        """Stores 1 or more events and returns their UUIDs; a known batch is not stored again.

        Raises:
            BatchMismatchError: the batch is known with another number of events.
            sqlite3.Error: nothing was stored; a full disk, for one.
        """
        with self._transaction():
            first = None if batch is None else self._first_of(rows, batch)
            if first is None:
                first = self._insert(rows)
                if batch is not None:
                    self._remember(rows, batch, first)
        return [event_uuid(self._prefix, first + index) for index in range(len(rows))]

    def close(self) -> None:
        """Moves the log into the database and closes it."""
        self._db.close()

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == _SCHEMA_VERSION:
            return
        if version != 0:
            raise ServerError(
                f"{self.path}: written by another version of endpoint-agent "
                f"(format {version}, not {_SCHEMA_VERSION}): use that version or another folder"
            )
        with self._transaction():
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO store VALUES (?)", (_new_prefix(),))
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _insert(self, rows: Sequence[Row]) -> int:
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            part = rows[start : start + _ROWS_A_STATEMENT]
            last = self._db.execute(_insert_sql(len(part)), [*itertools.chain(*part)]).lastrowid
        assert last is not None  # noqa: S101 - sqlite3 sets it for every INSERT
        return last - len(rows) + 1

    def _first_of(self, rows: Sequence[Row], batch: uuid.UUID) -> int | None:
        known = self._db.execute(
            "SELECT first_event, count FROM batches WHERE intake = ? AND id = ?",
            (rows[0].intake, batch.bytes),
        ).fetchone()
        if known is None:
            return None
        first, count = known
        if count != len(rows):
            raise BatchMismatchError(f"it had {count} events, now {len(rows)}")
        return int(first)

    def _remember(self, rows: Sequence[Row], batch: uuid.UUID, first: int) -> None:
        intake, received = rows[0].intake, rows[0].received
        self._db.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
            (intake, batch.bytes, first, len(rows), received),
        )
        self._db.execute("DELETE FROM batches WHERE received < ?", (received - BATCH_MEMORY_MS,))


def event_uuid(prefix: str, event: int) -> str:
    """The UUID of an event, given its number."""
    return f"{prefix}{event:012x}"


@functools.cache
def _insert_sql(rows: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * rows)
    return f"INSERT INTO events (intake, received, timestamp, action, host, raw) VALUES {values}"  # noqa: S608


def _new_prefix() -> str:
    random = str(uuid.uuid4())
    return f"{random[:14]}8{random[15:24]}"


def _make_private(folder: Path, database: Path) -> None:
    """Makes the folder 0700 and the database 0600; SQLite gives its other files the same mode.

    A folder that others may enter is closed only if it is empty or already a store: it would be
    wrong to close `/tmp` or a home.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        if any(folder.iterdir()) and not database.exists():
            raise PermissionError(f"{folder} holds other files and is open to other users")
        folder.chmod(0o700)
    os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))
    database.chmod(0o600)
