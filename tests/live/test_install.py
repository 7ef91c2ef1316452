"""The agent installed into this host, which is a copy: nothing of it is written to."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from endpoint_agent import __version__
from endpoint_agent.config import Settings
from endpoint_agent.service.systemd import unit

from .capture import PATIENCE
from .daemon import COMMAND, END, KEY, Intake, wait

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root"),
    pytest.mark.skipif(PATIENCE > 1, reason="it copies a program, which takes minutes here"),
]


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


# The whole host as it is, below a layer that takes what is written. No manager but SysV init runs.
COPY = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/written" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/written,workdir=$1/work" none "$1/root"
for folder in proc sys dev tmp; do mount --rbind "/$folder" "$1/root/$folder"; done
mount -t tmpfs none "$1/root/run"
rm -rf "$1/root/etc/endpoint-agent" "$1/root/usr/lib/endpoint-agent" "$1/root/opt/endpoint-agent"
echo made
exec cat
"""

LOG = "var/log/endpoint-agent/agent.log"
CONFIG = "etc/endpoint-agent/config.yaml"


class Host:
    """A copy of this host, in a mount namespace of its own."""

    def __init__(self, folder: Path) -> None:
        self.written = folder / "written"
        self._keeper = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", COPY, "sh", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != "made\n":
            _, said = self._keeper.communicate()
            pytest.skip(f"this host cannot be copied by an overlay: {said}")
        # Of the namespace, through the process that keeps it.
        self.written = Path(f"/proc/{self._keeper.pid}/root{folder}/written")
        self._enter = [
            *("nsenter", "--mount", "--target", str(self._keeper.pid)),
            *("chroot", str(folder / "root")),
        ]

    def enter(self, *words: str | Path) -> list[str | Path]:
        """The words that run a command in it."""
        return [*self._enter, *words]

    def run(self, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command in it."""
        return subprocess.run(
            self.enter(*words), input=stdin, capture_output=True, text=True, check=False
        )

    def files(self) -> dict[str, int]:
        """The mode of all that was written since, but folders that were there before."""
        found: dict[str, int] = {}
        for folder, folders, names in os.walk(self.written):
            for path in (Path(folder, name) for name in (*folders, *names)):
                name = str(path.relative_to(self.written))
                # The agent's queue may have removed it meanwhile.
                with suppress(FileNotFoundError):
                    mode = path.lstat().st_mode
                    if not (stat.S_ISDIR(mode) and Path("/", name).is_dir()):
                        found[name] = mode
        return found

    def status(self) -> dict[str, Any] | None:
        """What the agent in it answers."""
        done = self.run("/opt/endpoint-agent", "status", "--json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else None

    def cut_power(self) -> None:
        """Ends at once all that runs in it."""
        mounts = Path(f"/proc/{self._keeper.pid}/ns/mnt").readlink()
        ended = []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.NoSuchProcess):
                is_within = Path(f"/proc/{process.pid}/ns/mnt").readlink() == mounts
                if is_within and process.pid != self._keeper.pid:
                    process.kill()
                    ended.append(process)
        _, left = psutil.wait_procs(ended, END)
        assert not left

    def end(self) -> None:
        """Ends what may still run in it, and all of it."""
        self.run("/etc/init.d/SEKOIAEndpointAgent", "stop")
        self._keeper.communicate()


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("host"))
    yield host
    host.end()


@needs("unshare", "nsenter", "start-stop-daemon", "update-rc.d")
def test_installed_used_and_removed_without_a_trace(host: Host, intake: Intake) -> None:
    before = host.files()
    words = ["-install", "-intake_url", intake.url, "--intake-key-file", "-"]
    done = host.run(*COMMAND, *words, stdin=KEY)
    assert done.returncode == 0, done.stderr
    assert "run by SysV init" in done.stdout
    assert intake.url in done.stdout

    answer = wait(host.status)
    assert answer["heartbeat_delivered"]
    assert any(event["event"]["action"] == "stats" for event in intake.events(text="stats"))
    program = Path(f"/proc/{answer['pid']}/exe").readlink()
    assert f"/usr/lib/endpoint-agent/{__version__}/bin/" in str(program)
    arguments = Path(f"/proc/{answer['pid']}/cmdline").read_text()
    assert KEY not in arguments + Path(f"/proc/{answer['pid']}/environ").read_text()

    new = {path: mode for path, mode in host.files().items() if path not in before}
    assert {CONFIG, LOG, "opt/endpoint-agent", "etc/init.d/SEKOIAEndpointAgent"} <= set(new)
    secret = [path for path in new if path.startswith((CONFIG, "var/lib/", "var/log/"))]
    assert all(stat.S_IMODE(new[path]) in (0o600, 0o700, 0o750) for path in secret), new
    assert all(not mode & 0o022 for mode in new.values() if not stat.S_ISLNK(mode))
    assert stat.S_IMODE(new["var/lib/endpoint-agent/agent.sock"]) == 0o600

    done = host.run("/opt/endpoint-agent", "-uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert host.status() is None
    left = {path for path in host.files() if path not in before}
    watches = str(Path(CONFIG).with_name("watches.yaml"))
    assert left == {CONFIG, watches, LOG, str(Path(CONFIG).parent), str(Path(LOG).parent)}
    done = host.run(*COMMAND, "uninstall", "--purge")
    assert (done.returncode, done.stderr) == (0, "")
    assert host.files() == before


# The agent's own system calls, where tracefs is mounted as systemd does it.
CONFINED = """
mount -t tracefs none /sys/kernel/tracing
file=$1 dropped=$2 python=$3
exec capsh --drop="$dropped" -- -c "exec strace -f -qq -o $file $python -m endpoint_agent check"
"""


@needs("unshare", "capsh", "strace", "systemd-analyze")
def test_what_the_unit_leaves_the_agent_is_enough(tmp_path: Path) -> None:
    lines = dict(line.split("=", 1) for line in unit(Settings()).splitlines() if "=" in line)
    kept = lines["CapabilityBoundingSet"].lower().split()
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    dropped = ",".join(name for name in map(capability, range(last + 1)) if name not in kept)
    calls = tmp_path / "calls"
    words = ["unshare", "--mount", "sh", "-c", CONFINED, "sh", calls, dropped, sys.executable]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    made = set(re.findall(r"^\d+ +(\w+)\(", calls.read_text(errors="replace"), re.MULTILINE))
    assert "bpf" in made
    assert made - allowed(lines["SystemCallFilter"].split()) == set()


def capability(number: int) -> str:
    """The name of a capability."""
    words = ["capsh", f"--decode={1 << number:x}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.strip().partition("=")[2]


def allowed(words: list[str]) -> set[str]:
    """The system calls that systemd takes these words for."""
    calls = {word for word in words if word[0] != "@"}
    sets = [word for word in words if word[0] == "@"]
    while sets:
        command = ["systemd-analyze", "syscall-filter", sets.pop()]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        names = [line.strip() for line in done.stdout.splitlines()[1:]]
        sets += [name for name in names if name.startswith("@")]
        calls |= {name for name in names if name and name[0] not in "@#"}
    return calls
