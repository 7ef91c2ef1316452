"""Digests of executed and written files on this kernel."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .audit import auditing_alone
from .capture import PATIENCE, Capture, Event, capturing, require_root

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", params=[pytest.param("ebpf", id=pytest.HIDDEN_PARAM), "audit"])
def hashing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Capture]:
    """A capture that hashes files of up to 1 MB, but none below folders named `excluded`.

    By the audit source, of its daemon nothing is told: what has to be seen is done by children.
    """
    require_root()
    folder = tmp_path_factory.mktemp("hashing")
    excluded = tmp_path_factory.getbasetemp() / "excluded"
    start = {"ebpf": capturing, "audit": auditing_alone}[request.param]
    with start(folder, hash_max_size=1_000_000, hash_excluded=[str(excluded)]) as running:
        yield running


def copy(source: str, to: Path) -> None:
    """Copies a file by a process of its own."""
    subprocess.run(["cp", source, to], check=True)


def of(content: bytes) -> dict[str, str]:
    """What an event says of a content."""
    return {name: hashlib.new(name, content).hexdigest() for name in ("md5", "sha1", "sha256")}


def until_known(act: Callable[[int], Event], field: str) -> Event:
    """The first event with a hash. A busy machine may be late with some."""
    deadline = time.monotonic() + 60 * PATIENCE
    attempt = 0
    while True:
        event = act(attempt)
        if "hash" in event[field]:
            return event
        reason = event.get("action", {}).get("properties", {}).get("hash_missing", "not asked")
        if reason == "not on a local file system":
            pytest.skip(f"needs a local file system: {reason}")
        assert time.monotonic() < deadline, f"no event has a hash: {reason}"
        attempt += 1


def test_executed_file(hashing: Capture, tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copy("/bin/true", program)

    def execute(attempt: int) -> Event:
        subprocess.run([program, str(attempt)], check=True)
        return hashing.exec_of(str(program), str(attempt))

    event = until_known(execute, "process")
    expected = of(program.read_bytes())
    assert event["process"]["hash"] == expected
    assert event["related"]["hash"] == list(expected.values())


def test_file_that_was_written_just_before_and_still_runs(hashing: Capture, tmp_path: Path) -> None:
    def execute(attempt: int) -> Event:
        program = tmp_path / f"program-{attempt}"
        shutil.copy("/bin/sleep", program)
        with subprocess.Popen([program, "60"]) as running:
            event = hashing.exec_of(str(program), "60")
            running.kill()
        return event

    event = until_known(execute, "process")
    assert event["process"]["hash"] == of(Path("/bin/sleep").read_bytes())


def test_program_in_memory(hashing: Capture, tmp_path: Path) -> None:
    code = """
import os, sys
memory = os.memfd_create("program")
os.write(memory, open("/bin/sleep", "rb").read())
os.execve(memory, sys.argv[1:], {})
"""

    def execute(attempt: int) -> Event:
        arguments = [f"{tmp_path}-{attempt}", "60"]
        with subprocess.Popen([sys.executable, "-I", "-c", code, *arguments]) as running:
            event = hashing.exec_of(*arguments)
            running.kill()
        return event

    event = until_known(execute, "process")
    assert event["process"]["hash"] == of(Path("/bin/sleep").read_bytes())


def test_program_that_only_its_own_mounts_have(hashing: Capture, tmp_path: Path) -> None:
    script = """
mount -t tmpfs none "$1" || exit
cp /bin/sleep "$1/program"
exec "$1/program" 60 "0.$2"
"""
    program = tmp_path / "program"

    def execute(attempt: int) -> Event:
        command = ["unshare", "--mount", "sh", "-c", script, "sh", tmp_path, str(attempt)]
        with subprocess.Popen(command) as running:
            time.sleep(0.1)
            if running.poll() is not None:
                pytest.skip("needs mounts of its own")
            event = hashing.exec_of(str(program), "60", f"0.{attempt}")
            running.kill()
        return event

    event = until_known(execute, "process")
    assert event["process"]["hash"] == of(Path("/bin/sleep").read_bytes())


def test_written_file(hashing: Capture, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(b"written")

    def write(attempt: int) -> Event:
        path = tmp_path / f"written-{attempt}"
        copy(str(given), path)
        return hashing.of_path(str(path), "file-created")

    assert until_known(write, "file")["file"]["hash"] == of(b"written")


def test_excluded_folder(hashing: Capture, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "excluded"
    folder.mkdir(exist_ok=True)
    program = str(folder / hashing.source)
    copy("/bin/true", Path(program))
    subprocess.run([program], check=True)
    for event, field in (
        (hashing.exec_of(program), "process"),
        (hashing.of_path(program, "file-created"), "file"),
    ):
        assert "hash" not in event[field]
        assert "hash_missing" not in event["action"].get("properties", {})


def test_file_beyond_the_limit(hashing: Capture, tmp_path: Path) -> None:
    program = tmp_path / "large"
    program.write_bytes(Path("/bin/true").read_bytes() + bytes(1_000_000))
    program.chmod(0o755)
    # By the audit source, one that has just been written has to run when it is told of.
    time.sleep(0.05)
    subprocess.run([program], check=True)
    properties = hashing.exec_of(str(program))["action"]["properties"]
    assert properties["hash_missing"] in ("too large", "not on a local file system")


def test_another_file_at_the_same_path(hashing: Capture, tmp_path: Path) -> None:
    """Whoever replaces the file at once does not get the other's hash into the event."""
    program, other = tmp_path / "program", tmp_path / "other"
    shutil.copy("/bin/true", program)
    other.write_bytes(b"harmless")
    expected = of(program.read_bytes())
    subprocess.run([program, "replaced"], check=True)
    other.rename(program)
    event = hashing.exec_of(str(program), "replaced")
    assert event["process"].get("hash", expected) == expected


def test_another_content_in_the_same_moment(hashing: Capture, tmp_path: Path) -> None:
    """Nor whoever writes it anew, at the same length, before the kernel's clock has moved."""
    program = tmp_path / "program"
    own = Path("/bin/true").read_bytes() + b"own"
    for attempt in range(10):
        program.write_bytes(own)
        program.chmod(0o755)
        subprocess.run([program, str(attempt)], check=True)
        program.write_bytes(own[:-3] + b"new")
        event = hashing.exec_of(str(program), str(attempt))
        assert event["process"].get("hash", of(own)) == of(own)
