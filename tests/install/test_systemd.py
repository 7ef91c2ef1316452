"""A machine with systemd as its first process, emulated: installed, rebooted, killed, removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoint_agent.service import program

from ..live.daemon import KEY, Intake

ROOT = Path(__file__).parents[2]

# Seconds, for all of it on a busy machine; an idle one takes some five minutes.
LIMIT = 2400
MAKE = 1200

MARKERS = ("installed", "rebooted", "killed", "stopped", "refused")


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    intake = Intake(tmp_path / "intake")
    yield intake
    intake.stop()


@pytest.fixture(scope="module")
def image() -> Path:
    """The folder of a disk to boot."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86_64 is missing")
    made = subprocess.run(
        [ROOT / "tools/debian-image"], capture_output=True, text=True, timeout=MAKE, check=False
    )
    if made.returncode:
        pytest.skip(f"no image: {made.stderr.strip()[-300:]}")
    return Path(made.stdout.strip())


@pytest.fixture
def trial(tmp_path: Path, intake: Intake) -> Path:
    """A disk with the program, and what is to be done with it."""
    folder = tmp_path / "trial"
    program.copy(folder / "program", Path("/trial/program"))
    shutil.copy(Path(__file__).with_name("trial"), folder / "run")
    (folder / "port").write_text(intake.url.rpartition(":")[2])
    (folder / "key").write_text(KEY)
    (folder / "key").chmod(0o600)
    disk = tmp_path / "trial.disk"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", folder, disk, "512M"], check=True)
    return disk


def boot(image: Path, trial: Path, console: Path, said: Path) -> None:
    """Boots the machine, and waits until it is off."""
    disk = "if=virtio,format=raw,snapshot=on"
    words = [
        *("qemu-system-x86_64", "-nodefaults", "-display", "none"),
        *("-cpu", "max", "-smp", "2", "-m", "1G"),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")),
        *("-append", "root=/dev/vda rw console=ttyS0 panic=-1 quiet"),
        *("-drive", f"file={image}/disk,{disk}", "-drive", f"file={trial},{disk}"),
        *("-netdev", "user,id=net", "-device", "virtio-net,netdev=net"),
        *("-serial", f"file:{console}", "-serial", f"file:{said}"),
    ]
    subprocess.run(words, timeout=LIMIT, check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="the files of a disk have to be root's")
def test_the_agent_lives_on_a_machine_with_systemd(
    image: Path, trial: Path, tmp_path: Path, intake: Intake, capsys: pytest.CaptureFixture[str]
) -> None:
    said = tmp_path / "said"
    boot(image, trial, tmp_path / "console", said)
    text = said.read_text(errors="replace")
    assert "the trial has passed" in text, text
    with capsys.disabled():
        print("\n".join(line for line in text.splitlines() if line.startswith("installed")))
    for marker in MARKERS:
        found = intake.events(text=f"/var/marker-{marker}")
        assert any(event["event"]["action"] == "file-created" for event in found), marker
