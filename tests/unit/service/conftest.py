"""A host below a folder: what there is of it, and what is asked of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent.config import INTAKE_KEY_VARIABLE
from endpoint_agent.errors import AgentError
from endpoint_agent.service import files, program
from endpoint_agent.service.health import Trial
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
        if any("-update." in word for word in words) and not words & {"enable", "disable"}:
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


def make_host(root: Path, manager: str) -> MockHost:
    """One without an agent."""
    for folder in ("usr/lib", "opt", "var/lib", "var/log", "etc"):
        (root / folder).mkdir(parents=True)
    MANAGERS[manager](root)
    return MockHost(root)


@pytest.fixture(params=MANAGERS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> MockHost:
    return make_host(tmp_path / "root", request.param)


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


class MockTrial(Trial):
    """An agent that writes its files, and is well unless there is a reason."""

    reason = ""

    def __init__(self, state_directory: Path, log_file: Path) -> None:
        super().__init__(state_directory, log_file)
        self.state = state_directory
        self.log = log_file

    def wait(self, is_active: Callable[[], bool], timeout: float = 0, version: str = "") -> str:
        assert is_active()
        (self.state / "agent-id").write_text("id")
        if self.log.is_absolute():
            self.log.write_text("2999-01-01T00:00:00.000Z ERROR it fails\n")
        if self.reason:
            raise AgentError(self.reason)
        return "ebpf"


# Acts that change files, of which Python tells its hooks, and what a test itself tells them.
ACTS = (
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "os.utime"),
    "endpoint_agent.call",
)
WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def killed_before(act: int, do: Callable[[], object]) -> bool:
    """Does something in a child that is killed before its nth act; whether it came to that."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = act

    def count(event: str, arguments: Any) -> None:
        nonlocal left
        if event in ACTS or (event == "open" and arguments[2] & WRITE):
            left -= 1
            if left < 0:
                os._exit(9)

    try:
        sys.addaudithook(count)
        do()
    except AgentError:
        pass
    except BaseException:
        os._exit(1)
    os._exit(0)
