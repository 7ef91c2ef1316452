from __future__ import annotations

from typing import Any

from endpoint_agent.balance import SUMS, describe

COUNTERS = {
    "captured": 1_000_000,
    "reported": 12,
    "filtered": 0,
    "coalesced": 400_000,
    "lost": 5,
    "lost_ring": 5,
    "lost_kernel": 0,
    "spooled": 600_007,
    "recovered": 3,
    "delivered": 600_000,
    "evicted": 0,
    "rejected": 1,
    "damaged": 0,
    "queued": 9,
    "queued_bytes": 4_321,
}


def answer(**counters: int) -> dict[str, Any]:
    return {
        "version": "v0.1.0",
        "pid": 42,
        "uptime": 3_725.4,
        "source": "ebpf",
        "coverage": [
            ["exec", "attached", ""],
            ["openat2", "missing", "no such tracepoint"],
            ["files by fentry", "replaced", "forbidden"],
        ],
        "counters": COUNTERS | counters,
        "queued": 9,
        "rules": {},
        "delivery": {
            "last_delivery": 1_768_827_054.1,
            "last_error": None,
            "retry_in": 2.345,
            "requests": 7,
        },
        "agent": {"cpu_seconds": 1.25, "memory_bytes": 33_000_000},
    }


def test_the_sums_hold_when_nothing_is_missing() -> None:
    assert [one.difference(COUNTERS) for one in SUMS] == [0, 0]
    assert SUMS[0].difference(COUNTERS | {"captured": 1_000_003}) == 3
    assert SUMS[1].difference(COUNTERS | {"queued": 10}) == -1


def test_the_answer_is_laid_out() -> None:
    assert describe(answer()).splitlines() == [
        "endpoint-agent v0.1.0, pid 42, up 1:02:05, 1.2 s of CPU, 33.0 MB of memory",
        "source ebpf: 1 of 2 hooks attached",
        "  openat2 missing: no such tracepoint",
        "  files by fentry replaced: forbidden",
        "",
        "Into the queue: the sum holds",
        "    captured     1,000,000      spooled        600,007",
        "  + reported            12    + filtered             0",
        "                              + coalesced      400,000",
        "                              + lost                 5",
        "  =              1,000,012    =              1,000,012",
        "",
        "Out of the queue: the sum holds",
        "    recovered            3      delivered      600,000",
        "  + spooled        600,007    + queued               9",
        "                              + evicted              0",
        "                              + rejected             1",
        "                              + damaged              0",
        "  =                600,010    =                600,010",
        "",
        "Of these, and besides",
        "  lost_ring                         5",
        "  queued_bytes                  4,321",
        "",
        "Delivery",
        "  last_delivery          2026-01-19 12:50:54+00:00",
        "  last_error             -",
        "  retry_in               2.3",
        "  requests               7",
    ]


def test_what_each_rule_has_dropped_is_told() -> None:
    lines = describe(answer() | {"rules": {"6d7d1b3e": 4_000}}).splitlines()

    assert lines[lines.index("Filtered by the rules") + 1] == "  6d7d1b3e        4,000"


def test_a_difference_is_told() -> None:
    text = describe(answer(captured=1_000_003))

    assert "Into the queue: +3 are on their way or missing" in text
    assert "Out of the queue: the sum holds" in text


def test_updates_are_told_once_the_repository_was_asked() -> None:
    update = {"checked": None, "error": "", "offered": "", "waits": "", "failed": {}}
    assert "Updates" not in describe(answer() | {"update": update})
    update |= {"checked": 0.0, "offered": "0.2.0", "failed": {"0.2.0": "it fails"}}
    lines = describe(answer() | {"update": update | {"checked": 1.0}}).splitlines()
    assert lines[lines.index("Updates") :] == [
        "Updates",
        "  checked                1970-01-01 00:00:01+00:00",
        "  offered                0.2.0",
        "  failed 0.2.0           it fails",
    ]


def test_what_the_program_was_found_to_be() -> None:
    program = {"checked": None, "differences": 0, "error": ""}
    assert "Program" not in describe(answer() | {"program": program})
    lines = describe(answer() | {"program": program | {"checked": 1.0}}).splitlines()
    assert lines[lines.index("Program, compared with its MANIFEST") :] == [
        "Program, compared with its MANIFEST",
        "  checked                1970-01-01 00:00:01+00:00",
        "  differences            0",
    ]
    program |= {"checked": 1.0, "error": "no such file"}
    assert describe(answer() | {"program": program}).endswith("error                  no such file")
