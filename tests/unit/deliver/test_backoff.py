from __future__ import annotations

import random

import pytest

from endpoint_agent.deliver.backoff import MAX_RETRY_AFTER, Backoff, retry_after

NOW = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT


def longest(_low: float, high: float) -> float:
    return high


def test_the_ceiling_doubles_up_to_the_limit():
    backoff = Backoff(1, 60, longest)
    assert [backoff.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_reset_starts_again():
    backoff = Backoff(1, 60, longest)
    backoff.next()
    backoff.reset()
    assert backoff.next() == 1


def test_each_delay_is_anywhere_below_the_ceiling():
    backoff = Backoff(60, 60, random.Random(7).uniform)
    delays = [backoff.next() for _ in range(500)]
    assert min(delays) < 1
    assert max(delays) > 59
    assert 27 < sum(delays) / 500 < 33


def test_the_jitter_comes_on_top_of_what_the_peer_asks_for():
    assert Backoff(2, 60, longest).next(at_least=30) == 32


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        (" 17 ", 17),
        ("3600", 3600),
        ("3601", MAX_RETRY_AFTER),
        ("9" * 100_000, MAX_RETRY_AFTER),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("²", 0),
        ("\x80\xff", 0),
        ("Sun, 09 Sep 2001 01:47:10 GMT", 30),
        ("Sunday, 09-Sep-01 01:47:10 GMT", 30),
        ("Sun, 09 Sep 2001 01:40:00 GMT", 0),
        ("Sun, 09 Sep 2035 01:47:10 GMT", MAX_RETRY_AFTER),
        ("Sun, 99 Sep 2001 01:47:10 GMT", 0),
        ("Sun, 09 Sep 9999999999 01:47:10 GMT", 0),
        ("Sun, 09 Sep 2001 01:47:10 +99999999999999", 0),
    ],
)
def test_retry_after(header, seconds):
    assert retry_after(header, NOW) == seconds
