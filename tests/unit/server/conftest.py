"""A real intake in a process of its own, on a free port of the loopback."""

from __future__ import annotations

import contextlib
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

KEYS = [f"key-{number}" for number in range(200)]

SCRIPT = """
import resource, sys
from pathlib import Path
from endpoint_agent.server.main import serve
data, self_signed, max_file, *keys = sys.argv[1:]
if int(max_file):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(max_file), int(max_file)))
serve(Path(data), "127.0.0.1:0", keys, tls_self_signed=self_signed == "yes")
"""


class IntakeProcess:
    """`serve` in a subprocess; ready when constructed."""

    def __init__(self, data: Path, *, self_signed: bool = False, max_file: int = 0) -> None:
        arguments = [str(data), "yes" if self_signed else "no", str(max_file), *KEYS]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.printed: list[str] = []
        for line in self.process.stdout:
            self.printed.append(line.rstrip("\n"))
            if line.startswith("intake listening on "):
                self.url = line.split()[-1]
                return
        raise AssertionError(self.process.communicate()[1])

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    def peak_memory(self) -> int:
        """VmHWM in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def client(self, key: str | None, verify: ssl.SSLContext | bool = False) -> httpx.Client:
        headers = {} if key is None else {"X-SEKOIAIO-INTAKE-KEY": key}
        return httpx.Client(
            base_url=self.url, headers=headers, verify=verify, timeout=20, trust_env=False
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Signals it and waits: exit status and what it wrote to stderr."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=20)
        return self.process.returncode, stderr


Start = Callable[..., IntakeProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts intakes that end with the test."""
    with contextlib.ExitStack() as stack:

        def run(data: Path, *, self_signed: bool = False, max_file: int = 0) -> IntakeProcess:
            intake = IntakeProcess(data, self_signed=self_signed, max_file=max_file)
            stack.callback(intake.process.kill)
            return intake

        yield run


@pytest.fixture(scope="package")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeProcess]:
    """One intake for all tests that only talk to it; it must end clean and silent."""
    running = IntakeProcess(tmp_path_factory.mktemp("intake"))
    try:
        yield running
        assert running.end() == (0, "")
    finally:
        running.process.kill()


_unused_keys = iter(KEYS)


@pytest.fixture
def key() -> str:
    """A key that no other test uses, and so an intake without events."""
    return next(_unused_keys)


@pytest.fixture
def anonymous(intake: IntakeProcess) -> Iterator[httpx.Client]:
    """A client that presents no key by itself."""
    with intake.client(None) as client:
        yield client


@pytest.fixture
def sender(intake: IntakeProcess, key: str) -> Iterator[httpx.Client]:
    """A client that presents its key in the header."""
    with intake.client(key) as client:
        yield client


@pytest.fixture
def stored(anonymous: httpx.Client, key: str) -> Callable[[], list[str]]:
    """Reads the raw events of the test's key, in order of arrival."""

    def read() -> list[str]:
        return [event["event"] for event in _tail(anonymous, key)]

    return read


def _tail(client: httpx.Client, key: str, limit: int = 1000) -> list[dict[str, str]]:
    """All events of a key, by the cursor."""
    found: list[dict[str, str]] = []
    while True:
        after = found[-1]["id"] if found else 0
        answer = client.get(
            "/events",
            params={"after": after, "limit": limit},
            headers={"X-SEKOIAIO-INTAKE-KEY": key},
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        if not page:
            return found
        found += page
