"""Other sensors of this host's programs, started and stopped like the agent."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil
from tests.live.daemon import wait

from host import Host
from meter import cpu_seconds

# Seconds without a change of CPU time after which a sensor has done its work.
QUIET = 2.0
# Seconds of CPU that a sensor may take in that time which has nothing left to do: bpftrace polls.
IDLE = 0.01
END = 15.0

AUDITD = """
log_file = {folder}/audit.log
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 1000
num_logs = 2
max_log_file_action = ROTATE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
plugin_dir = {folder}/plugins
q_depth = 20000
"""
LAUREL_PLUGIN = """
active = yes
direction = out
type = always
format = string
path = /usr/sbin/laurel
args = --config {folder}/laurel.toml
"""
LAUREL = """
directory = "{folder}"
[auditlog]
file = "laurel.log"
size = 1000000000
generations = 2
"""


class Sensor(Protocol):
    """Something that watches the host."""

    name: str

    def start(self) -> None:
        """Starts it and waits until it watches."""

    def stop(self) -> float:
        """Lets it finish its work and ends it; CPU seconds since it was started."""


class Agent:
    """This agent, with an intake."""

    def __init__(self, name: str, host: Host, **settings: object) -> None:
        """With the default settings or these."""
        self.name = name
        self._host = host
        self._settings = settings
        self._kernel = 0.0

    def start(self) -> None:
        """See `Sensor`."""
        self._host.start(**self._settings)
        self._kernel = kauditd()

    def stop(self) -> float:
        """See `Sensor`."""
        watch = self._host.stop()
        return watch.cpu_seconds + kauditd() - self._kernel


class Program:
    """A sensor that is a program of its own, perhaps with children."""

    def __init__(self, name: str, command: list[str], output: Path) -> None:
        """`output` takes what it prints."""
        self.name = name
        self._command = command
        self._output = output
        self._begun = 0.0

    def start(self) -> None:
        """See `Sensor`."""
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=subprocess.DEVNULL
            )
        self._ready()
        self._begun = self._used()

    def stop(self) -> float:
        """See `Sensor`."""
        self._settle()
        used = self._used() - self._begun
        self._process.terminate()
        self._process.wait(END)
        return used

    def _ready(self) -> None:
        """Waits until it tells of a program that is started for that."""

        def is_told() -> bool:
            subprocess.run(["true"], check=True)
            time.sleep(0.2)
            return self._output.stat().st_size > 100

        wait(is_told)

    def _used(self) -> float:
        family = [psutil.Process(self._process.pid)]
        with suppress(psutil.NoSuchProcess):
            family += family[0].children(recursive=True)
        return sum(cpu_seconds(one.pid) for one in family) + kauditd()

    def _settle(self) -> None:
        before = -1.0
        while (now := self._used()) - before > IDLE:
            before = now
            time.sleep(QUIET)


class Auditd(Program):
    """Debian's audit daemon, writing raw records, alone or with laurel behind it."""

    def __init__(self, folder: Path, rules: Sequence[str], *, laurel: bool) -> None:
        """`folder` takes its configuration and its log."""
        self._rules = rules
        folder.mkdir()
        (folder / "plugins").mkdir()
        _private(folder / "auditd.conf", AUDITD.format(folder=folder))
        if laurel:
            _private(folder / "plugins" / "laurel.conf", LAUREL_PLUGIN.format(folder=folder))
            _private(folder / "laurel.toml", LAUREL.format(folder=folder))
        self._log = folder / ("laurel.log" if laurel else "audit.log")
        command = ["auditd", "-n", "-s", "enable", "-c", str(folder)]
        super().__init__(f"auditd{' with laurel' * laurel}", command, folder / "output")

    def start(self) -> None:
        """See `Sensor`."""
        self._before = dict(re.findall(r"^(\w+) (\d+)$", _audit("-s"), re.MULTILINE))
        super().start()

    def stop(self) -> float:
        """See `Sensor`. Its rules go with it, and the audit system is as before."""
        used = super().stop()
        _audit("-D", "-k", "storm")
        _audit("-b", self._before["backlog_limit"])
        _audit("-e", self._before["enabled"])
        return used

    def _ready(self) -> None:
        pid = str(self._process.pid)
        wait(lambda: re.search(rf"^pid {pid}$", _audit("-s"), re.MULTILINE))
        _audit("-b", "65536")
        for rule in self._rules:
            _audit(*rule.split(), "-k", "storm")
        self._output = self._log
        super()._ready()


def kauditd() -> float:
    """CPU seconds of the kernel's thread that hands audit records out."""
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "kauditd":
            times = process.cpu_times()
            return times.user + times.system
    return 0.0


def _audit(*arguments: str) -> str:
    ran = subprocess.run(["auditctl", *arguments], capture_output=True, text=True)
    return ran.stdout


def _private(path: Path, text: str) -> None:
    path.write_text(text.lstrip())
    path.chmod(0o640)
