"""The agent and the intake as a user runs them: processes of their own on this host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from endpoint_agent.errors import AgentError
from endpoint_agent.status import ask

from .capture import PATIENCE

KEY = "a-key-for-tests"
COMMAND = [sys.executable, "-m", "endpoint_agent"]

# Nothing listens on the discard port.
NOWHERE = "http://127.0.0.1:9"

# Seconds.
START = 30.0 * PATIENCE
END = 15.0 * PATIENCE


def wait(condition: Callable[[], Any], seconds: float = START) -> Any:
    """What the condition returns, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return result


class Intake:
    """`endpoint-agent serve` in a process."""

    def __init__(self, folder: Path, *more_keys: str) -> None:
        """Starts it with its data in a folder, and waits until it listens."""
        folder.mkdir(exist_ok=True)
        keys = folder / "keys"
        keys.write_text("\n".join((KEY, *more_keys)))
        keys.chmod(0o600)
        options = ["--data", folder / "data", "--listen", "127.0.0.1:0", "--intake-key-file", keys]
        self._process = subprocess.Popen(
            [*COMMAND, "serve", *map(str, options)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().removeprefix("intake listening on ").strip()
        assert self.url.startswith("http://127.0.0.1:")

    def events(self, **filters: str) -> list[dict[str, Any]]:
        """The events that match, in the order of their arrival."""
        found: list[dict[str, Any]] = []
        after = 0
        while page := self._page(after=str(after), limit="1000", **filters):
            found += [json.loads(entry["event"]) for entry in page]
            after = page[-1]["id"]
        return found

    def _page(self, **parameters: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.url}/events?{urlencode(parameters)}", headers={"X-SEKOIAIO-INTAKE-KEY": KEY}
        )
        with urllib.request.urlopen(request, timeout=START) as answer:
            return list(json.load(answer))

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.communicate(timeout=END)


class Agent:
    """`endpoint-agent run` in a process, with its files in a folder that outlives it."""

    def __init__(self, folder: Path) -> None:
        """Starts nothing yet."""
        self.state = folder / "state"
        self.log = folder / "agent.log"
        self.config = folder / "config.yaml"
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, url: str, **settings: Any) -> None:
        """Writes the configuration."""
        values = {
            "IntakeKey": KEY,
            "IntakeURL": url,
            "StateDirectory": self.state,
            "LogFile": self.log,
        } | settings
        self.config.write_text("".join(f"{key}: {value}\n" for key, value in values.items()))
        self.config.chmod(0o600)

    def start(self, *options: str) -> None:
        """Starts it, and waits until it captures and answers."""
        command = [*COMMAND, "run", "--config", str(self.config), *options]
        self._process = subprocess.Popen(command)
        wait(self.status)

    def status(self) -> dict[str, Any] | None:
        """What it answers; None when it does not yet."""
        assert self._process is not None
        assert self._process.poll() is None, f"the agent has ended: {self.log.read_text()}"
        try:
            answer = ask(self.state)
        except AgentError:
            return None
        return answer if answer["pid"] == self._process.pid else None

    def counters(self) -> dict[str, int]:
        """Its counters now."""
        return dict(wait(self.status)["counters"])

    def queued(self, text: str = "") -> Iterator[dict[str, Any]]:
        """The records in the files of its queue that have a text in them, whole ones only."""
        data = b"".join(path.read_bytes() for path in sorted((self.state / "queue").iterdir()))
        for part in data.split(b'{"@timestamp"')[1:]:
            if text.encode() not in part:
                continue
            with suppress(ValueError):
                record = b'{"@timestamp"' + part
                yield json.JSONDecoder().raw_decode(record.decode("utf-8", "replace"))[0]

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def reload(self) -> None:
        """Sends it SIGHUP."""
        self.send(signal.SIGHUP)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends it a signal and waits for its end; the exit status."""
        self.send(number)
        assert self._process is not None
        return self._process.wait(END)

    def kill(self) -> None:
        """Ends it without a word, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(END)
