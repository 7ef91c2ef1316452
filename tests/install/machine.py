"""A machine with systemd as its first process, emulated."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..live.daemon import KEY, Intake

# Seconds, for all of it on a busy machine; an idle one takes some five minutes.
LIMIT = 2400

# Between two looks at what a machine says.
LOOK = 0.2

# On a busy machine its disks are there after minutes, and its services begin as late.
PATIENT = "systemd.default_timeout_start_sec=900"

PASSED = "the trial has passed"


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
    with Machine(image, trial).on() as machine:
        machine.wait_off()
    assert PASSED in machine.said(), machine.said()
    await_markers(intake, markers)
    return machine.said()


def await_markers(intake: Intake, markers: tuple[str, ...]) -> None:
    """Makes sure that the files of these names, which a machine touched, are at the intake."""
    for marker in markers:
        found = intake.events(text=f"/var/marker-{marker}")
        assert any(event["event"]["action"] == "file-created" for event in found), marker


class Machine:
    """A machine, whose disk is the image's, or a copy that outlives it."""

    def __init__(self, image: Path, trial: Path, kept: Path | None = None, ports: str = "") -> None:
        """Boots nothing yet.

        Args:
            image: the folder with the disk, the kernel and its initrd.
            trial: the disk with what is to be done.
            kept: where the disk's copy is to be. Without, what is written is lost.
            ports: of the host that lead into the machine, as QEMU's `user` network has them.
        """
        self._said = trial.with_suffix(".said")
        self._said.touch()
        drive = "if=virtio,format=raw"
        if kept is None:
            drives = (f"file={image}/disk,{drive},snapshot=on",)
        else:
            shutil.copy(image / "disk", kept)
            drives = (f"file={kept},{drive}",)
        self._words = [
            *("qemu-system-x86_64", "-nodefaults", "-display", "none"),
            *("-cpu", "max", "-smp", "2", "-m", "1G"),
            *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")),
            *("-append", f"root=/dev/vda rw console=ttyS0 panic=-1 quiet {PATIENT}"),
            *("-drive", *drives, "-drive", f"file={trial},{drive},snapshot=on"),
            *("-netdev", f"user,id=net{ports}", "-device", "virtio-net,netdev=net"),
            *("-serial", f"file:{trial.with_suffix('.console')}"),
            *("-chardev", f"file,id=said,path={self._said},append=on", "-serial", "chardev:said"),
        ]

    def said(self) -> str:
        """All that it has said, over all boots."""
        return self._said.read_text(errors="replace")

    @contextmanager
    def on(self) -> Iterator[Machine]:
        """Boots it. When this is left, its power is cut."""
        self._process = subprocess.Popen(self._words)
        self._until = time.monotonic() + LIMIT
        try:
            yield self
        finally:
            self._process.kill()
            self._process.wait()

    def wait_off(self) -> None:
        """Waits until it has switched itself off."""
        status = self._process.wait(self._until - time.monotonic())
        assert status == 0, self.said()

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until something is so, while it runs."""
        while not condition():
            assert self._process.poll() is None, f"it has ended before {what}: {self.said()}"
            assert time.monotonic() < self._until, f"not in time: {what}: {self.said()}"
            time.sleep(LOOK)

    def wait_word(self, word: str) -> None:
        """Waits until it has said a line."""
        self.wait_for(lambda: word in self.said().splitlines(), word)
