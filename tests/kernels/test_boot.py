"""Kernels other than this one, emulated: each takes the programs, and sees what is done there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The exit status of tools/kernels.py where there is no emulator, or no archive to fetch from.
SKIPPED = 77

# Seconds; an idle machine takes a fifth of them.
LIMIT = 400
FETCH = 300

# Calls that a kernel does not have.
MISSING = {
    "6.1": {"sys_exit_fchmodat2", "sys_exit_removexattrat", "sys_exit_setxattrat"},
    "6.12": {"sys_exit_removexattrat", "sys_exit_setxattrat"},
}

# Of each domain one, and an attack; each by eBPF and by the audit source.
SLICE = [
    "tests/live/test_processes.py::test_exec_has_arguments_directory_and_parent",
    "tests/live/test_files.py::test_life_of_a_file",
    "tests/live/test_changes.py::test_hard_links",
    "tests/live/test_mounts.py::test_mount_and_unmount",
    "tests/live/test_connections.py::test_connect_and_accept",
    "tests/attacks/test_programs.py::test_exec_from_memory",
]


@pytest.fixture(scope="module")
def unavailable() -> list[str]:
    """Why a kernel could not be had: another is not asked for then, as that may take minutes."""
    return []


@pytest.mark.slow
@pytest.mark.flaky(reruns=1)
@pytest.mark.parametrize("kernel", MISSING)
def test_a_kernel_takes_the_programs_and_they_see_what_is_done(
    kernel: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], unavailable: list[str]
) -> None:
    if unavailable:
        pytest.skip(unavailable[0])
    run = subprocess.run(
        [sys.executable, ROOT / "tools/kernels.py", "run", kernel],
        env={
            **os.environ,
            "TESTS": " ".join(SLICE),
            "LIMIT": str(LIMIT),
            "RUNS": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=LIMIT + FETCH + 60,
    )
    if run.returncode == SKIPPED:
        unavailable.append(run.stdout.strip())
        pytest.skip(unavailable[0])
    with capsys.disabled():
        print(f"\n{run.stdout}", end="")

    (left,) = (tmp_path / kernel).iterdir()
    assert run.returncode == 0, run.stdout + run.stderr + (left / "output.log").read_text()
    check = json.loads((left / "check.json").read_bytes())
    absent = {hook: reason for hook, state, reason in check["coverage"] if state == "missing"}
    assert [hook for hook in check["coverage"] if hook[1] == "failed"] == []
    assert {hook for hook in absent if hook.startswith("sys_exit_")} <= MISSING[kernel]
    assert "" not in absent.values()
    assert "io_uring_complete" not in absent
    assert len(check["coverage"]) - len(absent) >= 60
    # Both have fentry, and with it nothing is left to the other tiers.
    attached = {hook for hook, state, _ in check["coverage"] if state == "attached"}
    assert {"fentry/d_delete", "fexit/chmod_common"} <= attached
    assert check["source"] == "ebpf"
    assert all(check["proof"].values())
    # Those that have come to an end: the last word on each.
    lines = (left / "outcomes").read_text().splitlines()
    outcomes = {test: became for became, _, test in (line.partition(" ") for line in lines)}
    assert len([test for test in outcomes if "audit" in test]) >= len(SLICE)
    assert len(outcomes) >= 2 * len(SLICE)
    assert set(outcomes.values()) == {"passed"}
