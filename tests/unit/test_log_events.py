from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from endpoint_agent._native import Spool
from endpoint_agent.envelope import Reporter
from endpoint_agent.log_events import MAX_EARLY, MAX_LENGTH, MAX_MESSAGES, PERIOD, EventHandler


class MockClock:
    """A mock of the monotonic clock."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> MockClock:
    return MockClock()


@pytest.fixture
def handler(clock: MockClock) -> EventHandler:
    return EventHandler(clock)


@pytest.fixture
def logger(handler: EventHandler) -> Iterator[logging.Logger]:
    logger = logging.getLogger("test_log_events")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def told(queued: Any) -> list[tuple[str, str, int]]:
    """Level, reason and count of the events in the queue."""
    return [
        (
            event["log"]["level"],
            event["event"]["reason"],
            event.get("sekoiaio", {}).get("repeat", {}).get("count", 0),
        )
        for event in queued()
    ]


def test_a_warning_has_the_shape_of_the_sample(
    handler: EventHandler, logger: logging.Logger, reporter: Reporter, queued: Any
) -> None:
    handler.attach(reporter)
    try:
        raise ValueError("My error")
    except ValueError:
        logger.exception("it %s", "failed")

    (event,) = queued()

    assert event["event"] == {
        "category": ["host"],
        "kind": "event",
        "reason": "it failed",
        "provider": "SEKOIA-IO-Endpoint",
        "sequence": 1,
    }
    assert event["log"] == {"level": "error", "logger": "SEKOIA-IO-Endpoint"}
    assert event["error"] == {"message": "ValueError: My error"}


def test_less_than_a_warning_is_no_event(
    handler: EventHandler, logger: logging.Logger, reporter: Reporter, queued: Any
) -> None:
    handler.attach(reporter)
    logger.info("all is well")

    assert queued() == []


def test_what_was_logged_before_the_queue_opened_is_told(
    handler: EventHandler, logger: logging.Logger, reporter: Reporter, queued: Any
) -> None:
    for number in range(MAX_EARLY + 5):
        logger.warning("early %d", number % 2)
    handler.attach(reporter)
    handler.detach()

    assert told(queued) == [
        ("warning", "early 0", 0),
        ("warning", "early 1", 0),
        ("warning", "further lines of the agent's log are in its file only", 5),
        ("warning", "early 0", 49),
        ("warning", "early 1", 49),
    ]


def test_an_identical_message_is_told_once_a_period_with_a_count(
    handler: EventHandler,
    logger: logging.Logger,
    reporter: Reporter,
    queued: Any,
    clock: MockClock,
) -> None:
    handler.attach(reporter)
    for _ in range(10):
        logger.warning("again")
        logger.error("again")
    handler.tick()
    assert told(queued) == [("warning", "again", 0), ("error", "again", 0)]

    clock.now += PERIOD
    handler.tick()
    logger.warning("again")
    assert told(queued) == [("warning", "again", 9), ("error", "again", 9)]

    clock.now += PERIOD
    handler.tick()
    assert told(queued) == [("warning", "again", 1)]

    clock.now += PERIOD
    handler.tick()
    logger.warning("again")
    assert told(queued) == [("warning", "again", 0)]


def test_a_flood_of_different_messages_is_bounded_and_counted(
    handler: EventHandler,
    logger: logging.Logger,
    reporter: Reporter,
    queued: Any,
    clock: MockClock,
) -> None:
    handler.attach(reporter)
    for number in range(1000):
        logger.warning("message %d", number)
    assert len(queued()) == MAX_MESSAGES

    clock.now += PERIOD
    handler.tick()
    ((_, reason, count),) = told(queued)
    assert "in its file only" in reason
    assert count == 1000 - MAX_MESSAGES

    logger.warning("message 1")
    assert told(queued) == [("warning", "message 1", 0)]


def test_what_came_again_is_told_at_the_end(
    handler: EventHandler, logger: logging.Logger, reporter: Reporter, queued: Any
) -> None:
    handler.attach(reporter)
    logger.warning("again")
    logger.warning("again")
    handler.detach()
    logger.warning("too late")

    assert told(queued) == [("warning", "again", 0), ("warning", "again", 1)]


def test_a_message_of_any_characters_is_told_and_bounded(
    handler: EventHandler, logger: logging.Logger, reporter: Reporter, queued: Any
) -> None:
    handler.attach(reporter)
    logger.warning("\udcff%s", "x" * 100_000)

    ((_, reason, _),) = told(queued)

    assert reason == "?" + "x" * (MAX_LENGTH - 1)


def test_a_queue_that_logs_does_not_recurse(handler: EventHandler, logger: logging.Logger) -> None:
    class MockReporter:
        """A mock that logs whatever it is told."""

        calls = 0

        def report(self, event: Any, **members: Any) -> bool:
            self.calls += 1
            logger.error("the queue is full")
            return False

    reporter: Any = MockReporter()
    handler.attach(reporter)
    logger.warning("something")

    assert reporter.calls == 1


def test_a_fault_in_reporting_does_not_reach_who_logs(
    handler: EventHandler, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    class MockReporter:
        """A mock that fails."""

        def report(self, event: Any, **members: Any) -> bool:
            raise MemoryError

    reporter: Any = MockReporter()
    handler.attach(reporter)
    logger.warning("something")

    assert capsys.readouterr().err.count("--- Logging error ---") == 1


def test_a_closed_queue_is_no_error(
    handler: EventHandler, logger: logging.Logger, reporter: Reporter, spool: Spool
) -> None:
    handler.attach(reporter)
    spool.close()

    logger.warning("nobody hears this")
