"""An installed agent that is updated while the host is at work, and back from a broken version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from endpoint_agent import __version__
from endpoint_agent.service import manifest, program
from endpoint_agent.service.places import VERSIONS

from ..live.capture import PATIENCE
from ..live.daemon import COMMAND, KEY, Intake, wait
from ..live.test_install import Host, host, intake, needs

pytest.importorskip("tuf")

from ..unit.update.published import Publisher, Server

__all__ = ["host", "intake"]

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root"),
    pytest.mark.skipif(PATIENCE > 1, reason="it copies a program, which takes minutes here"),
]

NEWER, BROKEN = "9.0.1", "9.0.2"

# Makes files, one after the other, until it is told to stop.
STORM = """
import itertools, pathlib, sys, time
for number in itertools.count():
    path = pathlib.Path(sys.argv[1], f"marker-{number:06}")
    path.touch()
    print(number, flush=True)
    path.unlink()
    time.sleep(0.05)
"""


def bundle(folder: Path, copy: Path, version: str, broken: bool = False) -> Path:
    """A version like the running one, but for its number."""
    place = folder / version
    shutil.copytree(copy, place, symlinks=True)
    command = place / "bin/endpoint-agent"
    text = command.read_text()
    home = text.removeprefix("#!").partition("/bin/")[0]
    command.write_text(text.replace(home, str(VERSIONS / version)))
    package = place / "packages/endpoint_agent"
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n')
    if broken:
        (package / "agent.py").write_text("raise RuntimeError('this version is broken')\n")
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
def markers(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "markers"
    folder.mkdir()
    yield folder


@needs("unshare", "nsenter", "start-stop-daemon", "update-rc.d")
def test_updated_under_a_storm_and_back_from_a_broken_version(
    host: Host, intake: Intake, publisher: Publisher, markers: Path, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        server = Server(publisher.folder)
        stack.callback(server.stop)
        config = tmp_path / "mine.yaml"
        config.write_text(f"UpdateURL: {server.url}\nUpdateRoot: {publisher.root}\n")
        config.chmod(0o600)
        words = ["--config", config, "--intake-url", intake.url, "--intake-key-file", "-"]
        done = host.run(*COMMAND, "install", *words, stdin=KEY)
        assert done.returncode == 0, done.stderr
        storm = subprocess.Popen(
            [sys.executable, "-c", STORM, markers], stdout=subprocess.PIPE, text=True
        )
        stack.callback(storm.wait)
        stack.callback(storm.kill)

        publisher.repository.add([bundle(tmp_path, tmp_path / "copy", NEWER)], 100)
        done = host.run("/opt/endpoint-agent", "update", "--check")
        assert done.stdout == f"{__version__} is in use; {NEWER} is offered\n", done.stderr
        done = host.run("/opt/endpoint-agent", "-update")
        assert done.stdout.startswith(f"{NEWER} has replaced {__version__}"), done.stderr
        assert wait(host.status)["version"] == f"v{NEWER}"

        publisher.repository.add([bundle(tmp_path, tmp_path / "copy", BROKEN, True)], 100)
        done = host.run("/opt/endpoint-agent", "update")
        assert done.returncode == 1
        assert f"{BROKEN} does not work: it does not take over" in done.stderr
        assert "it has ended with status 1" in done.stderr
        assert f"{NEWER} is in use again" in done.stderr
        answer = wait(host.status)
        assert answer["version"] == f"v{NEWER}"
        assert host.run("/etc/init.d/SEKOIAEndpointAgent", "status").returncode == 0
        assert list(answer["update"]["failed"]) == [BROKEN]
        done = host.run("/opt/endpoint-agent", "update")
        assert done.stdout.startswith(f"{NEWER} stays: {BROKEN} has failed here")

        storm.terminate()
        assert storm.stdout is not None
        last = int(storm.stdout.read().split()[-1])

    # The host may have been at other work, too.
    wait(lambda: intake.events(text=f"marker-{last:06}"), 180)
    found = intake.events(text=str(markers))
    paths = [event["file"]["path"] for event in found if event["event"].get("code") == 11]
    numbers = [int(match[1]) for path in paths if (match := re.search(r"marker-(\d+)$", path))]
    assert sorted(number for number in numbers if number < last) == list(range(last))

    events = intake.events()
    actions = {event["event"].get("action") for event in events}
    assert {"update-started", "updated", "update-failed"} <= actions
    assert len({event["agent"]["id"] for event in events}) == 1
    runs = {event["agent"]["ephemeral_id"] for event in events}
    assert len(runs) == 2, "the broken version never ran"
    for run in runs:
        found = {e["event"]["sequence"] for e in events if e["agent"]["ephemeral_id"] == run}
        assert found == set(range(1, max(found) + 1)), f"{len(found)} of {max(found)}"
    guids = {
        event["sekoiaio"]["process"]["guid"]
        for event in intake.events(text=str(markers))
        if event["event"].get("code") == 11
    }
    assert len(guids) == 1
