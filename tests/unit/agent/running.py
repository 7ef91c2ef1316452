"""An agent in this process, whose capture is a mock: acted upon, stopped, and what it left."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from endpoint_agent import agent
from endpoint_agent._native import Rules, Spool
from endpoint_agent.config import Settings, load
from endpoint_agent.errors import AgentError, HandoverError, UnsupportedError
from endpoint_agent.status import ask

# Nothing listens on the discard port, so that the queue keeps what the agent reports.
CONFIGURATION = """
IntakeKey: secret
IntakeURL: http://127.0.0.1:9
StateDirectory: {state}
LogFile: {folder}/agent.log
"""


class Manager:
    """A service manager, which hears what the agent tells it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000")

    def hears(self, words: str) -> None:
        """Waits until it hears the words."""
        while self.socket.recv(4096).decode() != words:
            pass


class MockPipeline:
    """A mock of the native pipeline: it captures one event, while it is being stopped."""

    refused: ClassVar[tuple[str, ...]] = ()
    """Sources that cannot be opened."""
    fails: ClassVar[bool] = False
    envelopes: ClassVar[list[bytes]] = []
    rules: ClassVar[list[Rules]] = []

    def __init__(self, spool: Spool, **given: Any) -> None:
        if given["source"] in self.refused:
            raise UnsupportedError(f"no {given['source']}; boot a newer kernel")
        assert (
            b"{" + given["envelope"] + b"}"
            == json.dumps(
                json.loads(b"{" + given["envelope"] + b"}"), separators=(",", ":")
            ).encode()
        )
        self._spool = spool
        self._notices = [("warning", "a hook is missing")]

    def start(self) -> None:
        pass

    def ready(self, timeout: float) -> bool:
        return True

    def finished(self) -> bool:
        return self.fails

    def coverage(self) -> list[tuple[str, str, str]]:
        return [("exec", "attached", ""), ("openat2", "missing", "no such tracepoint")]

    def set_envelope(self, members: bytes) -> None:
        self.envelopes.append(members)

    def set_rules(self, rules: Rules) -> None:
        self.rules.append(rules)

    def notices(self) -> list[tuple[str, str]]:
        told, self._notices = self._notices, []
        return told

    @staticmethod
    def take_over(stand_by: MockStandBy, spool: Spool, **given: Any) -> MockPipeline:
        stand_by.taken = True
        return MockPipeline(spool, source="ebpf", **given)

    def tell_until(self, cut: tuple[int, int] | None) -> bool:
        return True

    def stop(self) -> None:
        self._spool.append(b'{"event":{"action":"captured-at-the-end"}}')
        self._notices.append(("error", "told at the end"))


class MockStandBy:
    """A mock of a capture that waits for its turn."""

    made: ClassVar[list[MockStandBy]] = []

    def __init__(self, *, before: int, **given: Any) -> None:
        self.before = before
        self.taken = False
        self.made.append(self)

    def tell_from(self, boot: int, wall: int) -> bool:
        return True


class MockSuccessor:
    """A mock of the next agent."""

    fails: ClassVar[str] = ""
    heard: ClassVar[list[str]] = []
    pid = 4711

    def __init__(self, notifier: object, pair: tuple[socket.socket, socket.socket]) -> None:
        for end in pair:
            end.close()
        self.has_agreed = False
        self.heard.append("start")

    def is_ready(self) -> bool:
        if self.fails:
            raise HandoverError(self.fails)
        return True

    def agree(self, tell_until: Callable[[tuple[int, int] | None], bool]) -> None:
        assert tell_until((1, 2))
        self.has_agreed = True

    def done(self, is_to_stop: bool) -> None:
        self.heard.append("stop" if is_to_stop else "done")

    def is_left(self, signals: object) -> bool:
        return True

    def abort(self) -> None:
        self.heard.append("abort")


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_answering(settings: Settings) -> bool:
    """Whether the agent runs. Its socket is there a moment before it listens."""
    try:
        ask(settings.state_directory)
    except AgentError:
        return False
    return True


def run(config_path: Path, *actions: Callable[[Settings], object]) -> int:
    """Runs the agent; another thread does the actions once it answers, and then ends it."""
    settings = load(config_path)

    def act() -> None:
        try:
            wait_for(lambda: is_answering(settings))
            for action in actions:
                action(settings)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        return agent.run(settings, config_path, None)
    finally:
        thread.join()


def left(tmp_path: Path) -> list[dict[str, Any]]:
    """The records in the queue of an agent that has ended."""
    spool = Spool(str(tmp_path / "state" / agent.QUEUE))
    records = []
    while batch := spool.next_batch(0.0, max_wait=0.0):
        records += [json.loads(line) for line in gzip.decompress(batch.body).splitlines()]
        spool.ack(batch)
    spool.close()
    return records


def words(record: dict[str, Any]) -> str:
    """What a record is, in a word or two."""
    event = record["event"]
    return str(event.get("action") or event["reason"]).partition(":")[0]
