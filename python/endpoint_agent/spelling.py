"""The original agent's spellings of the command line, turned into today's."""

from __future__ import annotations

import re
from collections.abc import Sequence

COMMAND_OPTIONS = ("--install", "--update", "--uninstall", "--doctor")

_LONG_OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w-]+)(?P<value>=.*)?", re.ASCII | re.DOTALL)


def modern(arguments: Sequence[str]) -> list[str]:
    """`-install -intake_key K` becomes `install --intake-key K`. What follows `--` stays."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words = [_modern_option(word) for word in arguments[:end]]
    for option in COMMAND_OPTIONS:
        if option in words:
            words.remove(option)
            words.insert(0, option.removeprefix("--"))
            break
    return [*words, *arguments[end:]]


def _modern_option(word: str) -> str:
    match = _LONG_OPTION.fullmatch(word)
    if match is None:
        return word
    return f"--{match['name'].replace('_', '-')}{match['value'] or ''}"
