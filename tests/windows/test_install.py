"""agent.exe on a host of Wine's: the service's whole life, against an intake of this host."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread

import yaml

from endpoint_agent import __version__
from tests.live.daemon import KEY, Intake, wait

from .conftest import OTHER_KEY
from .wine import AGENT, SERVICE, STATE, VERSIONS, Host, processes

INSTALLED = r"C:\Program Files\EndpointAgent\agent.exe"

# Seconds, for an event to be delivered there.
DELIVERED = 60.0


def install(host: Host, intake: Intake, *options: str, key: str = KEY) -> None:
    """Installs from the one file, or with what is installed, and makes sure that it works."""
    ran = host.run(
        AGENT, "install", "--intake-url", intake.url, "--intake-key-file", "-", *options,
        given=f"{key}\n",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert f"endpoint-agent {__version__} is installed" in ran.stdout
    assert "its first heartbeat has arrived" in ran.stdout


def config(host: Host) -> dict[str, str]:
    text = (host.drive / STATE / "config.yaml").read_text()
    return dict(yaml.safe_load(text))


def test_it_is_installed_repaired_and_removed(host: Host, intake: Intake) -> None:
    before = host.files()
    folder = host.drive / VERSIONS

    install(host, intake, key=OTHER_KEY)

    for name in ("current", "good"):
        assert (folder / name).read_text() == f"{__version__}\n"
    state, process, error = host.status() or ()
    assert (state, error) == ("running", 0) and process
    command, is_automatic, *_ = host.ask("service_known", SERVICE)
    assert (command, is_automatic) == (f'"{INSTALLED}" service', True)
    assert config(host)["IntakeKey"] == OTHER_KEY
    log = (host.drive / STATE / "logs/agent.log").read_text()
    assert f"endpoint-agent v{__version__} starts" in log
    said = host.run(INSTALLED, "status")
    assert said.returncode == 0 and f"v{__version__}" in said.stdout, said
    assert not list(host.drive.glob("Program Files/.EndpointAgent*"))

    # Again: what is damaged is whole then, and the key another one.
    damaged = folder / __version__ / "packages/endpoint_agent/watches.yaml"
    whole = damaged.read_bytes()
    damaged.write_text("")
    install(host, intake)
    assert damaged.read_bytes() == whole
    assert config(host)["IntakeKey"] == KEY
    assert intake.events(action="stats")
    assert (host.status() or ())[0] == "running"

    # The manager's stop is one that the agent takes its leave by.
    sent = len(intake.events())
    host.ask("service_stop", SERVICE, "30")
    assert host.status() == ["stopped", None, 0]
    wait(lambda: len(intake.events()) > sent, DELIVERED)
    host.ask("service_start", SERVICE)
    wait(lambda: (host.status() or ())[0] == "running", DELIVERED)

    ran = host.run(INSTALLED, "-uninstall")
    assert ran.returncode == 0, ran.stderr
    assert host.status() is None
    wait(lambda: not list(host.drive.glob("Program Files/*EndpointAgent*")), DELIVERED)
    left = {name.rpartition("/")[2] for name in host.files() - before}
    assert left == {"config.yaml", "watches.yaml", "agent.log"}

    install(host, intake)
    ran = host.run(INSTALLED, "uninstall", "--purge")
    assert ran.returncode == 0, ran.stderr
    wait(lambda: host.files() == before, DELIVERED)
    assert not (host.drive / STATE).exists()


def test_an_installation_that_fails_leaves_nothing(host: Host, intake: Intake) -> None:
    before = host.files()

    ran = host.run(AGENT, "-install", "-intake_key", "refused", "-intake-url", intake.url)

    assert ran.returncode == 1
    assert "refuses the key" in ran.stderr and "nothing is installed" in ran.stderr
    assert host.status() is None
    assert host.files() == before


def test_the_key_is_in_no_child_s_command_line(host: Host, intake: Intake) -> None:
    seen: set[str] = set()
    done: list[bool] = []

    def look() -> None:
        while not done:
            seen.update(processes(OTHER_KEY))
            time.sleep(0.01)

    watcher = Thread(target=look)
    watcher.start()
    ran = host.run(AGENT, "-install", f"-intake-key={OTHER_KEY}", "-intake-url", intake.url)
    done.append(True)
    watcher.join()

    assert ran.returncode == 0, ran.stderr
    assert config(host)["IntakeKey"] == OTHER_KEY
    # That of who calls it, by the path that this test has given, and the same of Wine's.
    assert seen and all(str(AGENT) in line for line in seen), seen
    host.run(INSTALLED, "uninstall", "--purge")


def test_a_service_that_cannot_work_says_why_and_fails(host: Host, intake: Intake) -> None:
    before = host.files()
    install(host, intake)
    host.ask("service_stop", SERVICE, "30")
    place = host.drive / STATE / "config.yaml"
    place.write_text(place.read_text() + "NoSuchSetting: 1\n")

    host.ask("service_start", SERVICE)

    wait(lambda: (host.status() or ())[0] == "stopped", DELIVERED)
    assert (host.status() or ())[2] == 2
    assert "NoSuchSetting" in (host.drive / STATE / "logs/agent.log").read_text()
    host.run(INSTALLED, "uninstall", "--purge")
    wait(lambda: host.files() == before, DELIVERED)


def test_what_needs_no_installation(host: Host, tmp_path: Path) -> None:
    before = host.files()
    assert host.run(AGENT, "--version").stdout == f"endpoint-agent {__version__}\n"
    assert "install" in host.run(AGENT).stdout
    for words in (["status"], ["uninstall"], ["service"]):
        ran = host.run(AGENT, *words)
        assert ran.returncode == 1 and "no agent is installed here" in ran.stderr, ran
    ran = host.run(AGENT, "check", "--json")
    assert ran.stdout.startswith("{"), ran
    assert host.files() == before
