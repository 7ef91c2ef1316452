"""What the trials in a machine share."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..live.daemon import Intake

ROOT = Path(__file__).parents[2]
MAKE = 1200
"""Seconds."""


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    intake = Intake(tmp_path / "intake")
    yield intake
    intake.stop()


@pytest.fixture(scope="module")
def image() -> Path:
    """The folder of a disk to boot."""
    return make_image()


def make_image(*packages: str) -> Path:
    """The folder of a disk to boot that has some packages of Debian's besides the usual ones."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86_64 is missing")
    made = subprocess.run(
        [ROOT / "tools/debian-image", *packages],
        capture_output=True,
        text=True,
        timeout=MAKE,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no image: {made.stderr.strip()[-300:]}")
    return Path(made.stdout.strip())


def shipped(pattern: str) -> Path:
    """A file that `make release` has left; without it the test is skipped."""
    found = sorted((ROOT / "dist").glob(pattern))
    if not found:
        pytest.skip(f"there is no dist/{pattern}: run make release")
    return found[-1]
