from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.live.tail import PAGE, Tail

from ...live.daemon import KEY, Intake


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    intake = Intake(tmp_path)
    yield intake
    intake.stop()


@pytest.fixture
def tail(intake: Intake, tmp_path: Path) -> Iterator[Tail]:
    tail = Tail(intake.url, KEY, tmp_path / "data" / "events.db")
    yield tail
    tail.close()


def send(intake: Intake, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, PAGE):
        part = range(start, min(start + PAGE, numbers.stop))
        answer = httpx.post(
            f"{intake.url}/plain/batch",
            content="\n".join(map(str, part)),
            headers={"X-SEKOIAIO-INTAKE-KEY": KEY},
        )
        assert answer.status_code == 202


def read_all(tail: Tail) -> list[int]:
    numbers: list[int] = []
    while page := tail.read():
        assert len(page) <= PAGE
        numbers += map(int, page)
    return numbers


def test_every_event_is_read_once_and_in_order(intake: Intake, tail: Tail) -> None:
    assert tail.read() == []
    send(intake, range(PAGE + 10))
    assert read_all(tail) == [*range(PAGE + 10)]
    send(intake, range(PAGE + 10, PAGE + 20))
    assert read_all(tail) == [*range(PAGE + 10, PAGE + 20)]


def test_the_intake_does_not_grow_for_ever(
    intake: Intake, tail: Tail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, count = PAGE, 5 * PAGE
    monkeypatch.setattr("endpoint_agent.live.tail.KEPT", kept)
    send(intake, range(count))
    assert read_all(tail) == [*range(count)]
    database = sqlite3.connect(tmp_path / "data" / "events.db")
    (left,) = database.execute("SELECT count(*) FROM events").fetchone()
    database.close()
    assert kept <= left < 2 * kept + PAGE


def test_an_intake_that_has_gone_is_told(intake: Intake, tail: Tail) -> None:
    tail.read()
    intake.stop()
    with pytest.raises(AgentError, match="the intake does not answer"):
        tail.read()
