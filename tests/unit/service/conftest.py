"""A host below a folder: what there is of it, and what is asked of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from endpoint_agent.config import INTAKE_KEY_VARIABLE
from endpoint_agent.errors import AgentError
from endpoint_agent.service import files, program
from endpoint_agent.service.places import NAME, Places

# What changes nothing.
QUESTIONS = {"is-active", "is-enabled", "show", "status", "version"}

Tree = dict[str, tuple[int, str | bytes]]


@dataclass
class MockHost:
    """A host whose manager does at once what it is told, as long as it is to."""

    root: Path
    calls: list[tuple[str, ...]] = field(default_factory=list)
    running: bool = False
    enabled: bool = False
    fails_at: int = -1
    """The number of the call that fails, of those that change something."""

    @property
    def places(self) -> Places:
        return Places(self.root)

    def call(self, words: Sequence[str]) -> str:
        if not QUESTIONS & set(words):
            self.calls.append(tuple(words))
            if len(self.calls) - 1 == self.fails_at:
                raise AgentError(f"{words[0]} failed")
        return self._do(set(words)) or ""

    def _do(self, words: set[str]) -> str | None:
        if any("-update." in word for word in words) and "disable" not in words:
            return None  # Not the agent itself.
        if words & {"restart", "start"}:
            self.running = True
        elif "stop" in words:
            self.running = False
        elif words & {"enable", "defaults"}:
            self._enable(True)
        elif words & {"disable", "remove"}:
            self._enable(False)
        elif "show" in words:
            return f"ActiveState={'active' if self.running else 'inactive'}\n"
        elif "version" in words:
            return "init (upstart 1.12.1)"
        elif "status" in words and "/sbin/initctl" in words:
            return f"{NAME} start/running" if self.running else f"{NAME} stop/waiting"
        elif ("is-active" in words or "status" in words) and not self.running:
            raise AgentError("inactive")
        elif "is-enabled" in words and not self.enabled:
            raise AgentError("disabled")
        return None

    def _enable(self, enabled: bool) -> None:
        self.enabled = enabled
        if (runlevel := self.root / "etc/rc2.d").is_dir():
            link = runlevel / f"S01{NAME}"
            link.unlink(missing_ok=True)
            if enabled:
                link.symlink_to(f"../init.d/{NAME}")


def tree(root: Path) -> Tree:
    """Every path with its mode and content."""
    found: Tree = {}
    for folder, folders, names in os.walk(root):
        for path in (Path(folder, name) for name in (*folders, *names)):
            content: str | bytes = ""
            if path.is_symlink():
                content = str(path.readlink())
            elif path.is_file():
                content = path.read_bytes()
            found[str(path.relative_to(root))] = (path.lstat().st_mode, content)
    return found


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o755)


def systemd(root: Path) -> None:
    (root / "run/systemd/system").mkdir(parents=True)
    (root / "etc/systemd/system").mkdir(parents=True)


def upstart(root: Path) -> None:
    executable(root / "sbin/initctl")
    (root / "etc/init").mkdir(parents=True)


def sysv(root: Path) -> None:
    executable(root / "usr/sbin/update-rc.d")
    executable(root / "sbin/start-stop-daemon")
    (root / "etc/init.d").mkdir(parents=True)
    (root / "etc/rc2.d").mkdir()


MANAGERS: dict[str, Callable[[Path], None]] = {
    "systemd": systemd,
    "upstart": upstart,
    "SysV init": sysv,
}


@pytest.fixture(params=MANAGERS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> MockHost:
    root = tmp_path / "root"
    for folder in ("usr/lib", "opt", "var/lib", "var/log", "etc"):
        (root / folder).mkdir(parents=True)
    MANAGERS[request.param](root)
    return MockHost(root)


@pytest.fixture(autouse=True)
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, no key in the environment, and a program of one file."""
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv(INTAKE_KEY_VARIABLE, raising=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    return folder


@pytest.fixture
def mock_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(target: Path, home: Path) -> None:
        executable(target / "bin/endpoint-agent")
        (target / "bin/endpoint-agent").write_text(f"the program of {home}")

    monkeypatch.setattr(program, "copy", copy)
    # It takes as long as the host has something to write.
    monkeypatch.setattr(files, "sync_all", lambda folder: None)
