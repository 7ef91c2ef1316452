"""The load generators of load/storm.c."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parent / "load" / "storm.c"


class Ran(NamedTuple):
    """A storm that has passed."""

    pid: int
    seconds: float
    """What its loop took."""
    cpu_seconds: float
    """CPU of it and of all that it started."""


class Storm:
    """The program."""

    def __init__(self, folder: Path) -> None:
        """Compiles it into a folder."""
        self._program = folder / "storm"
        subprocess.run(["gcc", "-O2", "-o", self._program, SOURCE], check=True)

    def exec(self, count: int) -> Ran:
        """Spawns /bin/true, time after time."""
        return self._run("exec", count)

    def pace(self, count: int, rate: int) -> Ran:
        """Spawns /bin/true `rate` times a second."""
        return self._run("pace", count, rate)

    def fork(self, count: int) -> Ran:
        """Makes processes that end at once."""
        return self._run("fork", count)

    def open(self, count: int, names: int, processes: int, folder: Path | str) -> Ran:
        """Opens files for writing and closes them, `count` times in all."""
        return self._run("open", count, names, processes, folder)

    def connect(self, count: int) -> Ran:
        """Connects to itself on the loopback, accepts and closes, time after time."""
        return self._run("connect", count)

    def getppid(self, count: int) -> Ran:
        """Makes a system call that no hook is for."""
        return self._run("getppid", count)

    def _run(self, *arguments: object) -> Ran:
        command = [str(self._program), *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout as output:
            printed = output.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return Ran(process.pid, float(printed), usage.ru_utime + usage.ru_stime)
