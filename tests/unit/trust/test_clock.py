from __future__ import annotations

import time

import pytest

from endpoint_agent.trust.clock import SLEW, THRESHOLD, Clock, Jump, clocks


class MockClocks:
    """A host whose clock shows 1000 s when it has been up for 100 s."""

    def __init__(self) -> None:
        self.now, self.since_boot = 1000.0, 100.0

    def __call__(self) -> tuple[float, float]:
        return self.now, self.since_boot

    def passes(self, seconds: float, rate: float = 1.0) -> None:
        """Time goes by, of which the clock shows more or less."""
        self.since_boot += seconds
        self.now += seconds * rate


@pytest.fixture
def host() -> MockClocks:
    return MockClocks()


def test_time_that_goes_by_is_no_jump(host: MockClocks) -> None:
    clock = Clock(host)
    for seconds in (0.0, 1.0, 60.0, 86_400.0):  # The last as of a host that slept.
        host.passes(seconds)
        assert clock.jump() is None


@pytest.mark.parametrize("step", [3600.0, -3600.0, THRESHOLD])
def test_a_clock_that_is_set_is_told_once(host: MockClocks, step: float) -> None:
    clock = Clock(host)
    host.passes(1.0)
    host.now += step
    assert clock.jump() == Jump(1001.0, 1001.0 + step)
    host.passes(1.0)
    assert clock.jump() is None


def test_small_steps_add_up(host: MockClocks) -> None:
    clock = Clock(host)
    found = []
    for _ in range(8):
        host.passes(1.0)
        host.now += 3.0
        found.append(clock.jump())
    assert [jump is not None for jump in found] == [False, False, False, True] * 2


def test_a_clock_that_is_slewed_for_hours_is_none(host: MockClocks) -> None:
    clock = Clock(host)
    for _ in range(50_000):
        host.passes(1.0, 1.0 + SLEW / 2)
        assert clock.jump() is None


def test_the_clocks_of_this_host() -> None:
    now, since_boot = clocks()
    assert now == pytest.approx(time.time(), abs=60)
    assert since_boot == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=60)
