"""A host at work, each of whose acts an agent tells exactly once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from .daemon import Intake, wait

# Makes a file, has a program look at it, and removes it, one after the other until told to stop.
PROGRAM = """
import itertools, os, pathlib, sys, time
for number in itertools.count():
    path = pathlib.Path(sys.argv[1], f"marker-{number:06}")
    path.touch()
    os.waitpid(os.posix_spawn("/bin/true", ["true", str(path)], os.environ), 0)
    path.unlink()
    print(number, flush=True)
    time.sleep(0.02)
"""

# What is told of each marker.
TOLD = {"file-created": 1, "process-created": 1, "process-ended": 1, "file-deleted": 1}


class Storm:
    """It is at work until it is checked."""

    def __init__(self, folder: Path) -> None:
        """Starts it, in a new folder."""
        self.folder = folder
        folder.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, folder], stdout=subprocess.PIPE, text=True
        )

    def check(self, intake: Intake, seconds: float = 60.0) -> None:
        """Ends it; every marker is told exactly once, the last of them within that time.

        Whichever agent told them, they were made by one and the same process.
        """
        self._process.terminate()
        said, _ = self._process.communicate()
        paths = [self._path(number) for number in range(int(said.split()[-1]) + 1)]
        wait(lambda: self._told(intake).get(paths[-1], {}).keys() >= TOLD.keys(), seconds)
        told = self._told(intake)
        others = {path: dict(told.get(path, {})) for path in paths if told.get(path) != TOLD}
        assert others == {}, f"{len(others)} of {len(paths)}"
        made = intake.events(text=str(self.folder / "marker-"), action="file-created")
        assert len({event["sekoiaio"]["process"]["guid"] for event in made}) == 1

    def kill(self) -> None:
        """Ends it, if it still runs."""
        self._process.kill()
        self._process.wait()

    def _path(self, number: int) -> str:
        return str(self.folder / f"marker-{number:06}")

    def _told(self, intake: Intake) -> dict[str, Counter[str]]:
        """How often what was told of which marker."""
        found: dict[str, Counter[str]] = {}
        for event in intake.events(text=str(self.folder / "marker-")):
            action = event["event"]["action"]
            file, line = event.get("file", {}), event["process"].get("command_line", "")
            path = line.removeprefix("true ") if action.startswith("process-") else file["path"]
            found.setdefault(path, Counter())[action] += 1
        return found
