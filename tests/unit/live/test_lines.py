from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from endpoint_agent.live.lines import MAX_TEXT, encodable, line, plain, printable

from .samples import event, stats


def end(ip: str, port: int) -> dict[str, object]:
    return {"ip": ip, "address": ip, "port": port}


def test_an_event_becomes_a_line() -> None:
    shown = line(event(sequence=7))
    assert shown.when == datetime(2026, 1, 19, 12, 50, 53, 116_000, tzinfo=UTC)
    assert shown[1:] == (
        "process",
        "process-created",
        "root",
        "4321",
        "bash",
        "bash -c true",
        7,
        None,
    )
    assert plain(shown) == (
        "12:50:53.116 process-created          root        4321 bash            bash -c true"
    )


@pytest.mark.parametrize(
    ("raw", "family", "shown"),
    [
        (event("process-ended", process={"pid": 1, "exit_code": 137}), "process", "137"),
        (event("file-created", "file", file={"path": "/etc/hosts"}), "file", "/etc/hosts"),
        (
            event(
                "renamed",
                "file",
                file={"path": "/new"},
                action={"properties": {"old_path": "/old"}},
            ),
            "file",
            "/old -> /new",
        ),
        (
            event(
                "connected-to",
                "network",
                source=end("::1", 5000),
                destination=end("192.0.2.1", 443),
            ),
            "network",
            "[::1]:5000 -> 192.0.2.1:443",
        ),
        (
            event(
                "connected-to",
                "network",
                outcome="failure",
                source=end("192.0.2.7", 5000),
                destination=end("192.0.2.1", 443),
                action={"properties": {"exit": "ECONNREFUSED"}},
            ),
            "network",
            "192.0.2.7:5000 -> 192.0.2.1:443 (ECONNREFUSED)",
        ),
        (
            event(
                "dns-query-result",
                "network",
                destination=end("192.0.2.7", 5000),
                dns={
                    "question": {"name": "example.org", "type": "A"},
                    "answers": [{"data": "cdn.example.org"}, {"data": "192.0.2.1"}],
                },
            ),
            "network",
            "example.org A -> cdn.example.org, 192.0.2.1",
        ),
        (
            event("dns-query", "network", dns={"question": {"name": "a.example", "type": "TXT"}}),
            "network",
            "a.example TXT",
        ),
        (
            event("listen-for-connections", "network", destination=end("::", 8080)),
            "network",
            "[::]:8080",
        ),
        (
            event(
                "file-modified",
                "file",
                file={"path": "/var/log/x"},
                sekoiaio={"repeat": {"count": 1200}},
            ),
            "file",
            "/var/log/x (1,200 times)",
        ),
        (event("process-created", process={"executable": "/bin/true"}), "process", "/bin/true"),
        (
            event(
                "process-creation-failed",
                outcome="failure",
                file={"path": "/bin/absent"},
                action={"properties": {"exit": "ENOENT"}},
            ),
            "process",
            "/bin/absent (ENOENT)",
        ),
        (
            event(
                "killed-pid",
                sekoiaio={"target_process": {"pid": 12, "command_line": "sleep 9"}},
                action={"properties": {"syscall": "kill", "signal": 15}},
            ),
            "process",
            "signal 15 -> 12 sleep 9",
        ),
        (
            event(
                "changed-namespace-of",
                action={"properties": {"namespaces": ["uts:[1]", "net:[2]"]}},
            ),
            "process",
            "namespaces uts:[1] net:[2]",
        ),
        (
            event("loaded-kernel-module", "driver", action={"properties": {"name": "dummy"}}),
            "process",
            "name dummy",
        ),
    ],
)
def test_what_was_done_is_the_object(raw: str, family: str, shown: str) -> None:
    assert line(raw).family == family
    assert line(raw).object.removeprefix("exit status ") == shown


def test_what_the_agent_says_about_itself_is_a_family() -> None:
    log = line(
        json.dumps(
            {
                "@timestamp": "2026-01-19T12:50:54.116Z",
                "event": {"category": ["host"], "reason": "the disk is full"},
                "log": {"level": "warning"},
            }
        )
    )
    assert (log.family, log.action, log.object) == ("agent", "warning", "the disk is full")
    assert (log.user, log.pid, log.process, log.sequence) == ("", "", "", 0)


def test_a_heartbeat_carries_the_counters() -> None:
    shown = line(stats(captured=5, lost=2))
    assert shown.counters is not None
    assert shown.counters["captured"] == 5
    assert "not_covered" not in shown.counters
    assert shown.object.startswith("captured 5, ")
    assert shown.object.endswith("lost 2")


def test_a_user_without_a_name_has_a_number() -> None:
    assert line(event(user={"id": "1000"})).user == "1000"


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "no JSON \x1b[2J",
        "[" * 100_000,
        '{"event": {"action": "x"}}',
        '{"@timestamp": "yesterday", "event": {}}',
        '{"@timestamp": "0001-01-01T00:00:00", "event": {}}',
        event(process={"pid": "4321"}),
        event(user=[]),
        '{"@timestamp": "2026-01-19T12:50:54.116Z", "event": {"action": "\\ud800"}}',
    ],
)
def test_what_is_no_event_of_the_agent_is_shown_as_it_came(raw: str) -> None:
    shown = line(raw)
    assert (shown.family, shown.action) == ("agent", "unreadable")
    assert shown.object == printable(raw)
    assert shown.object.isprintable()


def test_nothing_in_a_line_can_be_obeyed_by_a_terminal() -> None:
    hostile = "a\x1b]0;owned\x07\x9b31m\r\nb\u202eexe.txt\u2028c\x7f"
    shown = line(
        event(
            hostile,
            user={"name": hostile},
            process={"name": hostile, "command_line": hostile},
        )
    )
    assert plain(shown).isprintable()
    assert shown.object == r"a\x1b]0;owned\x07\x9b31m\r\nb\u202eexe.txt\u2028c\x7f"


def test_what_can_be_seen_stays() -> None:
    assert printable("naïve 日本語 🐧 [bold]") == "naïve 日本語 🐧 [bold]"


@pytest.mark.parametrize("sign", ["a", "\x1b", "\U000e0001"])
def test_a_long_text_is_cut(sign: str) -> None:
    shown = printable(sign * 100_000)
    assert len(shown) <= MAX_TEXT
    assert shown.isprintable()


def test_what_an_encoding_lacks_is_escaped() -> None:
    assert encodable("é€", "latin-1") == r"é\u20ac"
    assert encodable("é€", "ascii") == r"\xe9\u20ac"
    assert encodable("é€", "utf-8") == "é€"
