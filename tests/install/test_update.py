"""An agent that is updated while the host is at work, and comes back from broken versions."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent import __version__
from endpoint_agent.service import manifest, program
from endpoint_agent.service.places import VERSIONS

from ..live.capture import PATIENCE
from ..live.daemon import COMMAND, KEY, Intake, wait
from ..live.storm import Storm
from ..live.test_install import Host, host, needs

pytest.importorskip("tuf")

from ..unit.update.published import Publisher, Server

__all__ = ["host"]

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root"),
    pytest.mark.skipif(PATIENCE > 1, reason="it copies a program, which takes minutes here"),
]

NEWER, BROKEN, UNWELL = "9.0.1", "9.0.2", "9.0.3"

# What is wrong with a version: at the end of which file of it stands what.
FAULTS = {
    BROKEN: ("agent.py", "raise RuntimeError('this version is broken')"),
    # It takes over, captures, and delivers nothing.
    UNWELL: (
        "deliver/client.py",
        "IntakeClient.post = lambda *_: Answer(Verdict.UNAVAILABLE, 'this version is unwell')",
    ),
}


def bundle(folder: Path, copy: Path, version: str) -> Path:
    """A version like the running one, but for its number and what is wrong with it."""
    place = folder / version
    shutil.copytree(copy, place, symlinks=True)
    command = place / "bin/endpoint-agent"
    text = command.read_text()
    home = text.removeprefix("#!").partition("/bin/")[0]
    command.write_text(text.replace(home, str(VERSIONS / version)))
    package = place / "packages/endpoint_agent"
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n')
    if version in FAULTS:
        name, fault = FAULTS[version]
        with (package / name).open("a") as file:
            file.write(f"{fault}\n")
    manifest.write(place)
    path = folder / f"endpoint-agent-{version}-linux-x86_64.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(place, version)
    shutil.rmtree(place)
    return path


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    publisher = Publisher(tmp_path)
    program.copy(tmp_path / "copy", VERSIONS / "copy")
    return publisher


@pytest.fixture
def offer(publisher: Publisher, tmp_path: Path) -> Callable[[str], None]:
    """Has the repository offer a version."""
    return lambda version: publisher.repository.add(
        [bundle(tmp_path, tmp_path / "copy", version)], 100
    )


@pytest.fixture
def installed(host: Host, intake: Intake, publisher: Publisher, tmp_path: Path) -> Iterator[Host]:
    """A host whose agent takes its updates from there."""
    server = Server(publisher.folder)
    config = tmp_path / "mine.yaml"
    config.write_text(f"UpdateURL: {server.url}\nUpdateRoot: {publisher.root}\n")
    config.chmod(0o600)
    words = ["--config", config, "--intake-url", intake.url, "--intake-key-file", "-"]
    done = host.run(*COMMAND, "install", *words, stdin=KEY)
    assert done.returncode == 0, done.stderr
    yield host
    server.stop()


@pytest.fixture
def storm(installed: Host, tmp_path: Path) -> Iterator[Storm]:
    storm = Storm(tmp_path / "markers")
    yield storm
    storm.kill()


@needs("unshare", "nsenter", "start-stop-daemon", "update-rc.d")
def test_updated_under_a_storm_and_back_from_versions_that_do_not_work(
    installed: Host, storm: Storm, offer: Callable[[str], None], intake: Intake
) -> None:
    host = installed
    offer(NEWER)
    done = host.run("/opt/endpoint-agent", "update", "--check")
    assert done.stdout == f"{__version__} is in use; {NEWER} is offered\n", done.stderr
    done = host.run("/opt/endpoint-agent", "-update")
    assert done.stdout.startswith(f"{NEWER} has replaced {__version__}"), done.stderr
    assert wait(host.status)["version"] == f"v{NEWER}"

    for version, reason in (
        (BROKEN, "it does not take over"),
        (UNWELL, "after 60 s its heartbeat has not arrived: this version is unwell"),
    ):
        offer(version)
        done = host.run("/opt/endpoint-agent", "update")
        assert done.returncode == 1
        assert f"{version} does not work: {reason}" in done.stderr
        assert f"{NEWER} is in use again" in done.stderr
        answer = wait(host.status)
        assert answer["version"] == f"v{NEWER}"
        assert host.run("/etc/init.d/SEKOIAEndpointAgent", "status").returncode == 0
        assert list(answer["update"]["failed"])[-1] == version
        done = host.run("/opt/endpoint-agent", "update")
        assert done.stdout.startswith(f"{NEWER} stays: {BROKEN} has failed here")
    # The host may have been at other work, too.
    storm.check(intake, 180)

    events = intake.events()
    assert told(events, "updated") == [NEWER]
    assert told(events, "update-failed") == [BROKEN, UNWELL]
    assert told(events, "update-started") == [NEWER, BROKEN, UNWELL]
    assert len({event["agent"]["id"] for event in events}) == 1
    runs = {event["agent"]["ephemeral_id"] for event in events}
    assert len(runs) == 4, "the broken version never ran, the unwell one did, and NEWER twice"
    for run in runs:
        sequence = {e["event"]["sequence"] for e in events if e["agent"]["ephemeral_id"] == run}
        assert sequence == set(range(1, max(sequence) + 1)), f"{len(sequence)} of {max(sequence)}"


def told(events: list[dict[str, Any]], action: str) -> list[str]:
    """To which version what was told."""
    return [
        event["action"]["properties"]["new_version"]
        for event in events
        if event["event"].get("action") == action
    ]


@needs("unshare", "nsenter", "start-stop-daemon", "update-rc.d")
def test_the_agent_updates_itself(
    installed: Host, offer: Callable[[str], None], intake: Intake
) -> None:
    """Where the service manager has no timer."""
    offer(NEWER)
    # Within seconds, and not within hours.
    schedule = VERSIONS / __version__ / "packages/endpoint_agent/update/schedule.py"
    done = installed.run("sed", "-i", "s/^FIRST = .*/FIRST = (1.0, 3.0)/", schedule)
    assert done.returncode == 0, done.stderr
    assert "FIRST = (1.0, 3.0)" in installed.run("cat", schedule).stdout
    installed.run("/etc/init.d/SEKOIAEndpointAgent", "restart")

    def is_newer() -> bool:
        return (installed.status() or {}).get("version") == f"v{NEWER}"

    wait(is_newer, 180)
    wait(lambda: told(intake.events(action="updated"), "updated") == [NEWER], 180)
    links = installed.run("readlink", VERSIONS / "current", VERSIONS / "good").stdout
    assert links.split() == [NEWER, NEWER]


# The updater, killed before the nth of what it changes: what is on the disk, which agent runs, and
# when the one in use has just been asked to hand over.
KILLED = """
import signal, sys
sys.path.append(sys.argv.pop(1))
left, acts = int(sys.argv.pop(1)), {"os.rename", "os.kill", "shutil.rmtree"}
def count(act, arguments):
    global left
    if act in acts:
        acts.add("socket.connect") if act == "os.kill" else acts.discard("socket.connect")
        left -= 1
        if left < 0:
            signal.raise_signal(signal.SIGKILL)
