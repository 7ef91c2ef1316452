"""An event as one line: read from its JSON, with nothing in it that a terminal would obey."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec

FAMILIES = ("process", "file", "network", "agent")
"""By the event's category, or by what acted; what is neither the agent says about itself."""

STATS = "stats"
MAX_TEXT = 1_000
"""Characters of one column."""
_BY_PROCESSES = ("driver", "authentication", "session", "iam")
"""Categories of what processes do."""
_SHOWN = (
    *("request", "signal", "uid", "euid", "pe", "namespaces"),
    *("name", "prog-type", "prog-name"),
)
"""Properties that say what was done where nothing else does."""
_STATS_SHOWN = ("captured", "spooled", "delivered", "queued", "lost")


class Line(NamedTuple):
    """What is shown of an event. Every text is printable, and at most `MAX_TEXT` characters."""

    when: datetime
    """UTC."""
    family: str
    action: str
    user: str
    pid: str
    process: str
    object: str
    """What was done: the command, the file, the two ends of the connection, the message."""
    sequence: int
    """Number of the event in the agent's run; 0 if it has none."""
    counters: dict[str, int] | None = None
    """Those of a `stats` event."""


class _Event(msgspec.Struct, frozen=True):
    action: str = ""
    category: list[str] = []
    outcome: str = ""
    reason: str = ""
    sequence: int = 0


class _User(msgspec.Struct, frozen=True):
    id: str = ""
    name: str = ""


class _Process(msgspec.Struct, frozen=True):
    pid: int | None = None
    name: str = ""
    executable: str = ""
    command_line: str = ""
    exit_code: int | None = None


class _File(msgspec.Struct, frozen=True):
    path: str = ""


class _End(msgspec.Struct, frozen=True):
    ip: str = ""
    port: int = 0


class _Question(msgspec.Struct, frozen=True):
    name: str = ""
    type: str = ""


class _Record(msgspec.Struct, frozen=True):
    data: str = ""


class _Dns(msgspec.Struct, frozen=True):
    question: _Question = _Question()
    answers: list[_Record] = []
    response_code: str = ""


class _Action(msgspec.Struct, frozen=True):
    properties: dict[str, Any] = {}


class _Log(msgspec.Struct, frozen=True):
    level: str = ""


class _Repeat(msgspec.Struct, frozen=True):
    count: int = 1


class _Own(msgspec.Struct, frozen=True):
    target_process: _Process | None = None
    repeat: _Repeat | None = None


class _Ecs(msgspec.Struct, frozen=True):
    when: Annotated[datetime, msgspec.Meta(tz=True)] = msgspec.field(name="@timestamp")
    event: _Event
    user: _User = _User()
    process: _Process = _Process()
    file: _File | None = None
    source: _End = _End()
    destination: _End = _End()
    dns: _Dns | None = None
    action: _Action = _Action()
    log: _Log = _Log()
    sekoiaio: _Own = _Own()


_decode = msgspec.json.Decoder(_Ecs).decode


def line(raw: str) -> Line:
    """The line of an event. One that is not as the agent writes them is shown as it came."""
    try:
        ecs = _decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Line(datetime.now(UTC), "agent", "unreadable", "", "", "", printable(raw), 0)
    event, process = ecs.event, ecs.process
    stats = event.action == STATS
    return Line(
        ecs.when,
        _family(event.category),
        printable(event.action or ecs.log.level),
        printable(ecs.user.name or ecs.user.id),
        "" if process.pid is None else str(process.pid),
        printable(process.name),
        printable(_object(ecs) + _repeats(ecs.sekoiaio.repeat)),
        event.sequence,
        _counters(ecs.action.properties) if stats else None,
    )


def printable(text: str) -> str:
    r"""The text with escapes such as `\x1b` for all that is no visible character.

    That leaves out control characters, and those that reorder or hide what is beside them.
    """
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 3] + "..."
    if text.isprintable():
        return text
    escaped = (
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
    return "".join(escaped)[:MAX_TEXT]


def encodable(text: str, encoding: str) -> str:
    r"""The text with escapes such as `\u20ac` for what an encoding lacks."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def time_of_day(line: Line) -> str:
    """The event's time: `12:50:54.116`."""
    return f"{line.when:%H:%M:%S}.{line.when.microsecond // 1000:03}"


def plain(line: Line) -> str:
    """The line as text without a limit of width."""
    return (
        f"{time_of_day(line)} {line.action:24} {line.user:8} {line.pid:>7} "
        f"{line.process:15} {line.object}"
    ).rstrip()


def _family(category: list[str]) -> str:
    first = category[0] if category else ""
    if first in _BY_PROCESSES:
        return "process"
    return first if first in FAMILIES else "agent"


def _object(ecs: _Ecs) -> str:
    properties = ecs.action.properties
    if ecs.file is not None:
        old = properties.get("old_path")
        failure = f" ({properties.get('exit')})" if ecs.event.outcome == "failure" else ""
        return (f"{old} -> {ecs.file.path}" if old else ecs.file.path) + failure
    if ecs.dns is not None:
        return _resolution(ecs.dns)
    if ecs.destination.ip:
        return _ends(ecs)
    if ecs.process.exit_code is not None:
        return f"exit status {ecs.process.exit_code}"
    if ecs.event.action == STATS:
        counters = _counters(properties)
        return ", ".join(f"{name} {counters.get(name, 0):,}" for name in _STATS_SHOWN)
    return ecs.event.reason or _details(ecs) or ecs.process.command_line or ecs.process.executable


def _details(ecs: _Ecs) -> str:
    properties, target = ecs.action.properties, ecs.sekoiaio.target_process
    known = ((name, properties.get(name)) for name in _SHOWN)
    shown = [
        f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in known
        if value is not None
    ]
    if target is not None:
        shown.append(f"-> {target.pid} {target.command_line or target.name}".rstrip())
    return " ".join(shown)


def _ends(ecs: _Ecs) -> str:
    ends = [_end(end) for end in (ecs.source, ecs.destination) if end.ip]
    failure = ecs.action.properties.get("exit") or ecs.event.outcome
    return " -> ".join(ends) + (f" ({failure})" if ecs.event.outcome == "failure" else "")


def _resolution(dns: _Dns) -> str:
    asked = f"{dns.question.name} {dns.question.type}".strip()
    answered = ", ".join(answer.data for answer in dns.answers) or dns.response_code
    return f"{asked} -> {answered}" if answered else asked


def _end(end: _End) -> str:
    return f"[{end.ip}]:{end.port}" if ":" in end.ip else f"{end.ip}:{end.port}"


def _repeats(repeat: _Repeat | None) -> str:
    return f" ({repeat.count:,} times)" if repeat and repeat.count > 1 else ""


def _counters(properties: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in properties.items() if type(value) is int}
