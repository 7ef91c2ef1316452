"""What is captured while a file system does not answer."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import silent
from .audit import auditing_alone
from .capture import PATIENCE, Event, capturing, require_root

pytestmark = pytest.mark.live

MNT_DETACH = 2

# Seconds, far from the 150 ms that an event may wait and the hour without an answer.
SOON = 5 * PATIENCE

NOT_LOCAL = "not on a local file system"
# What a busy machine may say instead.
LATE = "not known in time"


def missing(event: Event) -> str | None:
    """Why it has no hash."""
    reason: str | None = event["action"]["properties"].get("hash_missing")
    return reason


@contextmanager
def falling_silent(folder: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program behind the file system. When it ends, all who wait for that go on."""
    if not Path("/dev/fuse").exists():
        pytest.skip("needs FUSE: /dev/fuse is missing")
    folder.mkdir()
    command = [sys.executable, "-I", silent.__file__, folder, program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as daemon:
        assert daemon.stdout and daemon.stderr
        try:
            if not daemon.stdout.readline():
                pytest.skip(f"cannot mount here: {daemon.stderr.read().decode()}")
            yield daemon
        finally:
            daemon.kill()
            ctypes.CDLL(None).umount2(os.fsencode(folder), MNT_DETACH)


@pytest.mark.parametrize("source", [pytest.param("ebpf", id=pytest.HIDDEN_PARAM), "audit"])
def test_file_system_that_does_not_answer(source: str, tmp_path: Path) -> None:
    """It is not asked, of what ran and was written there, nor waited for at the end."""
    require_root()
    folder = tmp_path / "mount"
    cat, silence, written = folder / "cat", folder / "silence", folder / "written"
    start = {"ebpf": capturing, "audit": auditing_alone}[source]
    with (
        start(tmp_path / "state", hash_max_size=10_000_000) as capture,
        falling_silent(folder, "/bin/cat") as daemon,
    ):
        subprocess.run(["sh", "-c", f": >> {written}"], check=True)
        waiting = subprocess.Popen([cat, silence], stderr=subprocess.DEVNULL)
        for event in (
            capture.exec_of(str(cat), str(silence)),
            capture.of_path(str(written), "file-modified"),
        ):
            assert missing(event) in (NOT_LOCAL, LATE)

        deadline = time.monotonic() + 60 * PATIENCE
        while True:
            begun = time.monotonic()
            subprocess.run(["true", str(begun)], check=True)
            event = capture.exec_of("true", str(begun))
            assert time.monotonic() - begun < SOON
            # The host's own may be none, as in a virtual machine.
            if "hash" in event["process"] or missing(event) == NOT_LOCAL:
                break
            assert time.monotonic() < deadline, missing(event)

        stopping = threading.Thread(target=capture.stop)
        stopping.start()
        stopping.join(2 * SOON)
        has_stopped = not stopping.is_alive()
        assert waiting.poll() is None
        daemon.kill()
        waiting.wait()
        stopping.join()
        assert has_stopped
