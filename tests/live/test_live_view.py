"""`endpoint-agent live` as a user runs it: through a pipe and on a terminal."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from endpoint_agent.errors import AgentError
from endpoint_agent.status import ask

from .capture import PATIENCE
from .daemon import COMMAND, wait

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="eBPF needs root"),
]

END = 40.0 * PATIENCE
HOSTILE = b"\x1b[2J\xff\n"
SHOWN = r"\x1b[2J" + "\N{REPLACEMENT CHARACTER}" + r"\n"


class View:
    """The command, what it writes, and the folder for what it keeps while it runs."""

    def __init__(self, folder: Path) -> None:
        """Starts nothing yet."""
        self.kept = folder / "kept"
        self.kept.mkdir()
        self._output = folder / "output"
        self._errors = folder / "errors"
        self.process: psutil.Popen | None = None

    def start(self, *words: str) -> None:
        """Starts it, with its output in a file."""
        environment = os.environ | {"TMPDIR": str(self.kept), "TERM": "xterm"}
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = psutil.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment
            )

    @property
    def output(self) -> str:
        """Standard output so far."""
        return self._output.read_text()

    @property
    def errors(self) -> str:
        """Standard error so far."""
        return self._errors.read_text()

    def answers(self) -> bool:
        """Whether the agent captures, and answers."""
        assert self.process is not None
        assert self.process.poll() is None, self.errors
        with suppress(AgentError):
            return any(ask(state) for state in self.kept.glob("*/state"))
        return False

    def child(self, command: str) -> psutil.Process:
        """The intake (`serve`) or the agent (`run`)."""
        assert self.process is not None
        (found,) = (one for one in self.process.children() if command in one.cmdline())
        return found

    def end(self) -> int:
        """Waits for its end; the exit status. Nothing of it is left."""
        assert self.process is not None
        status = int(self.process.wait(END))
        assert list(self.kept.iterdir()) == []
        return status


@pytest.fixture
def view() -> Iterator[View]:
    # The path of a socket is short, and that of pytest's folder is not.
    with tempfile.TemporaryDirectory() as folder:
        view = View(Path(folder))
        yield view
        if view.process is not None and view.process.poll() is None:
            view.process.kill()
            view.process.wait()


def act(folder: Path) -> None:
    """Executes a program and makes a file, both with names that a terminal would obey."""
    subprocess.run([b"/bin/true", b"act-once" + HOSTILE], check=True)
    (folder / os.fsdecode(b"made" + HOSTILE)).touch()


def test_every_event_is_a_line_until_ctrl_c(view: View, tmp_path: Path) -> None:
    view.start(*COMMAND, "live")
    wait(view.answers)
    act(tmp_path)
    children = view.process.children()
    view.process.send_signal(2)

    assert view.end() == 0
    lines = view.output.splitlines()
    (executed,) = (line for line in lines if "/bin/true act-once" in line)
    assert executed.split()[1:3] == ["process-created", "root"]
    assert executed.endswith(SHOWN)
    assert any("file-created" in line and line.endswith(f"/made{SHOWN}") for line in lines)
    # The intake's own database is written for each batch, and is not what a user wants to see.
    assert not any(line.endswith("/events.db-wal") for line in lines)
    assert "Into the queue: the sum holds" in lines
    assert "Out of the queue: the sum holds" in lines
    assert lines[-1].endswith(": none is missing.")
    assert "\x1b" not in view.output
    assert not any(child.is_running() for child in children)


def test_on_a_terminal_it_draws(view: View, tmp_path: Path) -> None:
    command = "exec " + shlex.join([*COMMAND, "live"])
    view.start("script", "--quiet", "--return", "--flush", "--command", command, "/dev/null")
    wait(view.answers)
    act(tmp_path)
    wait(lambda: re.search(r"\d\d:\d\d:\d\d\b", view.output))
    view.process.children()[0].terminate()

    assert view.end() == 0
    before, drawn, after = view.output.replace("\x1b[?1049l", "\x1b[?1049h").split("\x1b[?1049h")
    assert before == ""
    assert "\x1b[2J" not in drawn
    assert "Into the queue: the sum holds" in after
    assert "\x1b" not in after


def test_it_ends_when_its_time_is_over(view: View) -> None:
    view.start(*COMMAND, "live", "--seconds", "0.1")

    assert view.end() == 1
    assert view.output == "The agent had not started yet.\n"


def test_an_agent_that_dies_is_told(view: View) -> None:
    view.start(*COMMAND, "live")
    wait(view.answers)
    intake = view.child("serve")
    view.child("run").kill()

    assert view.end() == 1
    first, *last = view.errors.splitlines()
    assert "the agent has ended by itself (killed by signal 9, Killed)" in first
    assert re.search(r"INFO the capture .*runs", last[-1])
    assert not intake.is_running()


def test_an_intake_that_dies_is_told(view: View) -> None:
    view.start(*COMMAND, "live")
    wait(view.answers)
    agent = view.child("run")
    view.child("serve").kill()

    assert view.end() == 1
    assert "the intake has ended by itself (killed by signal 9, Killed)" in view.errors
    assert not agent.is_running()


def test_without_rights_it_says_which_are_missing(view: View) -> None:
    view.start("setpriv", "--inh-caps=-all", "--bounding-set=-all", *COMMAND, "live")

    assert view.end() == 3
    assert view.output == ""
    (message,) = view.errors.splitlines()
    assert message.startswith("endpoint-agent: ")
    assert "CAP_BPF" in message


def test_the_key_is_in_no_command_line(view: View) -> None:
    view.start(*COMMAND, "live")
    wait(view.answers)
    agent, intake = view.child("run"), view.child("serve")
    key = agent.environ()["ENDPOINT_AGENT_INTAKE_KEY"]

    assert len(key) >= 32
    assert intake.environ()["ENDPOINT_AGENT_INTAKE_KEY"] == key
    assert key not in " ".join(agent.cmdline() + intake.cmdline())
    (folder,) = view.kept.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not any(key.encode() in path.read_bytes() for path in files)

    view.process.terminate()
    assert view.end() == 0
