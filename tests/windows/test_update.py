"""agent.exe takes new versions from a signed repository, and comes back from one that is broken."""

from __future__ import annotations

import py_compile
import re
import shutil
import ssl
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from endpoint_agent import __version__
from endpoint_agent.service import manifest
from tests.live.daemon import KEY, Intake, wait

from .test_install import DELIVERED, INSTALLED
from .test_shipped import BUNDLE
from .wine import AGENT, PATIENCE, SERVICE, VERSIONS, Host, on_wine

pytest.importorskip("tuf")

from tests.unit.update.published import Publisher, Server

NEWER, BROKEN, UNWELL = "9.0.1", "9.0.2", "9.0.3"

# What is wrong with a version: at the end of which module of it stands what.
FAULTS = {
    BROKEN: ("agent.py", "raise RuntimeError('this version is broken')"),
    # It starts and captures, and delivers nothing.
    UNWELL: (
        "deliver/client.py",
        "IntakeClient.post = lambda *_: Answer(Verdict.UNAVAILABLE, 'this version is unwell')",
    ),
}
FAULT = "this version is broken"


def version_folder(folder: Path, version: str) -> Path:
    """The version that ships, but for its number, its haste, and for what is wrong with it."""
    with tarfile.open(BUNDLE) as archive:
        archive.extractall(folder, filter="data")
    place = (folder / __version__).rename(folder / version)
    package = place / "packages/endpoint_agent"
    change(package / "__init__.py", f'__version__ = "{version}"\n')
    make_hasty(place, RESUME="1.0")
    if version in FAULTS:
        name, fault = FAULTS[version]
        module = package / name
        change(module, f"{module.read_text()}\n{fault}\n")
    manifest.write(place)
    return place


def make_hasty(version: Path, **times: str) -> None:
    """Has a version look for updates within seconds, and not within hours."""
    schedule = version / "packages/endpoint_agent/update/schedule.py"
    text = schedule.read_text()
    for name, value in times.items():
        text, count = re.subn(f"^{name} = .*", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1, name
    change(schedule, text)


def bundle(folder: Path, version: str) -> Path:
    """The same, as it is offered."""
    place = version_folder(folder, version)
    path = folder / f"endpoint-agent-{version}-win_amd64.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(place, version)
    shutil.rmtree(place)
    return path


def change(module: Path, text: str) -> None:
    """Writes a module anew, and what is compiled of it, which Python would believe else."""
    module.write_text(text)
    compiled = module.parent / f"__pycache__/{module.stem}.cpython-311.pyc"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(module), str(compiled), doraise=True, invalidation_mode=mode)


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path)


@pytest.fixture
def offer(publisher: Publisher, tmp_path: Path) -> Callable[[str], None]:
    """Has the repository offer a version."""
    return lambda version: publisher.repository.add([bundle(tmp_path, version)], 100)