from endpoint_agent.cli import main
sys.addaudithook(count)
sys.exit(main())
"""


@needs("unshare", "nsenter", "start-stop-daemon", "update-rc.d")
def test_killed_at_any_step_of_an_update(
    installed: Host, offer: Callable[[str], None], intake: Intake
) -> None:
    """And every agent with it. What is on the disk starts, and the update is made the next time."""
    host, before = installed, __version__
    for act in itertools.count():
        version = f"9.1.{act}"
        offer(version)
        home = VERSIONS / "good"
        words = [home / "bin" / Path(sys.executable).resolve().name, "-IBS", "-c", KILLED]
        done = host.run(*words, home / "packages", str(act), "update")
        host.cut_power()
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        for link in ("current", "good"):
            assert host.run("readlink", VERSIONS / link).stdout.strip() in (before, version)
            whole = f"cd {VERSIONS / link} && sha256sum --check --quiet MANIFEST"
            assert host.run("sh", "-c", whole).returncode == 0, (act, link)

        assert host.run("/etc/init.d/SEKOIAEndpointAgent", "start").returncode == 0
        answer = wait(lambda: works(host), 120)
        assert answer["version"] in (f"v{before}", f"v{version}"), act
        # The service's start has begun it by itself, if a trial was under way.
        wait(lambda: host.run("/opt/endpoint-agent", "update").returncode == 0, 180)
        assert wait(host.status)["version"] == f"v{version}", act
        before = version
    assert act > 10
    assert told(intake.events(action="update-failed"), "update-failed") == []


def works(host: Host) -> dict[str, Any] | None:
    """The answer of an agent that delivers."""
    answer = host.status()
    return answer if answer and answer["heartbeat_delivered"] else None
