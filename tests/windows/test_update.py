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

NEWER, BROKEN = "9.0.1", "9.0.2"
FAULT = "this version is broken"


def bundle(folder: Path, version: str) -> Path:
    """The version that ships, but for its number, and for what is wrong with the broken one."""
    with tarfile.open(BUNDLE) as archive:
        archive.extractall(folder, filter="data")
    place = (folder / __version__).rename(folder / version)
    package = place / "packages/endpoint_agent"
    change(package / "__init__.py", f'__version__ = "{version}"\n')
    if version == BROKEN:
        agent = package / "agent.py"
        change(agent, f"{agent.read_text()}\nraise RuntimeError({FAULT!r})\n")
    manifest.write(place)
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
    # Within seconds, and not within hours.
    schedule = host.drive / VERSIONS / __version__ / "packages/endpoint_agent/update/schedule.py"
    text = schedule.read_text()
    hasty = re.sub("^FIRST = .*", "FIRST = (1.0, 3.0)", text, flags=re.MULTILINE)
    assert hasty != text
    change(schedule, hasty)
    host.ask("service_stop", SERVICE, "30")
    host.ask("service_start", SERVICE)

    wait(lambda: told(intake.events(), "updated"), PATIENCE)

    assert links(host) == [NEWER, NEWER]
    assert status(host)["version"] == f"v{NEWER}"
