"""`endpoint-agent check`: says what this host supports, and proves it by known acts."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from endpoint_agent import selftest_windows, source, support
from endpoint_agent._native import Pipeline, Spool
from endpoint_agent.config import Settings
from endpoint_agent.envelope import VERSION, Envelope
from endpoint_agent.errors import AgentError
from endpoint_agent.eventlogs import LAST_ID

# Seconds, as a machine may need that has ten times as much to do as it can. What works takes one.
READY = 60.0
PROBE = 60.0
ARRIVAL = 30.0

# What the child does in the folder and to the port of the listening socket that it is given, after
# having been executed. All acts are its own: the audit system may not watch who was there before.
CHILD = """
import os, socket, sys
folder, port = sys.argv[1], int(sys.argv[2])
made, moved = folder + "/made", folder + "/moved"
os.close(os.open(made, os.O_CREAT | os.O_WRONLY, 0o600))
os.close(os.open(made, os.O_WRONLY))
os.rename(made, moved)
os.unlink(moved)
listener = socket.socket(fileno=int(sys.argv[3]))
client = socket.create_connection(("127.0.0.1", port), 30)
listener.accept()[0].close()
client.close()
"""

SYSTEM = "Windows" if sys.platform == "win32" else "Linux"

Event = dict[str, Any]


@dataclass
class Act:
    """Something the self-test does and waits to see."""

    name: str
    action: str | None
    matches: Callable[[Event], bool]
    seen: bool = False


@dataclass
class Result:
    """What the self-test found."""

    kernel: str
    facts: list[support.Fact]
    source: str | None = None
    fallback: str = ""
    """Why the source is not eBPF."""
    coverage: list[tuple[str, str, str]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Every act was seen, and of Windows' log no channel is closed. One may be missing."""
        is_open = self.source not in source.OF_WINDOWS or all(
            hook[1] != "failed" for hook in self.coverage
        )
        return bool(self.acts) and all(act.seen for act in self.acts) and is_open

    @property
    def warnings(self) -> list[str]:
        """What is less than it could be, why, and what to do."""
        if not self.fallback:
            return []
        return [
            "eBPF cannot be used here; events come from the audit system, which tells less: "
            + self.fallback
        ]


def check(settings: Settings, as_json: bool) -> int:
    """Prints what the host supports and whether known acts are seen; the exit status.

    That is 0 if all were seen, by whatever source: a host that has fallen back to the audit system
    is covered, and warned of.

    Args:
        settings: how the agent would capture.
        as_json: in JSON and not as text.

    Raises:
        NotPermittedError: a capability is missing.
        UnsupportedError: the kernel lacks a feature.
    """
    result = Result(support.kernel(), _facts())
    try:
        source.require_any()
        with _scratch() as folder:
            _prove(result, folder, settings)
    except AgentError as error:
        result.error = str(error)
        raise
    finally:
        print(_as_json(result) if as_json else "\n".join(_lines(result)), flush=True)
    return 0 if result.passed else 1


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder for the self-test's queue and files, removed afterwards."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="endpoint-agent-check-")
    except OSError as error:
        raise AgentError(
            f"the self-test needs a temporary folder: {error.strerror}; "
            "set TMPDIR to one that can be written"
        ) from error
    with folder as name:
        yield name


def _prove(result: Result, folder: str, settings: Settings) -> None:
    """Captures on a queue of its own while a child does what is known, and looks for it."""
    with ExitStack() as parts:
        spool = Spool(folder + "/queue")
        parts.callback(spool.close)

        def make(name: str) -> Pipeline:
            return Pipeline(
                spool,
                source=name,
                agent_id="0" * 64,
                envelope=Envelope("0" * 64).members(),
                state_directory=folder,
                mute=False,
                # The running agent may have lent the audit system; two would put it back twice.
                logins=False,
                dns=settings.enable_dns_resolutions,
                tier=settings.capture_tier,
                channels=_channels(settings),
            )

        chosen = source.open_pipeline(settings.capture_source, make)
        pipeline = chosen.pipeline
        result.source, result.fallback = chosen.source, chosen.reason
        parts.callback(pipeline.stop)
        pipeline.start()
        pipeline.ready(READY)
        result.coverage = pipeline.coverage()
        if chosen.source in source.OF_WINDOWS:
            result.acts = _act_on_windows(result.coverage)
            _await(spool, result.acts)
            return
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            result.acts = acts(Path(folder).name, port)
            _act(folder, port, listener)
        _await(spool, result.acts)


def _facts() -> list[support.Fact]:
    return selftest_windows.facts() if sys.platform == "win32" else support.facts()


def _act_on_windows(coverage: list[tuple[str, str, str]]) -> list[Act]:
    """Does what is known, and says how it is told: by event tracing, where that is read."""
    word = uuid.uuid4().hex
    selftest_windows.write_record(word)
    done = [Act("record written", None, lambda event: selftest_windows.matches(event, word))]
    if selftest_windows.traces_processes(coverage):
        _execute([sys.executable, "-c", "pass", word])
        started = Act(
            "program executed",
            "process-created",
            lambda event: word in str(event.get("process", {}).get("command_line")),
        )
        done.append(started)
    return done


