"""Watches: what events are tagged for. Data, shipped with the package and editable in /etc.

A watch that is no good is told with its file and line and left out; the others work.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from endpoint_agent._native import event_actions, event_details, event_syscalls
from endpoint_agent.configfile import entries, read_private
from endpoint_agent.errors import ConfigError
from endpoint_agent.rules import BadRuleError, mapping, shown

SHIPPED = Path(__file__).with_name("watches.yaml")
FILE_NAME = "watches.yaml"
"""Beside the configuration; once it is changed, it takes the place of the shipped one."""

_MARK = "# As shipped; until something below is changed, the list of the running version counts: "

MAX_WATCHES = 1000
MAX_ENTRIES = 1000
MAX_TEXT = 4096

ACTIONS = tuple(dict.fromkeys(event_actions()))
SYSCALLS = tuple(event_syscalls())
DETAILS = tuple(event_details())
_TAG = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_RANGE = re.compile(r"([0-9]{1,10})(-([0-9]{1,10})?)?")
_NAME = re.compile(r"[A-Za-z_.][A-Za-z0-9_.@\\$-]{0,255}")
_LAST_USER = 4_294_967_294
"""The number above it stands for no user."""

_LISTS = (
    *("actions", "syscalls", "details", "paths", "executables", "arguments"),
    *("effective_users", "login_users"),
)

Who = str | tuple[int, int]


class Watch(NamedTuple):
    """Something to look for. Of each list that is not empty one entry has to match."""

    tag: str
    actions: tuple[str, ...] = ()
    syscalls: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    executables: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    effective_users: tuple[Who, ...] = ()
    login_users: tuple[Who, ...] = ()


class Found(NamedTuple):
    """The watches of a file, and what is wrong with it."""

    path: Path
    watches: tuple[Watch, ...]
    complaints: tuple[str, ...]


def load(folder: Path) -> Found:
    """The watches of the file in the folder of the configuration, else the shipped ones.

    A file that cannot be used at all leaves the shipped ones, with a complaint.
    """
    own = folder / FILE_NAME
    complaints: tuple[str, ...] = ()
    if own.exists() or own.is_symlink():
        try:
            text, _ = read_private(own)
            if not is_as_shipped(text):
                return _parse(own, text)
        except ConfigError as error:
            complaints = (f"{error}; the watches of the package are used",)
    found = read(SHIPPED)
    return found._replace(complaints=(*complaints, *found.complaints))


def read(path: Path) -> Found:
    """The watches of one file.

    Raises:
        ConfigError: it cannot be read, or holds no list of watches.
    """
    text, _ = read_private(path)
    return _parse(path, text)


def copy() -> str:
    """The shipped file to be edited, marked: one that nobody has changed must not outlive it."""
    text = SHIPPED.read_text(encoding="utf-8")
    return f"{_MARK}{_digest(text)}\n{text}"


def is_as_shipped(text: str) -> bool:
    """Whether a file is a copy, of this version or another, that nobody has changed."""
    first, _, rest = text.partition("\n")
    return first == f"{_MARK}{_digest(rest)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _parse(path: Path, text: str) -> Found:
    found = entries(path, text)
    entry = found.get("watches")
    others = ", ".join(key for key in found if key != "watches")
    if others or entry is None or not isinstance(entry.value, list):
        what = f"holds {others}" if others else "holds no list of watches"
        raise ConfigError(f"{path}: {what}; allowed: one key, watches, with a list")
    watches: list[Watch] = []
    complaints: list[str] = []
    for value, line in zip(entry.value[:MAX_WATCHES], entry.lines, strict=False):
        try:
            watches.append(_watch(value))
        except BadRuleError as error:
            complaints.append(f"{path}:{line}: this watch is ignored: {error}")
    if len(entry.value) > MAX_WATCHES:
        line = entry.lines[MAX_WATCHES]
        complaints.append(f"{path}:{line}: more than {MAX_WATCHES}; all from here on are ignored")
    return Found(path, tuple(watches), tuple(complaints))


def _watch(value: object) -> Watch:
    members = mapping(value, ("tag",), _LISTS)
    tag = members["tag"]
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise BadRuleError(f"tag: found {shown(tag)}; allowed: 1 to 64 letters, digits and _ . : -")
    watch = Watch(
        tag,
        tuple(_one_of("actions", text, ACTIONS) for text in _texts(members, "actions")),
        tuple(_one_of("syscalls", text, SYSCALLS) for text in _texts(members, "syscalls")),
        tuple(_one_of("details", text, DETAILS) for text in _texts(members, "details")),
        tuple(_pattern("paths", text, "/*") for text in _texts(members, "paths")),
        tuple(_pattern("executables", text, "") for text in _texts(members, "executables")),
        tuple(_texts(members, "arguments")),
        _users(members, "effective_users"),
        _users(members, "login_users"),
    )
    if not any(watch[1:]):
        raise BadRuleError(f"it says nothing to look for; give {', '.join(_LISTS)}")
    return watch


def _members(members: dict[str, object], key: str) -> list[object]:
    value = members.get(key, [])
    if not isinstance(value, list) or len(value) > MAX_ENTRIES or (key in members and not value):
        raise BadRuleError(
            f"{key}: found {shown(value)}; allowed: a list of 1 to {MAX_ENTRIES} entries"
        )
    return value


def _texts(members: dict[str, object], key: str) -> Iterator[str]:
    for text in _members(members, key):
        if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT or not text.isprintable():
            raise BadRuleError(f"{key}: found {shown(text)}; allowed: a printable text")
        yield text


def _one_of(key: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise BadRuleError(f"{key}: found {shown(text)}; allowed: {', '.join(known)}")
    return text


def _pattern(key: str, text: str, first: str) -> str:
    if text.count("*") > 2:
        raise BadRuleError(f"{key}: found {shown(text)}; allowed: at most two *")
    if first and text[0] not in first:
        raise BadRuleError(f"{key}: found {shown(text)}; allowed: an absolute path, or * at first")
    return text


def _users(members: dict[str, object], key: str) -> tuple[Who, ...]:
    return tuple(_who(key, user) for user in _members(members, key))


def _who(key: str, value: object) -> Who:
    """`root`, `0`, `1000-` (to the last), `1000-59999`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and (match := _RANGE.fullmatch(text)):
        least = int(match[1])
        most = int(match[3] or _LAST_USER) if match[2] else least
        if least <= most <= _LAST_USER:
            return least, most
    elif isinstance(text, str) and _NAME.fullmatch(text):
        return text
    raise BadRuleError(
        f"{key}: found {shown(value)}; allowed: a name, a number, or numbers as 1000-1999"
    )
