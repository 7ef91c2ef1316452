"""The queue as Python sees it. What it promises in itself is tested in `native/tests/spool`."""

from __future__ import annotations

import gzip
import re
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoint_agent import errors
from endpoint_agent._native import Batch, Spool, counter_names
from endpoint_agent.errors import AgentError, SpoolError

MAPPING = Path(__file__).parents[2] / "native/src/python/errors.rs"


def fill(spool: Spool, count: int) -> None:
    for number in range(count):
        assert spool.append(b'{"n":%d}' % number)


def take(spool: Spool, count: int) -> Batch:
    batch = spool.next_batch(0.0, max_records=count, max_wait=0.0)
    assert batch is not None
    return batch


def test_records_come_back_as_a_gzip_body(spool: Spool) -> None:
    fill(spool, 3)
    batch = take(spool, 2)
    assert gzip.decompress(batch.body) == b'{"n":0}\n{"n":1}\n'
    assert (batch.count, batch.size) == (2, 16)
    assert str(uuid.UUID(batch.id)) == batch.id


def test_every_record_of_python_is_reported(spool: Spool) -> None:
    fill(spool, 3)
    counters = spool.counters()
    assert (counters["reported"], counters["spooled"], counters["queued"]) == (3, 3, 3)
    assert counters["queued_bytes"] > 0
    names = {name for name, _ in counter_names()}
    assert set(counters) == names | {"queued", "queued_bytes"}


def test_sequence_numbers_count_from_one(spool: Spool) -> None:
    assert [spool.next_sequence(), spool.next_sequence()] == [1, 2]


def test_a_batch_is_acknowledged_or_rejected_once(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 4)
    whole = take(spool, 4)
    left, right = spool.split(whole)
    spool.ack(left)
    spool.reject(right)
    for settle in (spool.ack, spool.reject, spool.split):
        with pytest.raises(ValueError, match="not at the queue's head"):
            settle(left)
    counters = spool.counters()
    assert (counters["delivered"], counters["rejected"], counters["queued"]) == (2, 2, 0)
    kept = (tmp_path / "queue" / "quarantine.ndjson").read_bytes()
    assert kept == b'{"n":2}\n{"n":3}\n'


def test_a_single_record_cannot_be_split(spool: Spool) -> None:
    fill(spool, 1)
    with pytest.raises(ValueError, match="holds one record"):
        spool.split(take(spool, 1))


@pytest.mark.parametrize("record", [b"", b'{"a":\n1}'])
def test_a_record_is_one_line(spool: Spool, record: bytes) -> None:
    with pytest.raises(ValueError, match="one line"):
        spool.append(record)
    assert spool.counters()["reported"] == 0


def test_a_record_that_an_intake_would_drop_is_refused(spool: Spool) -> None:
    assert spool.append(b"x" * 250_000)
    with pytest.raises(ValueError, match="250001 bytes is too long"):
        spool.append(b"x" * 250_001)
    assert spool.counters()["reported"] == 1


def test_a_record_too_long_for_the_queue_is_lost_and_counted(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), max_bytes=1000)
    assert not spool.append(b" " * 1000)
    counters = spool.counters()
    assert (counters["reported"], counters["lost"], counters["lost_queue"]) == (1, 1, 1)
    spool.close()


def test_others_work_while_one_waits(spool: Spool) -> None:
    batches: list[Batch | None] = []
    waiting = threading.Thread(target=lambda: batches.append(spool.next_batch(60.0, max_wait=0.0)))
    waiting.start()
    fill(spool, 1)
    waiting.join()
    assert [batch and batch.count for batch in batches] == [1]


def test_waking_ends_a_wait(spool: Spool) -> None:
    spool.wake()
    assert spool.next_batch(60.0) is None


def test_time_that_has_run_out_is_no_time(spool: Spool) -> None:
    assert spool.next_batch(-1.0) is None
    with pytest.raises(ValueError, match="float"):
        spool.next_batch(float("inf"))


def test_what_was_not_acknowledged_comes_again(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    fill(spool, 3)
    batch = take(spool, 3)
    spool.close()
    again = Spool(str(tmp_path), sync_interval=0)
    assert take(again, 1).id == batch.id
    assert again.counters()["recovered"] == 3
    again.close()


def test_one_process_has_the_queue(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="in use by another process"):
        Spool(str(tmp_path / "queue"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match=r"file.queue"):
        Spool(str(tmp_path / "file" / "queue"))


@pytest.mark.parametrize(
    "use",
    [
        lambda spool, batch: spool.append(b"{}"),
        lambda spool, batch: spool.next_batch(0.0),
        lambda spool, batch: spool.split(batch),
        lambda spool, batch: spool.ack(batch),
        lambda spool, batch: spool.reject(batch),
    ],
)
def test_a_closed_queue_is_of_no_use(spool: Spool, use: Callable[[Spool, Batch], object]) -> None:
    fill(spool, 2)
    batch = take(spool, 2)
    spool.close()
    with pytest.raises(SpoolError, match="closed"):
        use(spool, batch)
    assert spool.counters()["queued"] == 2
    spool.wake()
    spool.close()


def test_every_error_of_the_core_has_its_exception() -> None:
    """That every variant is mapped the compiler checks; that the classes exist is checked here."""
    classes = re.findall(r'=> "(\w+)"', MAPPING.read_text())
    assert "SpoolError" in classes
    for name in classes:
        assert issubclass(getattr(errors, name), AgentError)
