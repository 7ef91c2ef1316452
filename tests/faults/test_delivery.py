"""The agent delivers through everything an intake and a network can do wrong."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from endpoint_agent.deliver import Pace, client, loop

from .delivery import (
    KEY,
    QUICK,
    assert_balance,
    delivering,
    events,
    settings,
    settled,
    until,
)
from .scripted_intake import (
    accepts,
    answers,
    drips,
    hangs,
    refuses,
    resets_in_answer,
    resets_in_request,
    scripted_intake,
    sends,
)

PATIENT = Pace(batch=0.02, first_retry=30, last_retry=30, slow_retry=60)


def test_a_batch_is_what_the_protocol_says(queue):
    spool = queue(2_400)
    with scripted_intake() as intake, delivering(spool, intake.url) as deliverer:
        settled(spool)
    assert [len(request.events) for request in intake.requests] == [1_000, 1_000, 400]
    first = intake.requests[0]
    assert first.line == "POST /plain/batch HTTP/1.1"
    assert first.headers["x-sekoiaio-intake-key"] == KEY
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["content-type"] == "text/plain"
    assert len({request.headers["x-batch-id"] for request in intake.requests}) == 3
    assert intake.connections == 1
    assert intake.accepted == events(2_400)
    state = deliverer.state()
    assert state.requests == 3
    assert state.bytes_sent == sum(len(request.body) for request in intake.requests)
    assert state.last_delivery == pytest.approx(time.time(), abs=10)
    assert_balance(spool, delivered=2_400)


@pytest.mark.parametrize(
    "fault",
    [
        answers(500),
        answers(502, b"<html>" + b"x" * 5000),
        answers(503, Retry_After="0"),
        answers(429),
        answers(408),
        resets_in_request,
        resets_in_answer,
        sends(b""),
        sends(b"\x16\x03\x01\x00\xff not http at all"),
        sends(b"HTTP/1.1 999999 No\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n"),
        sends(b"HTTP/1.1 503 \xff\xfe\r\nRetry-After: \xff\r\nX: \x80\r\n\r\n"),
        sends(b"X" * 200_000),
    ],
    ids=[
        "500", "502", "503", "429", "408", "reset-in-request", "reset-in-answer", "closed",
        "tls-bytes", "bad-status", "bad-length", "bytes-in-headers", "endless-head",
    ],
)  # fmt: skip
def test_a_batch_is_sent_again_until_it_is_taken(queue, fault):
    spool = queue(1_100)
    with scripted_intake(accepts, fault, fault, fault) as intake, delivering(spool, intake.url):
        settled(spool)
    assert intake.accepted == events(1_100)
    assert len({r.headers["x-batch-id"] for r in intake.requests[1:]}) == 1
    assert_balance(spool, delivered=1_100)


def test_a_reset_in_the_middle_of_a_large_body(queue):
    spool = queue(0)
    for _ in range(100):
        spool.append(b'"%s"' % os.urandom(10_000).hex().encode())
    with (
        scripted_intake(resets_in_request, resets_in_request) as intake,
        delivering(spool, intake.url),
    ):
        settled(spool)
    assert len(intake.requests[-1].body) > 500_000
    assert_balance(spool, delivered=100)


def test_an_intake_that_is_down_gets_everything_when_it_is_up(queue):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    spool = queue(10)
    with delivering(spool, f"http://127.0.0.1:{port}") as deliverer:
        until(lambda: deliverer.state().consecutive_failures >= 3)
        assert "refused" in deliverer.state().last_error
        assert_balance(spool, queued=10)
        with scripted_intake() as intake:
            deliverer.reconfigure(settings(intake.url))
            settled(spool)
    assert intake.accepted == events(10)
    assert_balance(spool, delivered=10)


def test_an_intake_that_hangs_costs_one_timeout(queue, monkeypatch):
    monkeypatch.setitem(client.TIMEOUTS, "read", 0.1)
    spool = queue(10)
    with scripted_intake(hangs, hangs) as intake, delivering(spool, intake.url) as deliverer:
        until(lambda: deliverer.state().last_error is not None)
        assert "ReadTimeout" in deliverer.state().last_error
        settled(spool)
    assert_balance(spool, delivered=10)


def test_an_answer_that_drips_is_not_waited_for(queue, monkeypatch):
    monkeypatch.setattr(loop, "ANSWER_TIMEOUT", 0.2)
    spool = queue(10)
    with scripted_intake(drips) as intake, delivering(spool, intake.url):
        settled(spool)
    assert_balance(spool, delivered=10)


def test_a_large_answer_is_not_read_to_its_end(queue):
    spool = queue(1_100)
    endless = sends(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 8_000_000)
    with scripted_intake(endless) as intake, delivering(spool, intake.url):
        settled(spool)
    assert intake.accepted == events(1_100)[1_000:]
    assert_balance(spool, delivered=1_100)


def test_an_answer_cut_short_after_the_status_counts(queue):
    spool = queue(10)
    short = sends(b'HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n{"event_ids": [')
    with scripted_intake(short) as intake, delivering(spool, intake.url):
        settled(spool)
    assert len(intake.requests) == 1
    assert_balance(spool, delivered=10)


def test_a_connection_closed_while_idle_is_no_failure(queue):
    def accepts_and_leaves(connection):
        accepts(connection)
        connection.wait()
        connection.reset()

    spool = queue(1_100)
    with (
        scripted_intake(accepts_and_leaves) as intake,
        delivering(spool, intake.url, PATIENT) as deliverer,
    ):
        settled(spool)
    assert intake.connections == 2
    assert deliverer.state().consecutive_failures == 0
    assert_balance(spool, delivered=1_100)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(queue, form):
    spool = queue(10)
    asked = "120" if form == "seconds" else formatdate(time.time() + 120, usegmt=True)
    gentle = replace(QUICK, first_retry=1.0)
    with (
        scripted_intake(answers(429, Retry_After=asked)) as intake,
        delivering(spool, intake.url, gentle) as deliverer,
    ):
        until(lambda: deliverer.state().retry_in > 0)
        assert 110 < deliverer.state().retry_in <= 121.5
        assert len(intake.requests) == 1
        deliverer.reconfigure(settings(intake.url))
        settled(spool)
    assert_balance(spool, delivered=10)


def test_a_batch_that_is_too_large_is_halved(queue):
    spool = queue(250)
    too_large = refuses(413, lambda request: len(request.events) > 70)
    with scripted_intake(too_large) as intake, delivering(spool, intake.url):
        settled(spool)
    assert intake.accepted == events(250)
    assert max(len(r.events) for r in intake.requests if len(r.events) <= 70) >= 62
    assert_balance(spool, delivered=250, rejected=0)


@pytest.mark.parametrize("status", [400, 413])
def test_only_the_event_that_is_refused_goes_to_quarantine(queue, quarantined, status):
    bad = {events(250)[17], events(250)[200]}
    spool = queue(250)
    refusal = refuses(status, lambda request: not bad.isdisjoint(request.events))
    with scripted_intake(refusal) as intake, delivering(spool, intake.url):
        settled(spool)
    assert intake.accepted == [event for event in events(250) if event not in bad]
    assert set(quarantined()) == bad
    assert_balance(spool, delivered=248, rejected=2)


def test_events_refused_within_a_taken_batch_go_to_quarantine(queue, quarantined, caplog):
    errors = b'{"errors": [%s]}' % b",".join(
        b'{"index": %d, "status": 413}' % place for place in (0, 100, 999, 1_000, -1, 10**30)
    )
    spool = queue(1_010)
    with scripted_intake(answers(202, errors)) as intake, delivering(spool, intake.url):
        settled(spool)
    assert quarantined() == [events(1_010)[place] for place in (0, 100, 999)]
    assert len(intake.requests) == 2
    assert "refuses an event" in caplog.text
    assert_balance(spool, delivered=1_007, rejected=3)


def test_an_outage_between_two_halves_loses_nothing(queue):
    spool = queue(4)
    script = [answers(413), accepts, answers(503), answers(413), accepts]
    with scripted_intake(*script) as intake, delivering(spool, intake.url):
        settled(spool)
    assert intake.accepted == events(4)
    assert_balance(spool, delivered=4)


def test_an_intake_that_refuses_everything_does_not_empty_the_queue(queue):
    spool = queue(250)
    with (
        scripted_intake(refuses(400, lambda request: True)) as intake,
        delivering(spool, intake.url, PATIENT) as deliverer,
    ):
        until(lambda: deliverer.state().retry_in > 0)
        assert_balance(spool, rejected=loop.MAX_REFUSALS, queued=250 - loop.MAX_REFUSALS)


@pytest.mark.parametrize("status", [401, 403, 422])
def test_a_refused_key_keeps_the_events_and_is_told_once(queue, status, caplog):
    caplog.set_level(logging.INFO, "endpoint_agent")
    spool = queue(10)
    refusal = answers(status, b'{"message": "invalid key %s"}' % KEY.encode())
    with scripted_intake(refusal, refusal, refusal) as intake, delivering(spool, intake.url) as d:
        until(lambda: d.state().key_refused)
        settled(spool)
        until(lambda: not d.state().key_refused)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "refuses the key" in told[0]
    assert "again" in told[1]
    assert KEY not in caplog.text
    assert_balance(spool, delivered=10)


def test_a_refused_key_is_tried_again_slowly_or_when_it_is_changed(queue):
    spool = queue(10)
    with (
        scripted_intake(answers(401)) as intake,
        delivering(spool, intake.url, PATIENT) as deliverer,
    ):
        until(lambda: deliverer.state().key_refused)
        until(lambda: deliverer.state().retry_in > 0)
        assert 29 < deliverer.state().retry_in <= 90
        assert_balance(spool, queued=10)
        deliverer.reconfigure(settings(intake.url))
        settled(spool)
    assert_balance(spool, delivered=10)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(queue, status):
    spool = queue(10)
    with scripted_intake() as elsewhere:
        redirect = answers(status, Location=f"{elsewhere.url}/plain/batch")
        with scripted_intake(redirect) as intake, delivering(spool, intake.url, PATIENT) as d:
            until(lambda: d.state().retry_in > 0)
            assert f"HTTP {status}" in d.state().last_error
            assert_balance(spool, queued=10)
            d.reconfigure(settings(intake.url))
            settled(spool)
    assert elsewhere.requests == []
    assert_balance(spool, delivered=10)


def test_a_name_that_does_not_resolve(queue, monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    spool = queue(10)
    with scripted_intake() as intake, monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", unknown)
        with delivering(spool, "https://intake.example") as deliverer:
            until(lambda: deliverer.state().consecutive_failures >= 3)
            assert "Name or service not known" in deliverer.state().last_error
            patch.undo()
            deliverer.reconfigure(settings(intake.url))
            settled(spool)
    assert_balance(spool, delivered=10)


def test_a_name_that_cannot_be_encoded(queue):
    spool = queue(10)
    with delivering(spool, f"https://{'a' * 64}.example") as deliverer:
        until(lambda: deliverer.state().consecutive_failures >= 2)
    assert_balance(spool, queued=10)


def test_stop_delivers_what_is_queued(queue):
    spool = queue(1000)
    slow_batches = Pace(batch=60, first_retry=30, last_retry=30, slow_retry=60)
    with scripted_intake() as intake, delivering(spool, intake.url, slow_batches):
        until(lambda: spool.counters()["queued"] == 0)
        spool.append(b'{"last":1}')
    assert intake.accepted[-1] == b'{"last":1}'
    assert_balance(spool, delivered=1001)


def test_stop_ends_a_wait_and_tries_once_more(queue):
    spool = queue(10)
    with (
        scripted_intake(answers(503)) as intake,
        delivering(spool, intake.url, PATIENT) as deliverer,
    ):
        until(lambda: deliverer.state().consecutive_failures == 1)
    assert_balance(spool, delivered=10)


def test_stop_does_not_wait_for_an_intake_that_hangs(queue):
    spool = queue(10)
    with scripted_intake(hangs) as intake, delivering(spool, intake.url) as deliverer:
        intake.wait_for(lambda intake: bool(intake.requests))
        started = time.monotonic()
        deliverer.stop(drain=0.1)
        assert time.monotonic() - started < 1
        assert_balance(spool, queued=10)
        spool.close()
        intake.close()


def test_a_batch_interrupted_by_a_restart_keeps_its_id(queue):
    with scripted_intake(hangs) as intake:
        spool = queue(1_100)
        with delivering(spool, intake.url) as deliverer:
            intake.wait_for(lambda intake: bool(intake.requests))
            deliverer.stop(drain=0.1)
            spool.close()
            intake.released.set()
        spool = queue(0)
        with delivering(spool, intake.url):
            settled(spool)
    first, again, _ = intake.requests
    assert again.headers["x-batch-id"] == first.headers["x-batch-id"]
    assert again.events == first.events
    assert intake.accepted == events(1_100)
    assert_balance(spool, recovered=1_100, delivered=1_100)


def test_a_long_outage_costs_the_oldest_events_and_says_how_many(queue):
    spool = queue(0, max_bytes=1_000_000)
    up = threading.Event()
    down = refuses(503, lambda request: not up.is_set())
    with scripted_intake(down) as intake, delivering(spool, intake.url):
        for event in events(20_000):
            assert spool.append(b'{"event":%s,"message":"%s"}' % (event, b"x" * 100))
        up.set()
        settled(spool)
    counters = spool.counters()
    assert counters["evicted"] > 5_000
    assert_balance(spool, spooled=20_000)
    assert intake.accepted[-1].startswith(b'{"event":{"event":{"sequence":20000}}')


def test_an_agent_under_way_loses_nothing_to_a_bad_day(queue):
    day = [
        accepts, answers(503), resets_in_request, answers(413), accepts, resets_in_answer,
        answers(429, Retry_After="0"), accepts, answers(422), sends(b"?"), answers(302), accepts,
    ]  # fmt: skip
    spool = queue(0)

    def produce() -> None:
        for event in events(2000):
            spool.append(event)
            if event.endswith(b"00}}"):
                time.sleep(0.01)

    producer = threading.Thread(target=produce)
    with scripted_intake(*day * 3) as intake, delivering(spool, intake.url):
        producer.start()
        producer.join()
        settled(spool)
    assert intake.accepted == events(2000)
    assert_balance(spool, delivered=2000)
