"""The one file: a shell script that installs what lies behind it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import VERSION


@dataclass
class Host:
    """A host below a folder, and the file that was brought there."""

    root: Path
    file: Path

    def run(self, *words: str, user: int = 0) -> subprocess.CompletedProcess[str]:
        """Calls the file as one of the host's users."""
        tools = self.root / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "id").write_text(f"#!/bin/sh\necho {user}\n")
        (tools / "id").chmod(0o755)
        return subprocess.run(
            [self.file, *words],
            env={"PATH": f"{tools}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    def left(self) -> list[str]:
        return [path.name for path in (self.root / "usr/lib").iterdir()]

    def install(self, path: str) -> None:
        program = self.root / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text('#!/bin/sh\necho "installed: $@"\nexit 5\n')
        program.chmod(0o755)


@pytest.fixture
def host(tool: Callable[[str], Any], bundle: Path, tmp_path: Path) -> Host:
    root = tmp_path / "host"
    (root / "usr/lib").mkdir(parents=True)
    made: bytes = tool("bundle").executable(VERSION, bundle.read_bytes())
    head = tool("bundle").HEAD
    assert made[head:] == bundle.read_bytes()
    script = made[:head].decode().rstrip("\n")
    for folder in ("/usr/lib", "/opt"):
        script = script.replace(folder, f"{root}{folder}")
    assert len(script) < head
    file = tmp_path / "agent"
    file.write_bytes(script.encode().ljust(head, b"\n") + made[head:])
    file.chmod(0o755)
    return Host(root, file)


@pytest.mark.parametrize("option", ["-version", "--version"])
def test_it_tells_its_version(host: Host, option: str) -> None:
    done = host.run(option, user=1000)
    assert (done.returncode, done.stdout) == (0, f"endpoint-agent {VERSION}\n")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_it_tells_how_it_is_used(host: Host, words: list[str]) -> None:
    done = host.run(*words, user=1000)
    assert done.returncode == 0
    assert "install --intake-key-file FILE" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["-install", "-intake_key", "a key"],
        ["install", "--intake-key-file", "file"],
        ["-intake_key", "K", "-install"],
        ["check", "--json"],
    ],
)
def test_it_is_unpacked_for_as_long_as_it_runs(host: Host, words: list[str]) -> None:
    done = host.run(*words)
    packages = host.root / "usr/lib/.endpoint-agent.part" / VERSION / "packages"
    assert done.stdout.strip() == f"{packages} {' '.join(words)}"
    assert (done.returncode, done.stderr) == (0, "")
    assert host.left() == []


def test_a_failure_is_passed_on_and_leaves_nothing(host: Host) -> None:
    assert host.run("install", "fail").returncode == 7
    assert host.left() == []


def test_what_an_earlier_try_has_left_is_in_nobodys_way(host: Host) -> None:
    (host.root / "usr/lib/.endpoint-agent.part").mkdir()
    (host.root / "usr/lib/.endpoint-agent.part/payload").write_text("half")
    assert host.run("install").returncode == 0
    assert host.left() == []


@pytest.mark.parametrize("change", ["cut", "bit"])
def test_a_damaged_file_is_refused(host: Host, change: str) -> None:
    data = bytearray(host.file.read_bytes())
    if change == "cut":
        del data[-1:]
    else:
        data[-20] ^= 1
    host.file.write_bytes(data)
    done = host.run("install")
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert host.left() == []


def test_installing_needs_root(host: Host) -> None:
    done = host.run("install", "--intake-key", "secret", user=1000)
    assert done.returncode == 3
    assert "root" in done.stderr and "secret" not in done.stderr
    assert host.left() == []


def test_a_host_that_cannot_run_it_is_told(host: Host, tool: Callable[[str], Any]) -> None:
    machine = host.root / "tools/uname"
    machine.parent.mkdir()
    machine.write_text("#!/bin/sh\necho aarch64\n")
    machine.chmod(0o755)
    done = host.run("install")
    assert done.returncode == 3
    assert "x86-64" in done.stderr


@pytest.mark.parametrize("word", ["status", "uninstall", "-uninstall", "-update", "run"])
def test_any_other_command_is_that_of_the_installed(host: Host, word: str) -> None:
    done = host.run(word, "-x")
    assert done.returncode == 1
    assert "no agent is installed" in done.stderr
    host.install("opt/endpoint-agent")
    done = host.run(word, "-x")
    assert (done.returncode, done.stdout) == (5, f"installed: {word} -x\n")


def test_the_same_version_need_not_be_unpacked_to_check(host: Host) -> None:
    host.install(f"usr/lib/endpoint-agent/{VERSION}/bin/endpoint-agent")
    assert host.run("check").stdout == "installed: check\n"
