"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from .live.apart import run_apart
from .live.audit import auditing_alone
from .live.capture import Capture, capturing, require_root

# Seconds that a test may take, as long as it likes without; and a file in which each is told of.
LIMIT = int(os.environ.get("TEST_LIMIT", "0"))
OUTCOMES = os.environ.get("OUTCOMES")

# Rooms whose tests share kernel, network and clock with all that runs on the host.
SHARED = ("live", "faults", "attacks")


# Where the kernel's events come from; tests are named after all but the first.
SOURCES = pytest.param("ebpf", id=pytest.HIDDEN_PARAM), "audit"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what shares a capture once for each source, unless it is marked `ebpf`."""
    if "shared_capture" in metafunc.fixturenames:
        sources = SOURCES[:1] if metafunc.definition.get_closest_marker("ebpf") else SOURCES
        metafunc.parametrize("shared_capture", sources, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests that share a capture last, and gives those of the host a second chance.

    A test that depends on the host is run again before it counts as failed. What failed once is
    named in the summary all the same: a test that needs it often is wrong. In an emulated kernel,
    where a test has all the time there is, once has to do.
    """
    # So it does not see what the others do, who may do more than any capture can take.
    items.sort(key=lambda item: ("", "ebpf", "audit").index(source_of(item)))
    if "PATIENCE" in os.environ:
        return
    for item in items:
        room = Path(item.path).relative_to(Path(__file__).parent).parts[0]
        if room in SHARED:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


def source_of(item: pytest.Item) -> str:
    """Of which source's capture a test shares, if any."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return str(parameters.get("shared_capture", ""))


@pytest.fixture(scope="session")
def shared_capture(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Capture]:
    """The capture behind `watching`. Attaching and detaching all programs takes seconds."""
    require_root()
    start = {"ebpf": capturing, "audit": auditing_alone}[request.param]
    with start(tmp_path_factory.mktemp("watching")) as running:
        yield running


@pytest.fixture
def watching(shared_capture: Capture) -> Capture:
    """This kernel's events from the begin of the test; its own processes are among them.

    For all tests that do not stop it and do not overload it. At its begin, what others did just
    before may still be on its way.
    """
    shared_capture.forget()
    return shared_capture


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Has what the audit source is to tell be done by a process of its own."""
    if source_of(pyfuncitem) != "audit":
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    run_apart(partial(pyfuncitem.obj, **arguments), pyfuncitem.funcargs["shared_capture"])
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Ends a test that takes longer than $TEST_LIMIT; the next one is run."""

    def late(*_: object) -> None:
        pytest.fail(f"not done in {LIMIT} seconds")

    if not LIMIT:
        return (yield)
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tell(became: str, test: str) -> None:
    """Adds a word on a test to the file $OUTCOMES, if that is set."""
    if OUTCOMES:
        with Path(OUTCOMES).open("a") as file:
            file.write(f"{became} {test}\n")


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        tell("chosen", item.nodeid)


def pytest_runtest_logstart(nodeid: str) -> None:
    tell("started", nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        tell(report.outcome, report.nodeid)
