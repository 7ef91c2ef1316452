"""The agent as it runs in Windows' Python, under Wine, with a real intake of this host, over TLS.

The library of the event log is a mock.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import psutil
import pytest

from endpoint_agent.balance import SUMS
from tests.live.daemon import COMMAND, END, KEY, wait

from .wine import on_wine

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/windows"


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    subprocess.run(
        ["tools/windows", "python", "-c", "import endpoint_agent._native"], cwd=ROOT, check=True
    )


def python(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["tools/windows", "python-now", *words],
        cwd=ROOT, env=os.environ | variables, capture_output=True, text=True,
    )  # fmt: skip


class TlsIntake:
    """`endpoint-agent serve` with a certificate of its own, that can be stopped for a while."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "intake"
        self.keys = folder / "keys"
        self.keys.write_text(KEY)
        self.keys.chmod(0o600)
        self.port = 0
        self.start()

    def start(self) -> None:
        listen = f"127.0.0.1:{self.port}"
        options = [f"--data={self.data}", f"--listen={listen}", f"--intake-key-file={self.keys}"]
        self._process = subprocess.Popen(
            [*COMMAND, "serve", *options, "--tls-self-signed"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = [self._process.stdout.readline() for _ in range(2)]
        self.ca = Path(told[0].removeprefix("CABundlePath: ").strip())
        self.url = told[1].removeprefix("intake listening on ").strip()
        self.port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=END)

    def records(self) -> Counter[int]:
        """How often each record of the mock has come, by its number."""
        trust = ssl.create_default_context(cafile=self.ca)
        found: Counter[int] = Counter()
        after = 0
        while True:
            request = urllib.request.Request(
                f"{self.url}/events?{urlencode({'after': after, 'limit': 1000})}",
                headers={"X-SEKOIAIO-INTAKE-KEY": KEY},
            )
            with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
                page = orjson.loads(answer.read())
            if not page:
                return found
            after = page[-1]["id"]
            events = (orjson.loads(entry["event"]) for entry in page)
            found.update(
                int(event["winlog"]["record_id"])
                for event in events
                if event.get("winlog", {}).get("channel") == "Mock"
            )


class WindowsAgent:
    """The agent under Wine, with its files in a folder, and the mock of its log."""

    def __init__(self, folder: Path, intake: TlsIntake) -> None:
        self.folder = folder
        self.count = folder / "count"
        self.stop_file = folder / "stop"
        self.config = folder / "config.yaml"
        self.log = folder / "agent.log"
        self.config.write_text(
            f"IntakeKey: {KEY}\n"
            f"IntakeURL: {intake.url}\n"
            f"CABundlePath: '{on_wine(intake.ca)}'\n"
            f"StateDirectory: '{on_wine(folder / 'state')}'\n"
            f"LogFile: '{on_wine(self.log)}'\n"
            "CaptureSource: eventlog\n"
            "EventLogChannels: [Mock, Denied, Not/There]\n"
            "StatsInterval: 3600\n"
        )
        self._shell: subprocess.Popen[str] | None = None

    def write(self, count: int | str) -> None:
        """So many records are in the log from now on; `down` while its service is not there."""
        new = self.count.with_name("new")
        new.write_text(str(count))
        new.replace(self.count)

    def start(self) -> None:
        self.stop_file.unlink(missing_ok=True)
        words = [on_wine(FOLDER / "run_agent.py"), on_wine(self.config)]
        self._shell = subprocess.Popen(
            ["tools/windows", "python-now", *words],
            cwd=ROOT, env=os.environ | {"MOCK_RECORDS": str(self.count)},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._shell.stdout is not None
        assert self._shell.stdout.readline() == "ready\n", self.log.read_text()

    def stop(self) -> int:
        """Sets its flag; the exit status."""
        assert self._shell is not None
        self.stop_file.touch()
        return self._shell.wait(END)

    def kill(self) -> None:
        """Ends it wherever it is, as it is."""
        if self._shell is None or self._shell.poll() is not None:
            return
        for process in psutil.Process(self._shell.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "run_agent.py" in " ".join(process.cmdline()):
                    process.kill()
        self._shell.wait(END)

    def status(self) -> dict[str, Any]:
        ran = python("-m", "endpoint_agent", "status", "--json", "--config", on_wine(self.config))
        assert ran.returncode == 0, ran.stderr
        return dict(orjson.loads(ran.stdout))


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[TlsIntake]:
    intake = TlsIntake(tmp_path)
    yield intake
    intake.stop()


@pytest.fixture
def agent(tmp_path: Path, intake: TlsIntake) -> Iterator[WindowsAgent]:
    agent = WindowsAgent(tmp_path, intake)
    yield agent
    agent.kill()


def at_rest(counters: dict[str, int]) -> bool:
    """Whether all that was captured has been delivered, and is accounted for."""
    return counters["queued"] == 0 and not any(one.difference(counters) for one in SUMS)


def test_every_record_arrives_whatever_happens(agent: WindowsAgent, intake: TlsIntake) -> None:
    def all_there(last: int) -> bool:
        return set(intake.records()) >= set(range(1, last + 1))

    # The mock of the service fails after the fifth record, and once more.
    agent.write(60)
    agent.start()
    wait(lambda: all_there(60))
    agent.write("down")
    wait(lambda: "1722" in agent.log.read_text().split("is read again")[-1])
    agent.write(90)
    wait(lambda: all_there(90))
    assert set(intake.records().values()) == {1}, "nothing has ended it yet"

    # Killed with records that the intake does not have, and perhaps not the queue.
    intake.stop()
    agent.write(600)
    wait(lambda: agent.status()["counters"]["captured"] > 90)
    agent.kill()
    intake.start()
    agent.start()
    wait(lambda: all_there(600))
    # What it had delivered before the kill may still come for the second time.
    wait(lambda: at_rest(agent.status()["counters"]))
    again = intake.records()
    assert all(again[number] == 1 for number in range(1, 60)), "its bookmark was long behind it"

    # Ended as a service is: the next one goes on where it was.
    status = agent.status()
    states = {hook: state for hook, state, _ in status["coverage"]}
    assert states == {"Mock": "attached", "Denied": "failed", "Not/There": "missing"}
    assert agent.stop() == 0
    assert "ends the agent" in agent.log.read_text()
    agent.write(700)
    agent.start()
    wait(lambda: all_there(700))
    assert agent.stop() == 0
    last = intake.records()
    assert {number: last[number] for number in range(1, 601)} == again
    assert set(last) == set(range(1, 701))
    assert all(last[number] == 1 for number in range(601, 701))


def test_a_second_agent_is_refused_and_status_needs_one(
    agent: WindowsAgent, intake: TlsIntake
) -> None:
    ran = python("-m", "endpoint_agent", "status", "--config", on_wine(agent.config))
    assert (ran.returncode, "no agent runs" in ran.stderr) == (1, True)
    agent.write(1)
    agent.start()
    ran = python("-m", "endpoint_agent", "run", "--config", on_wine(agent.config))
    assert ran.returncode == 1
    assert "another process" in ran.stderr or "in use" in ran.stderr, ran.stderr
    assert agent.status()["source"] == "eventlog"


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("CaptureSource: ebpf", 3, "CaptureSource: ebpf is of Linux"),
        ("EventLogChannels: [{channel: Mock, event_ids: [x]}]", 2, "event_ids: found 'x'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, line: str, status: int, message: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"IntakeKey: {KEY}\nStateDirectory: '{on_wine(tmp_path / 'state')}'\nLogFile: '-'\n{line}\n"
    )

    ran = python("-m", "endpoint_agent", "run", "--config", on_wine(config))

    assert (ran.returncode, message in ran.stderr) == (status, True), ran.stderr


@pytest.mark.parametrize("command", ["doctor", "live"])
def test_what_is_of_linux_alone_says_so(command: str) -> None:
    ran = python("-m", "endpoint_agent", command)

    assert (ran.returncode, "is not there on Windows" in ran.stderr) == (3, True), ran.stderr


@pytest.mark.parametrize(
    ("channels", "passed"), [("[Mock, Not/There]", True), ("[Mock, Denied]", False)]
)
def test_the_self_test_proves_what_it_can(tmp_path: Path, channels: str, passed: bool) -> None:
    config, word = tmp_path / "config.yaml", tmp_path / "word"
    config.write_text(f"CaptureSource: eventlog\nEventLogChannels: {channels}\n")

    ran = python(
        on_wine(FOLDER / "check_agent.py"), str(word), "--json", "--config", on_wine(config),
        MOCK_RECORDS="40",
    )  # fmt: skip

    told = orjson.loads(ran.stdout)
    assert told["proof"] == {"record written": True}
    assert (told["passed"], ran.returncode) == (passed, 0 if passed else 1)


def test_event_tracing_that_cannot_be_is_told() -> None:
    # Wine has no event tracing, and this mock no log that records are written to.
    ran = python("-m", "endpoint_agent", "check", "--json")

    told = orjson.loads(ran.stdout)
    states = {name: (state, reason) for name, state, reason in told["coverage"]}
    assert states["event tracing"][0] == "failed"
    assert "gives no session" in states["event tracing"][1]
    assert (told["passed"], ran.returncode) == (False, 1)
