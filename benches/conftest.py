"""What the benchmarks share: the storm, the host, and the table at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.live.audit import ADD_RULE, DELETE_RULE, OF_BENCHMARKS, Client

from figures import Results
from host import Host
from meter import describe_host
from storms import Storm

RESULTS = pytest.StashKey[Results]()
FOLDER = Path(__file__).parent

# The highest niceness, inherited by all that is started here.
FIRST = -20


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the switch that keeps the figures."""
    parser.addoption(
        "--keep-figures",
        action="store_true",
        help="write the figures of this run to results.json and README.md",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes room for the figures."""
    config.stash[RESULTS] = Results()


def pytest_sessionstart() -> None:
    """Refuses to run where nothing can be measured, and goes before what else runs."""
    if os.geteuid() != 0:
        pytest.exit("the benchmarks load eBPF programs: run them as root", returncode=3)
    os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    # An installed agent has its modules compiled; to compile them at each start takes memory.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Prints the table."""
    results = config.stash[RESULTS]
    terminalreporter.section("figures")
    for line in results.table():
        terminalreporter.write_line(line)
    about = describe_host()
    terminalreporter.write_line(about)
    if config.getoption("keep_figures"):
        results.write(FOLDER, about)


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Results:
    """Takes what is measured."""
    return request.config.stash[RESULTS]


@pytest.fixture(scope="module", autouse=True)
def unaudited() -> Iterator[None]:
    """Keeps the kernel's audit system from the system calls of what is started here.

    Once it was on, until the next boot, every call of a new process pays for it. The agent exempts
    all processes while it runs; without this rule the work alone would look slow beside it.
    """
    try:
        client = Client()
    except OSError:
        yield  # a kernel without an audit system
        return
    with client.socket:
        with suppress(OSError):
            client.ask(DELETE_RULE, OF_BENCHMARKS)  # of a run that was killed
        client.ask(ADD_RULE, OF_BENCHMARKS)
        try:
            yield
        finally:
            client.ask(DELETE_RULE, OF_BENCHMARKS)


@pytest.fixture(scope="session")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Storm:
    """The load generators."""
    if shutil.which("gcc") is None:
        pytest.fail("gcc is missing: install it, or run make bench as root")
    return Storm(tmp_path_factory.mktemp("storm"))


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """An intake, and an agent that runs when a benchmark starts it."""
    host = Host(tmp_path_factory.mktemp("host"))
    yield host
    host.close()
