from __future__ import annotations

import pytest

from endpoint_agent.deliver.answer import Verdict, printable, refused_events, verdict_of


@pytest.mark.parametrize(
    ("verdict", "statuses"),
    [
        (Verdict.TAKEN, [200, 202, 204, 207, 299]),
        (Verdict.REFUSED, [400, 413]),
        (Verdict.KEY_REFUSED, [401, 403, 422]),
        (Verdict.UNAVAILABLE, [408, 425, 429, 500, 502, 503, 504, 599, 999]),
        (Verdict.MISCONFIGURED, [100, 199, 300, 301, 302, 304, 308, 404, 405, 410, 415, 451]),
    ],
)
def test_verdicts(verdict, statuses):
    assert {verdict_of(status) for status in statuses} == {verdict}


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (b'{"event_ids": ["a"], "errors": [{"index": 1, "status": 413, "error": "long"}]}', (1,)),
        (b'{"errors": [{"index": 4, "status": 400}, {"index": 2, "status": 413}]}', (4, 2)),
        (b'{"errors": [{"index": 1, "status": 503}]}', ()),
        (b'{"errors": [{"index": 1}]}', ()),
        (b'{"errors": {"index": 1, "status": 413}}', ()),
        (b'{"errors": [{"index": null, "status": 413}]}', ()),
        (b'{"errors": 7}', ()),
        (b'["errors"]', ()),
        (b'{"errors"', ()),
        (b'"errors"\xff\x00', ()),
        (b'{"errors":' + b"[" * 100_000, ()),
        (b'{"event_ids": []}', ()),
        (b"", ()),
    ],
)
def test_events_refused_within_a_taken_batch(body, places):
    assert refused_events(body) == places


def test_foreign_text_is_one_short_printable_line_without_the_key():
    text = "bad\r\n key \x1b[31m S3CRET\u202e \ud800" + "x" * 5000
    shown = printable(text, "S3CRET")
    assert shown.startswith("bad key [31m … xxx")
    assert len(shown) == 200
    assert shown.isprintable()


def test_the_key_is_not_shown_in_part_where_the_text_is_cut():
    assert "S3" not in printable("x" * 197 + "S3CRET", "S3CRET")
