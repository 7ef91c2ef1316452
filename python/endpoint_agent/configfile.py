"""Reads files that hold settings or secrets: bounded, plain values only, every key with its line.

The content is never repeated in a message, except a key that looks like one and, through
`Entry.found`, a value: the caller knows whether it is a secret.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import yaml

from endpoint_agent.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 16
MAX_VALUES = 20_000
_MAX_SHOWN = 60
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")


class Entry(NamedTuple):
    """One key of the file."""

    value: object
    line: int
    """Where the key stands, from 1."""
    found: str
    """The value in words for a message, at most about 60 characters."""
    lines: tuple[int, ...] = ()
    """Where each member of a list begins."""
    end: int = 0
    """The line after its last."""


def read_private(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file that only its owner may change, and warnings about its mode.

    Raises:
        ConfigError: unreadable, not a regular file, over 1 MB, not UTF-8, or writable by others.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path}: is not a regular file; name one")
        with path.open("rb") as file:
            warnings = _check_mode(path, os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; create it or name another") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; run as its owner") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: is longer than 1 MB; allowed: at most {MAX_BYTES} bytes")
    return _decode(path, data), warnings


def check_folder(path: Path) -> None:
    """Makes sure that nobody but its owner can put another file in the place of one that exists.

    In a sticky folder, such as /tmp, nobody can replace what is another's.

    Raises:
        ConfigError: its folder, or that of the file that a link leads to, is writable by others.
    """
    if os.name != "posix":
        return
    for folder in dict.fromkeys((path.parent, path.resolve().parent)):
        mode = folder.stat().st_mode
        if mode & 0o022 and not mode & stat.S_ISVTX:
            octal = f"{stat.S_IMODE(mode):04o}"
            raise ConfigError(
                f"{path}: its folder is writable by group or others (mode {octal}); "
                f"run: chmod go-w {shlex.quote(str(folder))}"
            )


def entries(path: Path, text: str) -> dict[str, Entry]:
    """The keys of a YAML mapping; none if the text is empty. `path` is for messages only.

    Raises:
        ConfigError: not YAML, not one mapping, a key twice, an alias, a tag, or deep nesting.
    """
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        return {} if root is None else _mapping(path, loader, root)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: holds a character that YAML forbids") from None
    except yaml.MarkedYAMLError as error:
        # Only the problem: the rest of the error quotes the line, which may hold a secret.
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: is not valid YAML: {error.problem}") from None
    finally:
        if loader is not None:
            loader.dispose()


def with_values(path: Path, text: str, values: Mapping[str, str | None]) -> str:
    """The text with other values, in YAML, of some keys, of which None removes one.

    All else stays as it is, comments and order too.

    Raises:
        ConfigError: as `entries`, or the text is not lines of `Key: value`.
    """
    before = entries(path, text)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    # From the last line to the first, so that the numbers of those before it hold.
    for key in sorted(values, key=lambda key: -before[key].line if key in before else 0):
        new = [] if (value := values[key]) is None else [f"{key}: {value}\n"]
        place = slice(before[key].line - 1, before[key].end - 1) if key in before else None
        if place:
            lines[place] = new
        else:
            lines += new
    result = "".join(lines)
    after = {key: entry.value for key, entry in entries(path, result).items()}
    unchanged = {key: entry.value for key, entry in before.items() if key not in values}
    wanted = {key: yaml.safe_load(value) for key, value in values.items() if value is not None}
    if after != unchanged | wanted:
        raise ConfigError(f"{path}: cannot be changed; write it as lines of `Key: value`")
    return result


class _Loader(yaml.SafeLoader):
    """Plain values only, so that a small file cannot become a large or an active one."""

    _depth = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            _refuse("an alias is not allowed; repeat the value", event)
        if getattr(event, "tag", None) is not None:
            _refuse("a tag is not allowed; write the plain value", event)
        if self._depth == MAX_DEPTH:
            _refuse(f"nested deeper than {MAX_DEPTH} levels", event)
        if self._values == MAX_VALUES:
            _refuse(f"more than {MAX_VALUES} values", event)
        self._values += 1
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refuse(problem: str, event: yaml.Event) -> None:
    mark = cast("yaml.Mark", event.start_mark)
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _check_mode(path: Path, mode: int) -> tuple[str, ...]:
    remedy = f"run: chmod 0600 {shlex.quote(str(path))}"
    if os.name != "posix":
        return ()
    if mode & 0o022:
        octal = f"{stat.S_IMODE(mode):04o}"
        raise ConfigError(f"{path}: is writable by group or others (mode {octal}); {remedy}")
    if mode & 0o004:
        return (f"{path}: is readable by every user of this host and may hold secrets; {remedy}",)
    return ()


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None


def _mapping(path: Path, loader: _Loader, root: yaml.Node) -> dict[str, Entry]:
    if not isinstance(root, yaml.MappingNode):
        line = root.start_mark.line + 1
        raise ConfigError(f"{path}:{line}: is not a mapping; allowed: lines of `Key: value`")
    result: dict[str, Entry] = {}
    for key_node, value_node in root.value:
        line = key_node.start_mark.line + 1
        key = _key(path, key_node)
        if key in result:
            raise ConfigError(
                f"{path}:{line}: {key}: is given twice, first on line "
                f"{result[key].line}; remove one"
            )
        lines = (
            tuple(node.start_mark.line + 1 for node in value_node.value)
            if isinstance(value_node, yaml.SequenceNode)
            else ()
        )
        mark = value_node.end_mark
        end = mark.line + (mark.column > 0)
        result[key] = Entry(_plain(loader, value_node), line, _found(value_node), lines, end + 1)
    return result


def _key(path: Path, node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode) and _KEY.fullmatch(node.value):
        return str(node.value)
    # Not repeated: `IntakeKey:secret` without a space is one long key.
    line = node.start_mark.line + 1
    raise ConfigError(
        f"{path}:{line}: holds a key that is no setting's name; "
        "allowed: `Key: value`, with a space after the colon"
    )


def _plain(loader: _Loader, node: yaml.Node) -> object:
    try:
        return loader.construct_object(node, deep=True)
    except (ValueError, OverflowError):
        # YAML takes 2026-99-99 for a date and 0x_ for a number.
        return node.value


def _found(node: yaml.Node) -> str:
    """A short form of a value. Text is quoted, so that control characters are escaped."""
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
        return str(node.value)[:_MAX_SHOWN]
    shown = repr(node.value[:_MAX_SHOWN])
    return shown if len(node.value) <= _MAX_SHOWN else f"{shown}…"
