"""The small programs that carry out the attacks."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.acts import of
from tests.live.capture import PATIENCE, Capture, Event

TRICKS = Path(__file__).parent / "tricks"

# A trick's status where the kernel does not let it be played.
REFUSED = 77


@dataclass
class Played:
    """What became of a trick."""

    pid: int
    status: int
    lines: list[str]


class Tricks:
    """The programs, each compiled when it is first played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def program(self, name: str) -> Path:
        """The compiled program."""
        program = self.folder / name
        if not program.exists():
            flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]
            subprocess.run(["gcc", *flags, TRICKS / f"{name}.c", "-o", program], check=True)
        return program

    def play(self, name: str, *arguments: str | Path, status: int | None = 0) -> Played:
        """Runs a trick, which must end with `status` if that is given.

        Skips the test if the kernel refuses the trick.
        """
        child = subprocess.Popen(
            [self.program(name), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        output, errors = child.communicate(timeout=60 * PATIENCE)
        if child.returncode == REFUSED:
            pytest.skip(errors.strip())
        assert status in (None, child.returncode), errors
        return Played(child.pid, child.returncode, output.splitlines())


def by_descriptor(capture: Capture, pid: int, action: str, path: str | Path, given: str) -> Event:
    """The first event of an action on what a descriptor leads to, or what is `given` below that.

    Where it leads to, the audit source tells only as long as it is open.
    """
    paths = {str(path), f"…/{given}"} if capture.audits else {str(path)}
    return capture.wait_for(lambda event: of(pid, action)(event) and event["file"]["path"] in paths)


@pytest.fixture(scope="package")
def tricks(tmp_path_factory: pytest.TempPathFactory) -> Tricks:
    """The programs in `tricks/`, compiled already in the folder $TRICKS if that is set."""
    if compiled := os.environ.get("TRICKS"):
        return Tricks(Path(compiled))
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: the tricks are compiled")
    return Tricks(tmp_path_factory.mktemp("tricks"))


@pytest.fixture
def marker(tmp_path: Path) -> str:
    """An argument that nobody else gives."""
    return f"marker-of-{tmp_path}"
