"""What tools/kernels.py makes of the results that a booted kernel leaves."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[2] / "tools/kernels.py"
FILE = "tests/live/test_files.py"

OUTCOMES = f"""chosen {FILE}::test_it
chosen {FILE}::test_skipped
chosen {FILE}::test_fails[at its end]
started {FILE}::test_it
passed {FILE}::test_it
started {FILE}::test_skipped
skipped {FILE}::test_skipped
started {FILE}::test_fails[at its end]
passed {FILE}::test_fails[at its end]
failed {FILE}::test_fails[at its end]
"""


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOL.parent)
    import kernels

    monkeypatch.setattr(kernels, "RUNS", tmp_path)
    return kernels


def left(folder: Path, tests: str = FILE, tier: str = "auto", **files: str) -> None:
    folder.mkdir(parents=True)
    asked = {"tests": tests, "tier": tier, "version": files.pop("version", "abc of 2026-01-01")}
    for name, text in {"run_json": json.dumps(asked), **files}.items():
        (folder / name.replace("_", ".")).write_text(text)


def read(kernels: Any, name: str) -> Any:
    return [kernels.read(folder) for folder in kernels.folders(name)]


def check(passed: bool = True) -> str:
    coverage = [("exec", "attached", ""), ("new", "missing", "no such"), ("bad", "failed", "why")]
    proof = {"file renamed": passed, "file deleted": False}
    return json.dumps({"passed": passed, "coverage": coverage, "proof": proof, "source": "ebpf"})


def test_a_run_is_read_from_what_it_left(kernels: Any, tmp_path: Path) -> None:
    left(
        tmp_path / "6.1/1",
        tests="tests/live",
        release="6.1.0-1-amd64\n",
        check_json=check(),
        outcomes=OUTCOMES,
        statuses=f"1 {FILE}\n",
        done="",
        seen="ebpf linked\nebpf linked\naudit renamed\n",
    )

    (run,) = read(kernels, "6.1")

    assert (run.release, run.tier, run.version) == ("6.1.0-1-amd64", "auto", "abc of 2026-01-01")
    assert [run.count(became) for became in ("passed", "failed", "skipped")] == [1, 1, 1]
    assert run.failures == [f"{FILE}::test_fails[at its end]"]
    assert run.has_whole(FILE)
    assert not run.has_whole("tests/live/test_mounts.py")
    assert run.seen == {("ebpf", "renamed"), ("ebpf", "linked"), ("audit", "renamed")}
    assert "1/3" in kernels.terminal([run])
    assert "bad: why" in kernels.terminal([run])


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"check_json": check()}, "did not come through"),
        ({"check_json": check(), "late": ""}, "not done in time"),
        ({"check_json": check(), "done": "", "statuses": "3 x\n"}, "status 3: x"),
        ({"check_json": check(), "done": "", "statuses": "1 x\n"}, "status 1: x"),
        ({"check_json": check(passed=False), "done": ""}, "has not seen"),
        ({"check_json": "{", "done": ""}, "has not seen"),
        ({"check_json": check(), "done": "", "outcomes": "chosen a::b\n"}, "1 tests were not run"),
        ({"check_json": check(), "done": "", "outcomes": "started a::b\n"}, "interrupted: a::b"),
    ],
)
def test_a_run_that_is_not_whole_has_not_passed(
    kernels: Any, tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    left(tmp_path / "6.1/1", **files)

    (run,) = read(kernels, "6.1")

    assert [reason in failure for failure in run.failures] == [True]


def test_a_line_that_was_being_written_is_no_outcome(kernels: Any, tmp_path: Path) -> None:
    left(tmp_path / "6.1/1", outcomes=f"{OUTCOMES}passed tests/live/test_fi")

    assert read(kernels, "6.1")[0].count("passed") == 1


def test_who_share_a_capture_are_run_together_and_each_other_by_itself(kernels: Any) -> None:
    parts = kernels.parts("tests/live/test_host.py tests/live/test_files.py tests/attacks")

    assert parts[0].startswith("tests/live/test_files.py tests/attacks/test_32_bit.py ")
    assert parts[1:] == ["tests/live/test_host.py", "tests/attacks/test_flood.py"]
    assert kernels.parts("tests/live/test_audit_source.py") == ["tests/live/test_audit_source.py"]
    assert kernels.parts("tests/live -k name") == ["tests/live -k name"]
    assert kernels.parts("") == []


BOOT = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import kernels

kernels.RUNS = Path(sys.argv[2])
kernels.TESTS = ""
kernels.command = lambda _, folder: ["sh", "-c", f"echo $$ > {folder}/pid; exec sleep 600"]
sys.argv[1:] = ["run", "6.1"]
kernels.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_ended_ends_the_machine_first(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", BOOT, TOOL.parent, tmp_path]
    with subprocess.Popen(command) as tool:
        written = tmp_path / "6.1/1/pid"
        deadline = time.monotonic() + 60
        while not (written.exists() and written.read_text().endswith("\n")):
            assert tool.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        tool.send_signal(number)
        assert tool.wait(60) == 128 + number
    # Its parent has ended, so it is init that takes note of its end.
    machine = Path("/proc", written.read_text().strip())
    while machine.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def outcome(name: str, *words: str) -> str:
    return "".join(f"{word} tests/live/test_{name}.py::test_it\n" for word in words)


def test_of_a_file_the_last_run_counts_that_had_it_whole(kernels: Any, tmp_path: Path) -> None:
    runs = [
        ("6.1.0-1", "tests/live", outcome("files", "passed"), "ebpf never\n"),
        ("6.1.0-2", "tests/live/test_files.py", outcome("files", "failed"), "ebpf renamed\n"),
        ("6.1.0-2", "tests/live/test_mounts.py", outcome("mounts", "passed"), "ebpf mounted\n"),
        ("6.1.0-2", "tests/live/test_files.py", outcome("files", "passed"), "ebpf linked\n"),
        # Some of a file's tests are not the file, nor is one that was interrupted.
        ("6.1.0-2", "tests/live/test_files.py::test_it", outcome("files", "failed"), ""),
        ("6.1.0-2", "tests/live", outcome("files", "chosen", "started"), ""),
    ]
    for number, (release, tests, outcomes, seen) in enumerate(runs, 8):
        folder = tmp_path / "6.1" / str(number)
        left(folder, tests, release=release, check_json=check(), outcomes=outcomes, seen=seen)
    # One of another tier, one that has not come up, and one that does not say what it ran.
    known = {"release": "6.1.0-2", "check_json": check(), "outcomes": outcome("files", "failed")}
    left(tmp_path / "6.1/14", tier="kprobe", **known)
    left(tmp_path / "6.1/15")
    left(tmp_path / "6.1/16", version="", **known)

    best, kprobe = kernels.columns(read(kernels, "6.1"))

    assert (best.name, kprobe.name) == ("6.1", "6.1 kprobe")
    assert set(best.runs) == {"tests/live/test_files.py", "tests/live/test_mounts.py"}
    assert set(best.tests().values()) == {"passed"}
    assert {action for _, action in best.seen} == {"renamed", "mounted", "linked"}
    assert set(kprobe.tests().values()) == {"failed"}
    assert kernels.columns(read(kernels, "6.12")) == []

    kernels.forget("6.1")

    assert [folder.name for folder in kernels.folders("6.1")] == ["10", "11", "13", "14", "16"]


def test_the_page_tells_what_each_kernel_covers_and_of_which_tree(
    kernels: Any, tmp_path: Path
) -> None:
    everything = "".join(f"passed {file}::test_it\n" for file in kernels.files_of(kernels.ALL))
    runs = [
        ("5.10", kernels.ALL, "b of 2026-01-02", everything, "ebpf renamed\n"),
        ("6.1", FILE, "a of 2026-01-01, changed", OUTCOMES, "ebpf renamed\naudit linked\n"),
        ("6.12", FILE, "b of 2026-01-02", outcome("files", "failed", "chosen"), ""),
    ]
    for name, tests, version, outcomes, seen in runs:
        known = {"release": f"{name}.0-amd64", "check_json": check()}
        folder = tmp_path / name / "1"
        left(folder, tests, version=version, outcomes=outcomes, seen=seen, **known)

    found = [column for name in kernels.SUITES for column in kernels.columns(read(kernels, name))]
    page = kernels.page(found, ["newest"])

    assert "- a: a of 2026-01-01, changed\n- b: b of 2026-01-02\n" in page
    assert "Not run: newest." in page
    assert "| tests | 5.10 | 6.1 | 6.12 |" in page
    assert "| `live/test_files.py` | 1 / 0 / 0 b | 1 / 1 / 1 a | 0 / 0 / 0, 1 not run b |" in page
    assert "| `live/test_mounts.py` | 1 / 0 / 0 b |  |  |" in page
    assert f"On 6.1, these failed: `{FILE}::test_fails[at its end]`." in page
    assert "| 6.12.0-amd64 | b | 1 | `new` | `bad` |" in page
    assert "| ebpf | `renamed` | yes | yes | yes |" in page
    assert "| audit | `linked` | no | yes |  |" in page


def test_what_a_page_tells_stays_until_a_run_tells_it_anew(
    kernels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the runs were made on another machine."""
    place = tmp_path / "page.md"
    monkeypatch.setattr(kernels, "PAGE", place)
    monkeypatch.setattr(sys, "argv", ["kernels.py", "coverage"])
    known = {"check_json": check(), "seen": "ebpf renamed\naudit linked\n"}
    cut = outcome("mounts", "passed") + outcome("host", "chosen")
    two = "tests/live/test_mounts.py tests/live/test_host.py"
    left(tmp_path / "6.1/1", release="6.1.0", outcomes=OUTCOMES, **known)
    left(tmp_path / "6.1/2", two, tier="kprobe", release="6.1.0", outcomes=cut, **known)
    left(tmp_path / "newest/1", two, version="c of 2026-01-03", release="7.9", **known)
    left(
        tmp_path / "newest/2", version="b of 2026-01-02", release="7.9", outcomes=OUTCOMES, **known
    )
    kernels.main()
    page = place.read_text()
    for name in ("6.1", "newest"):
        shutil.rmtree(tmp_path / name)

    kernels.main()

    assert place.read_text() == page
    assert "| `live/test_mounts.py` |  | 1 / 0 / 0 a |  |" in page
    assert "| `live/test_host.py` |  | 0 / 0 / 0, 1 not run a |  |" in page
    assert "| `live/test_files.py` | 1 / 1 / 1 a |  | 1 / 1 / 1 b |" in page

    anew = outcome("files", "passed", "passed")
    left(tmp_path / "6.1/1", release="6.1.0", version="d of 2026-01-04", outcomes=anew, **known)
    left(tmp_path / "newest/1", release="7.10", outcomes=anew, **known)
    kernels.main()

    told = place.read_text()
    assert "| `live/test_files.py` | 1 / 0 / 0 b |  | 1 / 0 / 0 a |" in told
    assert "| `live/test_mounts.py` |  | 1 / 0 / 0 a |  |" in told
    assert "- b: d of 2026-01-04" in told
    assert "failed" not in told.partition("| all |")[2].partition("## Hooks")[0]


def test_without_what_boots_a_kernel_nothing_is_booted_and_why_is_said(
    kernels: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left(tmp_path / "6.1/1", release="6.1")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["kernels.py", "run", "6.1"])

    assert kernels.main() == kernels.SKIPPED
    assert "6.1 was not booted: qemu-system-x86_64 is missing" in capsys.readouterr().out
    assert (tmp_path / "6.1/1/release").exists()


def test_an_archive_that_cannot_be_reached_is_named(
    kernels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(
        '#!/bin/sh\n[ "$1" = indextargets ] && echo http://mirror.invalid && exit\nexit 100\n'
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(kernels.NotAvailableError, match=r"sid is not to be had from http://mirror"):
        kernels.fetch("sid")
