from __future__ import annotations

import logging
import time

import pytest

from endpoint_agent.deliver.answer import Answer, Verdict
from endpoint_agent.deliver.state import MESSAGES, DeliveryState, Recorder

DOWN = Answer(Verdict.UNAVAILABLE, "HTTP 503")
KEY_REFUSED = Answer(Verdict.KEY_REFUSED, "HTTP 422")
REFUSED = Answer(Verdict.REFUSED, "HTTP 400")


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, "endpoint_agent")
    return lambda: [record.levelname for record in caplog.records]


def test_every_failure_has_its_message():
    assert set(MESSAGES) == set(Verdict) - {Verdict.TAKEN}


def test_the_state_of_one_that_has_done_nothing():
    assert Recorder().snapshot() == DeliveryState()


def test_failures_are_counted_until_a_batch_is_taken():
    recorder = Recorder()
    recorder.failed(DOWN, 10)
    recorder.failed(KEY_REFUSED, 60)
    state = recorder.snapshot()
    assert (state.consecutive_failures, state.key_refused) == (2, True)
    assert state.last_error == "HTTP 422"
    assert 59 < state.retry_in <= 60
    recorder.sent(1000)
    recorder.taken()
    state = recorder.snapshot()
    assert state.last_delivery == pytest.approx(time.time(), abs=5)
    assert state == DeliveryState(last_delivery=state.last_delivery, requests=1, bytes_sent=1000)


def test_the_log_is_told_of_changes_only(told):
    recorder = Recorder()
    recorder.taken()
    for _ in range(5):
        recorder.failed(DOWN, 1)
    for _ in range(5):
        recorder.failed(KEY_REFUSED, 1)
    recorder.taken()
    recorder.taken()
    assert told() == ["WARNING", "ERROR", "INFO"]


def test_refused_events_in_a_row_are_told_once(told):
    recorder = Recorder()
    for _ in range(3):
        recorder.refused(REFUSED)
    recorder.taken()
    recorder.refused(REFUSED)
    assert told() == ["WARNING", "WARNING"]
