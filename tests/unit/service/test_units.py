"""The files of the managers, as far as they can be tried without one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.service.managers import UNITS
from endpoint_agent.service.places import CURRENT, GOOD, NAME, PROGRAM
from endpoint_agent.service.systemd import TIMER, UNIT, UPDATE, unit

# The most that `systemd-analyze security` may say, of 10.
EXPOSURE = 4.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture(params=[UNIT, UPDATE])
def unit_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit, with a program that is there."""
    path = tmp_path / request.param
    text = unit(Settings(), request.param)
    path.write_text(re.sub(r"/usr/lib/endpoint-agent/\w+/bin/endpoint-agent", "/bin/true", text))
    return path


@needs_systemd
def test_how_exposed_the_unit_is(unit_file: Path) -> None:
    words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit_file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    match = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert match, done.stdout + done.stderr
    assert float(match[1]) <= EXPOSURE


@needs_systemd
def test_systemd_understands_the_timer(tmp_path: Path) -> None:
    for name in (UPDATE, TIMER):
        text = unit(Settings(), name)
        (tmp_path / name).write_text(re.sub(r"/usr/lib\S+/endpoint-agent", "/bin/true", text))
    words = ["systemd-analyze", "verify", str(tmp_path / TIMER)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if NAME in line] == []


@needs_systemd
def test_systemd_understands_the_unit(unit_file: Path) -> None:
    words = ["systemd-analyze", "verify", str(unit_file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    # Of systemd 254.
    newer = ("RestartSteps", "RestartMaxDelaySec")
    complaints = [
        line
        for line in done.stderr.splitlines()
        if unit_file.name in line and not any(key in line for key in newer)
    ]
    assert complaints == []


def test_the_unit_follows_the_settings() -> None:
    usual = unit(Settings())
    assert "\nCPUQuota=100%\n" in usual
    assert "\nMemoryMax=512M\n" in usual
    assert "ReadWritePaths" not in usual
    other = unit(
        Settings(
            cpu_quota=25,
            memory_max=1000,
            state_directory=Path('/data/a "b" %c'),
            log_file=Path("/logs/agent.log"),
        )
    )
    assert "\nCPUQuota=25%\n" in other
    assert "\nMemoryMax=1000M\n" in other
    assert '\nReadWritePaths="/data/a \\"b\\" %%c" "/logs"\n' in other
    assert "ReadWritePaths" not in unit(Settings(log_file=Path("-")))


def test_every_manager_starts_the_same_program() -> None:
    for kind in ("conf", "init", "service"):
        text = (UNITS / f"{NAME}.{kind}").read_text()
        assert str(PROGRAM) in text
        # And has a version judged that was on trial when the power failed.
        assert re.search(r'good"? -ef .*current', text)


def test_updates_are_run_by_the_version_that_has_proved_itself() -> None:
    program = GOOD / PROGRAM.relative_to(CURRENT)
    lines = unit(Settings(), UPDATE).splitlines()
    assert f"ExecStart={program} update --automatic" in lines
    assert 'ReadWritePaths="/usr/lib/endpoint-agent"' in lines


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_shells_understand_the_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    subprocess.run([*words, "-n", UNITS / f"{NAME}.init"], check=True)


def test_the_script_has_the_header_of_the_linux_standard_base() -> None:
    text = (UNITS / f"{NAME}.init").read_text()
    header = text.partition("### BEGIN INIT INFO\n")[2].partition("### END INIT INFO\n")[0]
    keys = re.findall(r"^# ([A-Z][\w-]+):\s+\S", header, re.MULTILINE)
    assert set(keys) >= {
        "Provides",
        "Required-Start",
        "Required-Stop",
        "Default-Start",
        "Default-Stop",
        "Short-Description",
    }
    assert f"Provides:          {NAME}\n" in header