def _channels(settings: Settings) -> list[tuple[str, list[tuple[int, int]]]]:
    """Those of the settings, to see whether they are open, but no record of theirs; and the one
    that the self-test writes to."""
    nothing = [(LAST_ID, LAST_ID)]
    names = (channel.name for channel in settings.event_log_channels)
    own = selftest_windows.CHANNEL
    number = selftest_windows.EVENT_ID
    return [(own, [(number, number)]), *((name, nothing) for name in names if name != own)]


def acts(folder: str, port: int) -> list[Act]:
    """What the child does in a folder of a unique name and to a port, as events tell it.

    Paths are compared by their end: the kernel tells them as seen from outside a container.
    """
    pids: set[int] = set()

    def executed(event: Event) -> bool:
        process = event.get("process", {})
        found = any(argument.endswith(folder) for argument in process.get("args", ()))
        if found:
            pids.add(process.get("pid"))
        return found

    def by_child(event: Event) -> bool:
        return event.get("process", {}).get("pid") in pids

    def of_file(name: str) -> Callable[[Event], bool]:
        end = f"/{folder}/{name}"
        return lambda event: str(event.get("file", {}).get("path")).endswith(end)

    def to_port(event: Event) -> bool:
        return bool(event.get("destination", {}).get("port") == port)

    def accepted(event: Event) -> bool:
        # The audit system does not tell the own end of a connection.
        return to_port(event) or by_child(event)

    return [
        Act("program executed", "process-created", executed),
        Act("file created", "file-created", of_file("made")),
        Act("file written", "file-modified", of_file("made")),
        Act("file renamed", "renamed", of_file("moved")),
        Act("file deleted", "file-deleted", of_file("moved")),
        Act("connection opened", "connected-to", to_port),
        Act("connection accepted", "accepted-connection-from", accepted),
        Act("program ended", "process-ended", by_child),
    ]


def _act(folder: str, port: int, listener: socket.socket) -> None:
    fd = listener.fileno()
    _execute([sys.executable, "-I", "-S", "-c", CHILD, folder, str(port), str(fd)], fd)


def _execute(command: list[str], *descriptors: int) -> None:
    try:
        subprocess.run(
            command, check=True, timeout=PROBE, capture_output=True, pass_fds=descriptors
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise AgentError(
            f"the self-test could not act: {error}; see what limits processes"
        ) from error


def _await(spool: Spool, expected: list[Act]) -> None:
    """Reads the queue until every act was seen, or the time is over."""
    deadline = time.monotonic() + ARRIVAL
    while not all(act.seen for act in expected):
        left = deadline - time.monotonic()
        if left <= 0:
            return
        batch = spool.next_batch(left, max_records=1000, max_wait=0.05)
        if batch is not None:
            recognise(gzip.decompress(batch.body), expected)
            spool.ack(batch)


def recognise(body: bytes, expected: list[Act]) -> None:
    """Marks the acts that lines of events tell."""
    for line in body.splitlines():
        event = orjson.loads(line)
        for act in expected:
            if not act.seen and event["event"].get("action") == act.action:
                act.seen = act.matches(event)


def _as_json(result: Result) -> str:
    answer = {
        "version": VERSION,
        "kernel": result.kernel,
        "facts": [
            {"name": fact.name, "met": fact.met, "detail": fact.detail} for fact in result.facts
        ],
        "source": result.source,
        "fallback": result.fallback,
        "warnings": result.warnings,
        "coverage": result.coverage,
        "proof": {act.name: act.seen for act in result.acts},
        "passed": result.passed,
        "error": result.error,
    }
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode("utf-8")


def _lines(result: Result) -> Iterator[str]:
    yield f"endpoint-agent {VERSION} on {SYSTEM} {result.kernel}"
    yield from _table("Host", ((fact.name, bool(fact.met), fact.detail) for fact in result.facts))
    hooks = (
        (hook, state == "attached", f"{state} {reason}") for hook, state, reason in result.coverage
    )
    title = "Channels and sessions" if result.source in source.OF_WINDOWS else "Hooks"
    yield from _table(f"{title} of the source {result.source}", hooks)
    yield from _table(
        "Known acts",
        ((act.name, act.seen, "seen" if act.seen else "not seen") for act in result.acts),
    )
    if result.error is None:
        yield ""
        yield from (f"Warning: {warning}" for warning in result.warnings)
        by = " by the audit system alone" if result.fallback else ""
        yield (
            f"This host is covered{by}." if result.passed else "This host is NOT covered as listed."
        )


def _table(title: str, rows: Iterator[tuple[str, bool, str]]) -> Iterator[str]:
    lines = [
        f"  {'ok' if met else '--'}  {name:26} {detail}".rstrip() for name, met, detail in rows
    ]
    if lines:
        yield from ("", title, *lines)
