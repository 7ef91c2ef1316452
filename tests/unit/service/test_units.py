"""The files of the managers, as far as they can be tried without one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from endpoint_agent.config import Settings
from endpoint_agent.service.managers import UNITS
from endpoint_agent.service.places import NAME, PROGRAM
from endpoint_agent.service.systemd import UNIT, unit

# The most that `systemd-analyze security` may say, of 10.
EXPOSURE = 4.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def unit_file(tmp_path: Path) -> Path:
    """The unit, with a program that is there."""
    path = tmp_path / UNIT
    path.write_text(unit(Settings()).replace(str(PROGRAM), "/bin/true"))
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
def test_systemd_understands_the_unit(unit_file: Path) -> None:
    words = ["systemd-analyze", "verify", str(unit_file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    # Of systemd 254.
    newer = ("RestartSteps", "RestartMaxDelaySec")
    complaints = [
        line
        for line in done.stderr.splitlines()
        if UNIT in line and not any(key in line for key in newer)
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
    files = sorted(UNITS.iterdir())
    assert [file.name for file in files] == [
        f"{NAME}.{kind}" for kind in ("conf", "init", "service")
    ]
    for file in files:
        assert str(PROGRAM) in file.read_text()


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
