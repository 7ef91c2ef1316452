"""The agent in Windows' own Python, under Wine: `make test-windows`."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.live.daemon import COMMAND

ROOT = Path(__file__).parents[2]
LOGS = sorted((ROOT / "tests/golden/eventlog").glob("*.evtx.gz"))


def output(*command: str | Path) -> list[Any]:
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return [orjson.loads(line) for line in ran.stdout.splitlines()]


def on_windows(*words: str | Path) -> list[Any]:
    return output("tools/windows", "python", "-m", "endpoint_agent", *words)


def without_run(events: list[Any]) -> list[Any]:
    """Each run of the agent has an id of its own."""
    for event in events:
        del event["agent"]["ephemeral_id"]
    return events


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.name)
def test_a_log_is_told_as_on_linux(log: Path, tmp_path: Path) -> None:
    file = tmp_path / log.stem
    file.write_bytes(gzip.decompress(log.read_bytes()))

    told = without_run(on_windows("replay", file))

    assert told == without_run(output(*COMMAND, "replay", file))
    assert told


def test_the_queue_and_the_delivery_pass_their_tests() -> None:
    files = ("test_spool.py", "deliver", "test_balance.py", "test_log_events.py", "test_rules.py")
    ran = subprocess.run(
        [
            *("tools/windows", "python", "-m", "pytest", "--quiet", "-p", "no:cacheprovider"),
            # What is above needs a kernel of Linux.
            *("--confcutdir", "tests/unit", *(f"tests/unit/{name}" for name in files)),
        ],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout
    assert int(ran.stdout.split(" passed")[0].split()[-1]) > 150, ran.stdout


def test_its_own_name_and_version() -> None:
    ran = subprocess.run(
        ["tools/windows", "python", "-m", "endpoint_agent", "--version"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    here = subprocess.run([*COMMAND, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    assert ran.stdout.split() == here.stdout.split()
