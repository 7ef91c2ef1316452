"""What the fault tests cannot bring about over sockets; the queue and the intake are mocks."""

from __future__ import annotations

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.deliver import Deliverer, loop
from endpoint_agent.deliver.answer import Answer, Verdict
from endpoint_agent.errors import SpoolError

from .mock_spool import MockSpool

EVENTS = [b'{"n":%d}' % number for number in range(8)]
TAKEN = Answer(Verdict.TAKEN, "HTTP 202")
REFUSED = Answer(Verdict.REFUSED, "HTTP 413")


class MockClient:
    """Answers by a script, and then takes everything."""

    def __init__(self, settings, script):
        self.settings = settings
        self.script = script

    def post(self, _batch_id, _body, _patience):
        answer = self.script.pop(0) if self.script else TAKEN
        return answer() if callable(answer) else answer

    def close(self):
        pass


@pytest.fixture
def deliver(monkeypatch):
    def run(spool, *script):
        monkeypatch.setattr(loop, "IntakeClient", lambda s: MockClient(s, list(script)))
        deliverer = Deliverer(spool, Settings())
        deliverer.stop(drain=60)
        deliverer.run()
        return deliverer

    return run


def test_a_batch_evicted_while_it_is_sent_is_not_halved(deliver):
    spool = MockSpool(*EVENTS)

    def evicted_meanwhile():
        spool.evict(5)
        return REFUSED

    deliver(spool, evicted_meanwhile)
    assert spool.counters() == {
        "spooled": 8, "delivered": 3, "evicted": 5, "rejected": 0, "queued": 0,
    }  # fmt: skip


def test_a_queue_closed_after_stop_ends_the_loop(deliver):
    spool = MockSpool(*EVENTS)

    def closed_meanwhile():
        spool.close()
        return TAKEN

    deliver(spool, closed_meanwhile)
    assert spool.counters()["queued"] == 8


def test_a_queue_that_fails_is_told_to_the_supervisor():
    spool = MockSpool()
    spool.close()
    with pytest.raises(SpoolError):
        Deliverer(spool, Settings()).run()


def test_one_pass_ends_at_the_first_failure_after_stop(deliver):
    spool = MockSpool(*EVENTS)
    state = deliver(spool, Answer(Verdict.UNAVAILABLE, "HTTP 503")).state()
    assert state.requests == 1
    assert spool.counters()["queued"] == 8


def test_a_drain_of_no_time_delivers_nothing():
    spool = MockSpool(*EVENTS)
    deliverer = Deliverer(spool, Settings())
    deliverer.stop(drain=0)
    deliverer.run()
    assert spool.counters()["queued"] == 8
