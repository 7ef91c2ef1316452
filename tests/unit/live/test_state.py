from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from endpoint_agent.live.lines import Line
from endpoint_agent.live.state import DELIVERY, HISTORY, MEAN, NEWEST, Rates, State

from .samples import ANSWER, NOW, event, lines, stats


def seen(age: float, family: str = "process", **fields: object) -> Line:
    """A line of an event that happened so many seconds before NOW."""
    (one,) = lines(event())
    when = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=age)
    return one._replace(when=when, family=family, **fields)


def rates(*seen: Line, start: float = NOW - 1000) -> Rates:
    rates = Rates(start)
    for one in seen:
        rates.add(one, NOW)
    return rates


def test_a_rate_is_the_mean_of_the_time_of_which_all_has_arrived() -> None:
    counted = [seen(DELIVERY + 0.5), seen(DELIVERY + MEAN - 0.5)]
    not_counted = [seen(DELIVERY - 0.5), seen(DELIVERY + MEAN + 0.5), seen(7, "file")]
    assert rates(*counted, *not_counted).mean("process", NOW) == 2 / MEAN


def test_a_rate_does_not_count_the_time_before_the_start() -> None:
    assert rates(seen(6), seen(7), start=NOW - DELIVERY - 2).mean("process", NOW) == 1
    assert rates(start=NOW).mean("process", NOW) == 0


def test_the_last_seconds_end_with_the_one_before_now() -> None:
    late = rates(seen(0.5), seen(2.5), seen(2.2), seen(1.5, "file"))
    assert late.last("process", 4, NOW) == [0, 2, 0, 1]
    assert late.last("file", 2, NOW) == [1, 0]


@pytest.mark.parametrize("age", [-10, HISTORY + 1, 10**9])
def test_events_of_another_time_have_no_rate(age: float) -> None:
    assert sum(rates(seen(age)).last("process", HISTORY, NOW)) == 0


def test_old_seconds_are_forgotten() -> None:
    kept = Rates(NOW)
    for second in range(1000):
        kept.add(seen(-second), NOW + second)
    assert len(kept._seconds) <= HISTORY + 1


def test_the_newest_events_are_kept_and_all_are_counted() -> None:
    state = State(NOW)
    state.add(lines(*(event(sequence=n) for n in range(1, NEWEST + 51))), NOW)
    assert [one.sequence for one in state.newest] == list(range(51, NEWEST + 51))
    assert (state.arrived, state.numbered, state.missing) == (NEWEST + 50, NEWEST + 50, 0)


def test_a_number_that_nothing_bears_is_missing() -> None:
    state = State(NOW)
    state.add(lines(event(sequence=1), event(sequence=4), event(sequence=2)), NOW)
    assert state.missing == 1


def test_a_heartbeat_is_the_last_report_until_something_follows() -> None:
    state = State(NOW)
    state.add(lines(event(sequence=1), stats(2, captured=5)), NOW)
    assert state.last_report is not None
    assert state.last_report["captured"] == 5
    state.add(lines(event(sequence=3)), NOW)
    assert state.last_report is None


def test_the_use_of_cpu_is_that_of_late() -> None:
    state = State(NOW)
    assert state.cpu == 0
    for seconds, used in [(0, 10.0), (1, 20.0), (MEAN, 20.1), (MEAN + 1, 20.2)]:
        agent = {"cpu_seconds": used, "memory_bytes": 1}
        state.note({**ANSWER, "agent": agent}, NOW + seconds)
    assert state.cpu == pytest.approx(100 * 0.2 / MEAN)
