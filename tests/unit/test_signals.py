from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from endpoint_agent.signals import HAND_OVER, RELOAD, STOP, Console, Signals, requests

# Says what it got, and stops for good only at a second signal.
STUBBORN = """
import time
from endpoint_agent.signals import Signals
with Signals() as signals:
    print("ready", flush=True)
    print(*signals.wait(10), flush=True)
    time.sleep(10)
"""


@pytest.mark.parametrize("number", [*STOP, RELOAD, HAND_OVER])
def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    with Signals() as signals:
        os.kill(os.getpid(), number)

        assert signals.wait(5.0) == {number}
        assert signals.wait(0.0) == frozenset()


def test_without_a_signal_the_wait_ends_in_time() -> None:
    with Signals() as signals:
        before = time.monotonic()

        assert signals.wait(0.05) == frozenset()
        assert 0.04 < time.monotonic() - before < 2.0


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(one) for one in (*STOP, RELOAD)]
    with Signals():
        assert [signal.getsignal(one) for one in (*STOP, RELOAD)] != before

    assert [signal.getsignal(one) for one in (*STOP, RELOAD)] == before


def test_a_second_signal_ends_a_process_that_hangs() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == f"{signal.SIGTERM}\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(5) == -signal.SIGTERM


def test_a_flag_stands_for_the_signal_to_stop() -> None:
    stop = threading.Event()
    with requests(stop) as flag:
        assert flag.wait(0.0) == frozenset()
        threading.Timer(0.05, stop.set).start()
        assert flag.wait(10.0) & set(STOP)
        assert flag.wait(0.0) & set(STOP), "it stays set"


def test_a_console_program_is_ended_by_an_interrupt() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Console() as console:
        assert console.wait(0.0) == frozenset()
        signal.raise_signal(signal.SIGINT)
        assert console.wait(10.0) & set(STOP)
    assert signal.getsignal(signal.SIGINT) == before
