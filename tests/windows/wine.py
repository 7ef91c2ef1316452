"""A host of Wine's, made anew, on which an agent is installed as on Windows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "target/windows"
SHIPPED = ROOT / "dist/windows"
AGENT = SHIPPED / "agent.exe"
SERVICE = "SEKOIAEndpointAgent"

VERSIONS = "Program Files/EndpointAgent"
STATE = "windows/system32/config/systemprofile/AppData/Local/SEKOIA.IO/EndpointAgent"

# Seconds: Wine makes a host, and an agent is given up.
PATIENCE = 300.0

# Of Python, beside the shipped one: it asks the service manager what the agent does not tell.
ASK = """\
import json, sys
from endpoint_agent import _native
words = [float(word) if word.isdecimal() else word for word in sys.argv[2:]]
print(json.dumps(getattr(_native, sys.argv[1])(*words)))
"""

# What Wine itself writes while it runs.
OWN = ("users/", "windows/temp/", "windows/Installer/", "windows/logs/")


def on_wine(path: Path) -> str:
    """A path of this host as Windows' programs have it there."""
    return "Z:" + str(path).replace("/", "\\")


class Host:
    """One prefix of Wine. A program that waits keeps its service manager running."""

    def __init__(self, folder: Path) -> None:
        """Makes it: Windows 10, with what Wine lacks and a mock of the event log's library."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("WINE")
        } | {
            "WINEPREFIX": str(folder),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
        }
        self.drive = folder / "drive_c"
        self.run("wineboot", "--init")
        system = self.drive / "windows/system32"
        for name, *libraries in (("bcryptprimitives", "-ladvapi32"), ("wevtapi",)):
            library = system / f"{name}.dll"
            library.unlink(missing_ok=True)
            source = f"tests/windows/{name}.c"
            command = ["x86_64-w64-mingw32-gcc", "-shared", "-o", library, source, *libraries]
            subprocess.run(command, cwd=ROOT, check=True)
        self.registry(r"HKCU\Software\Wine", "Version", "win10")
        self.registry(r"HKCU\Software\Wine\DllOverrides", "wevtapi", "native,builtin")
        self._holder = subprocess.Popen(
            ["wine", "cmd", "/c", "set /p x="],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """Ends all that runs there."""
        self._holder.kill()
        subprocess.run(["wineserver", "-k"], env=self._environment, check=False)
        self._holder.wait()

    def run(
        self, *words: str | Path, given: str = "\n", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program there to its end. Wine takes pipes for its files, and nothing else."""
        return subprocess.run(
            ["wine", *map(str, words)],
            env=self._environment | variables,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )

    def call(self, *words: str | Path) -> int:
        """The exit status of a program whose output may be kept open by what it starts."""
        return subprocess.run(
            ["wine", *map(str, words)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        ).returncode

    def registry(self, key: str, name: str, value: str) -> None:
        """Writes a value into the registry."""
        self.run("reg", "add", key, "/v", name, "/d", value, "/f")

    def ask(self, function: str, *words: str) -> Any:
        """What a function of the native module says there."""
        python = TARGET / "python/cp311/python.exe"
        ran = self.run(python, "-c", ASK, function, *words)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def status(self) -> Sequence[Any] | None:
        """How the service fares: its state, its process, its error."""
        found: Sequence[Any] | None = self.ask("service_status", SERVICE)
        return found

    def files(self) -> set[str]:
        """All files on its drive, but those that Wine writes by itself."""
        found = (path.relative_to(self.drive).as_posix() for path in self.drive.rglob("*"))
        return {
            name for name in found if not name.startswith(OWN) and not (self.drive / name).is_dir()
        }


def processes(words: str) -> set[str]:
    """The command lines of this host's processes that have a text in them, Wine's included."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if words in line:
            found.add(line)
    return found
