"""A machine with systemd as its first process, emulated."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ..live.daemon import KEY, Intake

# Seconds, for all of it on a busy machine; an idle one takes some five minutes.
LIMIT = 2400

# On a busy machine its disks are there after minutes, and its services begin as late.
PATIENT = "systemd.default_timeout_start_sec=900"


def disk(folder: Path, trial: str, intake: Intake) -> Path:
    """A disk with what is to be done, the key, and the port of the intake, beside what is there."""
    shutil.copy(Path(__file__).with_name(trial), folder / "run")
    (folder / "port").write_text(intake.url.rpartition(":")[2])
    (folder / "key").write_text(KEY)
    (folder / "key").chmod(0o600)
    path = folder.with_suffix(".disk")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", folder, path, "512M"], check=True)
    return path


def boot(image: Path, trial: Path, intake: Intake, markers: tuple[str, ...]) -> str:
    """Boots the machine and waits until it is off; what it said.

    It has passed its trial, and the files that it touched have arrived at the intake.
    """
    said = trial.with_suffix(".said")
    drive = "if=virtio,format=raw,snapshot=on"
    words = [
        *("qemu-system-x86_64", "-nodefaults", "-display", "none"),
        *("-cpu", "max", "-smp", "2", "-m", "1G"),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")),
        *("-append", f"root=/dev/vda rw console=ttyS0 panic=-1 quiet {PATIENT}"),
        *("-drive", f"file={image}/disk,{drive}", "-drive", f"file={trial},{drive}"),
        *("-netdev", "user,id=net", "-device", "virtio-net,netdev=net"),
        *("-serial", f"file:{trial.with_suffix('.console')}", "-serial", f"file:{said}"),
    ]
    subprocess.run(words, timeout=LIMIT, check=True)
    text = said.read_text(errors="replace")
    assert "the trial has passed" in text, text
    for marker in markers:
        found = intake.events(text=f"/var/marker-{marker}")
        assert any(event["event"]["action"] == "file-created" for event in found), marker
    return text
