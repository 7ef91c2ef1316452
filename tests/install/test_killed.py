"""`agent -install`, killed in the middle: the next one puts all in its place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from endpoint_agent import __version__
from endpoint_agent.service.places import UNPACKED, VERSIONS

from ..live.daemon import KEY, Intake, wait
from ..live.test_install import CONFIG, Host, host, needs
from .conftest import shipped

__all__ = ["host"]

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root"),
]

# What is there by then, below the root, in this order.
MOMENTS = (
    str(UNPACKED / "payload"),
    str(UNPACKED / __version__),
    str(VERSIONS / f".{__version__}.part/packages"),
    str(VERSIONS / "current"),
    f"/{CONFIG}",
    "/etc/init.d/SEKOIAEndpointAgent",
    "/var/lib/endpoint-agent/agent.sock",
)


@needs("unshare", "nsenter", "start-stop-daemon", "update-rc.d")
def test_an_installation_that_was_killed_is_repaired(
    host: Host, intake: Intake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = tmp_path / "agent"
    shutil.copy2(shipped("agent"), agent)
    words = [agent, "-install", "-intake_url", intake.url, "-intake_key", KEY]
    before = host.files()
    seconds = []
    for moment in MOMENTS:
        killed = subprocess.Popen(
            host.enter(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        place = host.written / moment[1:]
        while not os.path.lexists(place):
            assert killed.poll() is None, (moment, killed.communicate())
            time.sleep(0.001)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL, moment

        begun = time.monotonic()
        done = host.run(*words)
        seconds.append(time.monotonic() - begun)
        assert done.returncode == 0, (moment, done.stderr)
        answer = wait(host.status)
        assert answer["heartbeat_delivered"]
        assert not os.path.lexists(host.written / str(UNPACKED)[1:])
        whole = f"cd {VERSIONS}/current && sha256sum --check --quiet MANIFEST"
        assert host.run("sh", "-c", whole).returncode == 0, moment
        done = host.run("/opt/endpoint-agent", "uninstall", "--purge")
        assert (done.returncode, done.stderr) == (0, ""), moment
        assert host.files() == before, moment
    with capsys.disabled():
        print("\ninstalled by agent in", ", ".join(f"{one:.1f}" for one in seconds), "s")
