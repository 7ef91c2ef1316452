"""The agent in another root than the host's, as in a container with the host's PID namespace."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.heartbeat import operating_system

from .capture import require_root
from .daemon import NOWHERE, Agent, wait

pytestmark = pytest.mark.live

# All folders of the host but /etc, which is the container's own.
ENTER = """
set -e
root=$1
shift
mount -t tmpfs tmpfs "$root"
cp -a /etc "$root/etc"
for path in /*; do
    if [ -L "$path" ]; then
        cp -P "$path" "$root$path"
    elif [ -d "$path" ] && [ "$path" != /etc ]; then
        mkdir "$root$path"
        mount --rbind "$path" "$root$path"
    fi
done
rm "$root/etc/os-release"
echo 'PRETTY_NAME="A container"' > "$root/etc/os-release"
echo 'nobody-here:x:0:0::/:/bin/sh' > "$root/etc/passwd"
exec chroot "$root" "$@"
"""

# Not each host lets root see the root of its first process: that of the tests stands for it.
RUN = """
import sys
from pathlib import Path
from endpoint_agent import cli, support
support.FIRST_ROOT = Path("/proc", sys.argv.pop(1), "root")
sys.exit(cli.main())
"""


class Contained(Agent):
    """An agent with a root of its own."""

    def start(self, *options: str) -> None:
        """Starts it, and waits until it captures and answers."""
        root = self.state.with_name("root")
        root.mkdir()
        enter = ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(root)]
        command = [sys.executable, "-c", RUN, str(os.getpid()), "run", "--config", str(self.config)]
        self._process = subprocess.Popen([*enter, *command, *options])
        wait(self.status)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    require_root()
    agent = Contained(tmp_path)
    yield agent
    agent.kill()


@pytest.mark.parametrize("source", [pytest.param("auto", id=pytest.HIDDEN_PARAM), "audit"])
def test_the_host_is_told_and_not_the_container(
    agent: Agent, source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if source == "audit":
        request.getfixturevalue("audit")
    agent.configure(NOWHERE, EventBufferSyncInterval=0, CaptureSource=source)
    agent.start()
    program = tmp_path / "program-of-the-host"
    shutil.copy("/bin/true", program)
    # One that has just been written would have to run when it is looked for.
    time.sleep(0.05)

    subprocess.run([program], check=True)

    def executed() -> dict[str, Any] | None:
        for event in agent.queued(program.name):
            if event.get("process", {}).get("executable") == str(program):
                return event
        return None

    process = wait(executed)
    assert process["user"]["name"] == "root"
    # A host that is busy may have no time to hash it.
    digests = process["process"].get("hash", {"sha256": digest(program)})
    assert digests["sha256"] == digest(program)
    stats = next(one for one in agent.queued('"stats"') if one["event"].get("action") == "stats")
    assert stats["host"]["os"]["full"] == operating_system() != "A container"
    assert agent.stop() == 0


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
