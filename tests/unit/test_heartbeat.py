from __future__ import annotations

from typing import Any

import psutil
import pytest

from endpoint_agent._native import Spool
from endpoint_agent.envelope import Reporter
from endpoint_agent.heartbeat import MAX_HOOKS, CpuShare, Heartbeat, operating_system

COVERAGE = [("exec", "attached", ""), ("openat2", "missing", "no such tracepoint")]


def beat(reporter: Reporter, spool: Spool, queued: Any) -> dict[str, Any]:
    Heartbeat(reporter, spool, lambda: COVERAGE).beat()
    (event,) = queued()
    return dict(event)


def test_a_beat_has_the_shape_of_the_sample(reporter: Reporter, spool: Spool, queued: Any) -> None:
    event = beat(reporter, spool, queued)

    assert event["event"] == {
        "kind": "metric",
        "category": ["host"],
        "type": ["info"],
        "action": "stats",
        "provider": "SEKOIA-IO-Endpoint",
        "sequence": 1,
    }
    assert event["sekoiaio"]["agent"].keys() == {"cpu_usage", "memory_usage", "uptime"}
    assert event["sekoiaio"]["host"].keys() == {
        "cpu_usage",
        "memory_total",
        "memory_available",
        "memory_usage",
        "uptime",
    }


def test_a_beat_tells_how_the_host_fares(reporter: Reporter, spool: Spool, queued: Any) -> None:
    event = beat(reporter, spool, queued)

    agent, host = event["sekoiaio"]["agent"], event["sekoiaio"]["host"]
    assert agent["memory_usage"] == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert agent["uptime"] < host["uptime"] == event["host"]["uptime"]
    assert host["memory_total"] == psutil.virtual_memory().total
    assert 0 <= host["memory_usage"] <= 100
    assert event["host"]["os"] == {"type": "linux", "full": operating_system()}


def test_a_beat_tells_every_counter_as_of_before_it(
    reporter: Reporter, spool: Spool, queued: Any
) -> None:
    spool.append(b"{}")
    counters = spool.counters()
    Heartbeat(reporter, spool, lambda: COVERAGE).beat()

    _, event = queued()

    properties = event["action"]["properties"]
    assert properties.pop("not_covered") == ["openat2 missing: no such tracepoint"]
    assert properties == counters
    assert properties["reported"] == 1


def test_a_beat_tells_what_each_rule_has_dropped(
    reporter: Reporter, spool: Spool, queued: Any
) -> None:
    Heartbeat(reporter, spool, lambda: COVERAGE, lambda: {"some-uuid": 7}).beat()

    (event,) = queued()

    assert event["action"]["properties"]["filtered_by"] == {"some-uuid": 7}


def test_missing_hooks_are_bounded(reporter: Reporter, spool: Spool, queued: Any) -> None:
    coverage = [(f"hook{number}", "failed", "\udcff") for number in range(1000)]
    Heartbeat(reporter, spool, lambda: coverage).beat()

    (event,) = queued()

    assert len(event["action"]["properties"]["not_covered"]) == MAX_HOOKS


def test_cpu_is_that_since_the_last_time() -> None:
    share = CpuShare(started=100.0)

    assert share.percent(110.0, 1.0) == 10.0
    assert share.percent(120.0, 1.03) == 0.3
    assert share.percent(120.0, 1.03) == 0.0