@pytest.fixture
def server(publisher: Publisher, tmp_path: Path) -> Iterator[Server]:
    """The repository, over TLS, by a certificate that is trusted by name of its file alone."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += [*named, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    made = Server(publisher.folder, tls)
    yield made
    made.stop()


@pytest.fixture
def installed(
    host: Host, intake: Intake, publisher: Publisher, server: Server, tmp_path: Path
) -> Iterator[Host]:
    """A host whose agent takes its updates from there."""
    before = host.files()
    config = tmp_path / "mine.yaml"
    settings = {
        "UpdateURL": server.url,
        "UpdateRoot": on_wine(publisher.root),
        "CABundlePath": on_wine(tmp_path / "certificate.pem"),
    }
    config.write_text("".join(f"{name}: '{value}'\n" for name, value in settings.items()))
    config.chmod(0o600)
    words = ("--config", on_wine(config), "--intake-url", intake.url, "--intake-key-file", "-")
    ran = host.run(AGENT, "install", *words, given=f"{KEY}\n")
    assert ran.returncode == 0, ran.stderr
    yield host
    host.run(INSTALLED, "uninstall", "--purge")
    wait(lambda: host.files() == before, DELIVERED)


def links(host: Host) -> list[str]:
    return [(host.drive / VERSIONS / name).read_text().strip() for name in ("current", "good")]


def status(host: Host) -> dict[str, Any]:
    ran = host.run(INSTALLED, "status", "--json")
    assert ran.returncode == 0, ran.stderr
    return dict(orjson.loads(ran.stdout))


def told(events: list[dict[str, Any]], action: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"].get("action") == action]


def versions(events: list[dict[str, Any]], action: str) -> list[tuple[str, str]]:
    """From which version to which what was told."""
    found = (event["action"]["properties"] for event in told(events, action))
    return [(one["old_version"], one["new_version"]) for one in found]


def test_updated_and_back_from_a_version_that_is_broken(
    installed: Host, offer: Callable[[str], None], intake: Intake
) -> None:
    host = installed
    agent_id = intake.events()[0]["agent"]["id"]
    offer(NEWER)
    ran = host.run(INSTALLED, "update", "--check")
    assert ran.stdout == f"{__version__} is in use; {NEWER} is offered\n", ran.stderr
    assert links(host) == [__version__, __version__]

    ran = host.run(INSTALLED, "-update")

    assert ran.stdout.startswith(f"{NEWER} has replaced {__version__}"), ran.stderr
    assert links(host) == [NEWER, NEWER]
    assert (host.status() or ())[0] == "running"
    answer = status(host)
    assert answer["version"] == f"v{NEWER}"
    assert answer["update"]["failed"] == {}
    assert f"v{NEWER}" in host.run(INSTALLED, "status").stdout
    ran = host.run(INSTALLED, "-update")
    assert ran.stdout == f"{NEWER} stays: there is no newer version\n", ran.stderr

    offer(BROKEN)
    ran = host.run(INSTALLED, "-update")

    assert ran.returncode == 1
    assert f"{BROKEN} does not work: " in ran.stderr and FAULT in ran.stderr, ran
    assert f"{NEWER} is in use again" in ran.stderr
    assert links(host) == [NEWER, NEWER]
    assert not (host.drive / VERSIONS / BROKEN).exists()
    answer = status(host)
    assert answer["version"] == f"v{NEWER}"
    assert FAULT in answer["update"]["failed"][BROKEN]
    ran = host.run(INSTALLED, "-update")
    assert ran.returncode == 0
    assert ran.stdout.startswith(f"{NEWER} stays: {BROKEN} has failed here"), ran

    wait(lambda: told(intake.events(), "update-failed"), DELIVERED)
    events = intake.events()
    assert versions(events, "update-started") == [(__version__, NEWER), (NEWER, BROKEN)]
    assert versions(events, "updated") == [(__version__, NEWER)]
    assert versions(events, "update-failed") == [(NEWER, BROKEN)]
    assert FAULT in told(events, "update-failed")[0]["event"]["reason"]
    assert {event["agent"]["id"] for event in events} == {agent_id}
    assert {event["agent"]["version"] for event in events} == {f"v{__version__}", f"v{NEWER}"}
    # What the one before had in its queue when it ended has arrived, too.
    runs = {event["agent"]["ephemeral_id"] for event in events}
    assert len(runs) == 3, "the broken version never ran, and the newer one twice"
    for run in runs:
        sequence = {e["event"]["sequence"] for e in events if e["agent"]["ephemeral_id"] == run}
        assert sequence == set(range(1, max(sequence) + 1)), f"{len(sequence)} of {max(sequence)}"


def test_the_agent_updates_itself(
    installed: Host, offer: Callable[[str], None], intake: Intake
) -> None:
    host = installed
    offer(NEWER)
    make_hasty(host.drive / VERSIONS / __version__, FIRST="(1.0, 3.0)")
    host.ask("service_stop", SERVICE, "30")
    host.ask("service_start", SERVICE)

    wait(lambda: told(intake.events(), "updated"), PATIENCE)

    assert links(host) == [NEWER, NEWER]
    assert status(host)["version"] == f"v{NEWER}"


def test_a_version_that_delivers_nothing_is_taken_back(
    installed: Host, offer: Callable[[str], None], intake: Intake
) -> None:
    host = installed
    offer(UNWELL)

    ran = host.run(INSTALLED, "-update")

    assert ran.returncode == 1
    assert "its heartbeat has not arrived: this version is unwell" in ran.stderr, ran
    assert f"{__version__} is in use again" in ran.stderr
    assert links(host) == [__version__, __version__]
    assert status(host)["version"] == f"v{__version__}"
    wait(lambda: told(intake.events(), "update-failed"), DELIVERED)
    # What it had queued is delivered by the one before.
    assert f"v{UNWELL}" in {event["agent"]["version"] for event in intake.events()}


def test_a_trial_that_the_host_went_down_in_is_brought_to_its_end(
    installed: Host, intake: Intake, tmp_path: Path
) -> None:
    host = installed
    folder = host.drive / VERSIONS
    make_hasty(folder / __version__, RESUME="1.0")

    def go_down_in_the_trial_of(version: str) -> None:
        """Leaves the host as it would be found, and starts the service as it would."""
        host.ask("service_stop", SERVICE, "30")
        shutil.move(version_folder(tmp_path, version), folder / version)
        (folder / "current").write_text(f"{version}\n")
        # Whether it has started is not asked: what takes up the trial starts it anew meanwhile.
        host.call("sc", "start", SERVICE)

    go_down_in_the_trial_of(NEWER)

    wait(lambda: told(intake.events(), "updated"), PATIENCE)
    assert versions(intake.events(), "updated") == [(__version__, NEWER)]
    assert links(host) == [NEWER, NEWER]
    assert status(host)["version"] == f"v{NEWER}"

    go_down_in_the_trial_of(BROKEN)

    wait(lambda: told(intake.events(), "update-failed"), PATIENCE)
    assert versions(intake.events(), "update-failed") == [(NEWER, BROKEN)]
    assert FAULT in told(intake.events(), "update-failed")[0]["event"]["reason"]
    assert links(host) == [NEWER, NEWER]
    wait(lambda: not (folder / BROKEN).exists(), DELIVERED)
    assert status(host)["version"] == f"v{NEWER}"
    # What started with the host was the last good one each time.
    agents = (event["agent"] for event in intake.events())
    runs = {(agent["ephemeral_id"], agent["version"]) for agent in agents}
    ran = [version for _, version in runs]
    assert ran.count(f"v{__version__}") == 2 and ran.count(f"v{NEWER}") >= 3, runs
