"""One run of the view: an intake and an agent on this host, and what the agent sees."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from endpoint_agent.config import INTAKE_KEY_VARIABLE
from endpoint_agent.errors import AgentError
from endpoint_agent.live.children import Child
from endpoint_agent.live.lines import Line, line
from endpoint_agent.live.state import State
from endpoint_agent.live.tail import Tail
from endpoint_agent.status import ask

# The rule's own, in the agent's figures.
_OWN_FILES = "3c1b0f0e-8f3f-4a57-9d53-6a2f0f6d7c11"

_LISTENING = re.compile(r"^intake listening on (\S+)\n", re.MULTILINE)


class Session:
    """Starts the intake, then the agent; stops the agent, then the intake."""

    def __init__(self, folder: Path) -> None:
        """Starts the intake. `folder` is private and empty, and keeps all that is written."""
        self.state = State(time.time())
        self._folder = folder
        # In the environment, because every user can read the arguments of a process.
        self._environment = {INTAKE_KEY_VARIABLE: secrets.token_urlsafe(24)}
        words = ["serve", "--data", str(folder / "intake"), "--listen", "127.0.0.1:0"]
        self._intake = Child("intake", words, folder / "intake.log", self._environment)
        self._agent: Child | None = None
        self._tail: Tail | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops what still runs."""
        if self._agent is not None:
            self._agent.stop()
        if self._tail is not None:
            self._tail.close()
        self._intake.stop()

    def step(self) -> list[Line]:
        """Looks how things are, and takes what has arrived since, at most a page.

        Raises:
            AgentError: the intake or the agent has ended, or cannot start.
        """
        self._intake.check()
        if self._tail is None or self._agent is None:
            self._start_agent()
            return []
        self._agent.check()
        self._ask()
        answer = self.state.answer
        # For each search the intake opens its database, and the agent reports that: one that
        # found nothing would still make events.
        if answer is None or answer["counters"]["delivered"] <= self.state.arrived:
            return []
        return self._read(self._tail)

    def finish(self) -> Iterator[list[Line]]:
        """Stops the agent, which sends what it still has, and takes that.

        Raises:
            AgentError: the intake has ended.
        """
        if self._tail is None or self._agent is None:
            return
        self._ask()
        self._agent.stop()
        while lines := self._read(self._tail):
            yield lines

    def _start_agent(self) -> None:
        """Starts the agent as soon as the intake listens."""
        listening = _LISTENING.search(self._intake.output())
        if listening is None:
            return
        url = listening[1]
        key = self._environment[INTAKE_KEY_VARIABLE]
        self._tail = Tail(url, key, self._folder / "intake" / "events.db")
        config = self._configuration(url)
        words = ["run", "--config", str(config)]
        self._agent = Child("agent", words, self._folder / "agent.log", self._environment)

    def _configuration(self, url: str) -> Path:
        settings = {
            "IntakeURL": url,
            "StateDirectory": str(self._state_folder),
            "LogFile": "-",
            "OptimizationRules": [self._rule()],
        }
        path = self._folder / "config.yaml"
        path.touch(mode=0o600)
        # JSON is YAML, and quotes what a folder's name may hold.
        path.write_bytes(orjson.dumps(settings))
        return path

    def _rule(self) -> dict[str, object]:
        """Drops what the intake does to its database: on a quiet host one would see little else."""
        own = {"field": "file.path", "operator": "contains", "value": f"{self._folder}/intake/"}
        return {"uuid": _OWN_FILES, "action": 1, "filters": [own]}

    @property
    def _state_folder(self) -> Path:
        return self._folder / "state"

    def _ask(self) -> None:
        with suppress(AgentError):  # It does not answer yet, or not any more.
            self.state.note(ask(self._state_folder), time.time())

    def _read(self, tail: Tail) -> list[Line]:
        try:
            lines = [line(raw) for raw in tail.read()]
        except AgentError:
            self._intake.check(patience=1.0)
            raise
        self.state.add(lines, time.time())
        return lines
