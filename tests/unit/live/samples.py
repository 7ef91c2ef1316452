"""Events and answers as the agent makes them, cut down to what the view reads."""

from __future__ import annotations

import json
from typing import Any

from endpoint_agent.live.lines import Line, line

NOW = 1_768_827_054.0
"""2026-01-19T12:50:54Z."""

ANSWER: dict[str, Any] = {
    "version": "v0.1.0",
    "pid": 42,
    "uptime": 3_725.4,
    "source": "ebpf",
    "coverage": [["exec", "attached", ""], ["openat2", "attached", ""]],
    "counters": {
        "captured": 1_012,
        "reported": 1,
        "filtered": 0,
        "coalesced": 400,
        "lost": 0,
        "spooled": 613,
        "recovered": 0,
        "delivered": 600,
        "queued": 13,
        "evicted": 0,
        "rejected": 0,
        "damaged": 0,
    },
    "rules": {},
    "delivery": {"requests": 7, "bytes_sent": 123_456, "last_error": None},
    "agent": {"cpu_seconds": 1.25, "memory_bytes": 33_000_000},
}


def event(action: str = "process-created", category: str = "process", /, **members: Any) -> str:
    """The JSON of an event; `sequence` and `outcome` are of `event`, the others of the root."""
    head = {
        "action": action,
        "category": [category],
        "sequence": members.pop("sequence", 1),
        "outcome": members.pop("outcome", "success"),
    }
    return json.dumps(
        {
            "@timestamp": "2026-01-19T12:50:53.116Z",
            "event": head,
            "user": {"id": "0", "name": "root"},
            "process": {"pid": 4321, "name": "bash", "command_line": "bash -c true"},
            **members,
        }
    )


def stats(sequence: int = 1, **counters: int) -> str:
    """A heartbeat."""
    properties = {**ANSWER["counters"], **counters, "not_covered": ["a: b"]}
    return event("stats", "host", sequence=sequence, action={"properties": properties})


def lines(*raw: str) -> list[Line]:
    """What the view makes of events."""
    return [line(one) for one in raw]
