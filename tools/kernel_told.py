"""docs/coverage.md, read back: what was told by runs that this machine has nothing of.

Of a test that did not fail the page has no more than that there is one, and it gets a number for
its name. What was seen is told of a kernel, and so of each of its runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kernel_results import NOT_RUN, Run, file_of

VERSION = re.compile(r"^- (\w+): (.*)$", re.MULTILINE)
FAILED = re.compile(r"^On (.*), these failed: (.*)\.$", re.MULTILINE)
# Those that failed are named.
COUNTS = re.compile(r"(\d+) / \d+ / (\d+)(?:, (\d+) not run)? (\w+)")
BECAME = ("passed", "skipped", NOT_RUN)


def told(page: Path) -> list[Run]:
    """The runs of all kernels that a page tells of, one of each tree; none if there is no page."""
    try:
        text = page.read_text()
    except FileNotFoundError:
        return []
    failed = {name: re.findall("`(.*?)`", tests) for name, tests in FAILED.findall(text)}
    versions = dict(VERSION.findall(text))
    (_, *names), *counts = rows(text, "tests")
    _, *hooks = rows(text, "kernel")
    _, *events = rows(text, "source")
    found: list[Run] = []
    for number, (name, row) in enumerate(zip(names, hooks, strict=True), 1):
        cells = {f"tests/{file.strip('`')}": cells[number - 1] for file, *cells in counts[:-1]}
        seen = {(row[0], row[1].strip("`")) for row in events if row[number + 1] == "yes"}
        found += runs(row, cells, failed.get(name, []), versions, seen)
    return found


def rows(text: str, first: str) -> list[list[str]]:
    """The rows of the table that begins with this word, its head among them."""
    lines = text[text.index(f"| {first} |") :].partition("\n\n")[0].splitlines()
    return [line.strip("|")[1:-1].split(" | ") for line in lines if not line.startswith("| ---")]


def runs(
    hooks: list[str],
    cells: dict[str, str],
    failed: list[str],
    versions: dict[str, str],
    seen: set[tuple[str, str]],
) -> Iterator[Run]:
    """A column's runs; that of which the hooks are told is the last."""
    release, _, tier = hooks[0].partition(" ")
    states: list[tuple[str, str, str]] = [
        *((str(number), "attached", "") for number in range(int(hooks[2]))),
        *((name, "missing", "") for name in re.findall("`(.*?)`", hooks[3])),
        *((name, "failed", "") for name in re.findall("`(.*?)`", hooks[4])),
    ]
    of: dict[str, dict[str, str]] = {hooks[1]: {}}
    for file, cell in cells.items():
        if counts := COUNTS.fullmatch(cell):
            tests = {test: "failed" for test in failed if file_of(test) == file}
            for became, number in zip(BECAME, counts.groups(), strict=False):
                tests |= {f"{file}::{became} {nth}": became for nth in range(int(number or 0))}
            of.setdefault(counts[4], {}).update(tests)
    for letter, tests in sorted(of.items(), key=lambda item: item[0] == hooks[1]):
        files = {file_of(test) for test in tests}
        version = versions[letter]
        yield Run(Path(), release, tier or "auto", version, files, tests, [], states, seen)
