"""What tools/kernels.py makes of the results that a booted kernel leaves."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOL = Path(__file__).parents[2] / "tools/kernels.py"

REPORT = """<testsuites><testsuite>
<testcase classname="tests.live" name="test_passes"/>
<testcase classname="tests.live" name="test_is_skipped"><skipped message="no"/></testcase>
<testcase classname="tests.live" name="test_fails"><failure message="no">why</failure></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    specification = importlib.util.spec_from_file_location("kernels", TOOL)
    assert specification is not None and specification.loader is not None
    module = ModuleType("kernels")
    monkeypatch.setitem(sys.modules, "kernels", module)
    module.__file__ = str(TOOL)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "RUNS", tmp_path)
    return module


def left(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def check(passed: bool = True) -> str:
    coverage = [("exec", "attached", ""), ("new", "missing", "no such"), ("bad", "failed", "why")]
    proof = {"file renamed": passed, "file deleted": False}
    return json.dumps({"passed": passed, "coverage": coverage, "proof": proof, "source": "ebpf"})


def test_a_run_is_read_from_what_it_left(kernels: Any, tmp_path: Path) -> None:
    left(
        tmp_path / "6.1/1",
        release="6.1.0-1-amd64\n",
        check_json=check(),
        tests_xml=REPORT,
        status="1\n",
        seen="ebpf linked\nebpf linked\naudit renamed\n",
    )

    (run,) = kernels.runs_of("6.1")

    assert run.release == "6.1.0-1-amd64"
    assert [run.count(became) for became in ("passed", "failed", "skipped")] == [1, 1, 1]
    assert run.failures == ["tests.live::test_fails"]
    assert run.seen == {("ebpf", "renamed"), ("ebpf", "linked"), ("audit", "renamed")}
    assert "1/3" in kernels.table([run])
    assert "bad: why" in kernels.table([run])


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"check_json": check()}, "did not come through"),
        ({"check_json": check(), "late": ""}, "not done in time"),
        ({"check_json": check(), "status": "3"}, "status 3"),
        ({"check_json": check(), "status": "1"}, "status 1"),
        ({"check_json": check(passed=False), "status": "0"}, "has not seen"),
        ({"check_json": "{", "status": "0"}, "has not seen"),
    ],
)
def test_a_run_that_is_not_whole_has_not_passed(
    kernels: Any, tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    left(tmp_path / "6.1/1", asked=kernels.ALL, **files)

    (run,) = kernels.runs_of("6.1")

    assert [reason in failure for failure in run.failures] == [True]
    assert run.files == set()


def test_a_run_that_was_interrupted_has_not_passed_though_tests_failed(
    kernels: Any, tmp_path: Path
) -> None:
    files = {"asked": kernels.ALL, "tests_xml": REPORT, "status": "2"}
    left(tmp_path / "6.1/1", check_json=check(), **files)

    (run,) = kernels.runs_of("6.1")

    assert run.failures == ["pytest ended with status 2", "tests.live::test_fails"]
    assert run.files == set()


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
    assert not Path("/proc", written.read_text().strip()).exists()


def report(name: str, outcome: str = "") -> str:
    case = f'<testcase classname="tests.live.test_{name}" name="test_it">{outcome}</testcase>'
    return f"<testsuites><testsuite>{case}</testsuite></testsuites>"


def test_parts_of_a_suite_are_one_run_and_of_a_file_the_last_has_the_word(
    kernels: Any, tmp_path: Path
) -> None:
    parts = [
        ("6.1.0-1", "files", "<failure/>", "ebpf never\n"),
        ("6.1.0-2", "files", "<failure/>", "ebpf renamed\n"),
        ("6.1.0-2", "mounts", "", "ebpf mounted\n"),
        ("6.1.0-2", "files", "", "ebpf linked\n"),
    ]
    for number, (release, name, outcome, seen) in enumerate(parts, 8):
        left(
            tmp_path / "6.1" / str(number),
            release=release,
            asked=f"tests/live/test_{name}.py",
            check_json=check(),
            tests_xml=report(name, outcome),
            status="1" if outcome else "0",
            seen=seen,
        )

    # One that has not come up tells of nothing.
    left(tmp_path / "6.1/12", asked="tests/live")

    run = kernels.merged(kernels.runs_of("6.1"))

    assert run.release == "6.1.0-2"
    assert run.files == {"tests/live/test_files.py", "tests/live/test_mounts.py"}
    assert run.failures == []
    assert run.count("passed") == 2
    assert {action for _, action in run.seen} == {"renamed", "mounted", "linked"}
    assert kernels.merged(kernels.runs_of("6.12")) is None


def test_the_page_tells_what_each_kernel_covers_and_what_was_not_run(
    kernels: Any, tmp_path: Path
) -> None:
    runs = [
        ("5.10", kernels.ALL, "ebpf renamed\n"),
        ("6.1", "tests/live tests/attacks/test_uring.py", "ebpf renamed\naudit linked\n"),
        ("6.12", "", ""),
    ]
    for name, asked, seen in runs:
        left(
            tmp_path / name / "1",
            release=f"{name}.0-amd64",
            check_json=check(),
            asked=asked,
            status="0",
            seen=seen,
        )

    page = kernels.page({name: kernels.merged(kernels.runs_of(name)) for name in kernels.SUITES})

    assert "| source | `event.action` | 5.10 | 6.1 | 6.12 |" in page
    assert "| ebpf | `renamed` | yes | yes | yes |" in page
    assert "| audit | `linked` | no | yes | not tried |" in page
    assert "| 5.10.0-amd64 | 1 | `new` | `bad` | 0 | 0 | 0 |" in page
    assert "Not run: newest." in page
    assert "On 5.10," not in page
    assert "On 6.1, these were not run: `tests/attacks/test_files.py`, " in page
    assert "On 6.12, `endpoint-agent check` alone was run" in page
    assert "failed:" not in page


def test_the_page_names_what_failed_and_what_was_cut_short(kernels: Any, tmp_path: Path) -> None:
    left(
        tmp_path / "6.1/1",
        release="6.1.0-amd64",
        check_json=check(),
        asked=kernels.ALL,
        status="2",
        tests_xml=report("files", "<failure/>"),
    )

    page = kernels.page({"6.1": kernels.merged(kernels.runs_of("6.1"))})

    assert "On 6.1, these were not known to be run whole: `tests/attacks/test_files.py`, " in page
    assert "On 6.1, these failed: `tests.live.test_files::test_it`." in page


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
