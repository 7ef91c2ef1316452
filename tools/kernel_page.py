"""docs/coverage.md: which kernel covers what, and how it is known."""

from __future__ import annotations

from collections import Counter, defaultdict

from kernel_results import ALL, CUT, NOT_RUN, Column, Run, files_of

HEAD = """# What is covered on which kernel

Made by `make coverage` from what `make test-kernels` has left: the live tests and the attacks on
kernels of Debian, booted in QEMU. A column is a kernel; with a tier, if better programs were not
tried. Of each file of tests the last run that was whole counts, wherever it was made, and its
letter names the tree:
"""

TESTS = """## Tests

Passed / failed / skipped, and the tree; where a run was cut short, how many tests were not run.
"""

HOOKS = """## Hooks
"""

EVENTS = """## Events

An event is covered where the tests, or the acts of `endpoint-agent check`, have seen it from that
source. It is `no` only where all the tests were run.
"""


def page(columns: list[Column], absent: list[str]) -> str:
    """The page; `absent` are the kernels of which there is nothing."""
    versions = sorted(
        {run.version for column in columns for run in [column.last, *column.runs.values()]},
        key=lambda version: (version.split()[2:], version),
    )
    letters = {version: chr(ord("a") + number) for number, version in enumerate(versions)}
    lines = [
        HEAD,
        *(f"- {letter}: {version}" for version, letter in letters.items()),
        *([f"\nNot run: {', '.join(absent)}."] if absent else []),
        "",
        TESTS,
        *table(["tests", *(column.name for column in columns)], tests(columns, letters)),
        "",
        *(failed(column) for column in columns if "failed" in column.tests().values()),
        HOOKS,
        *table(
            ["kernel", "tree", "attached", "the kernel has not", "it refused"],
            [hooks(column, letters[column.last.version]) for column in columns],
        ),
        "",
        EVENTS,
        *table(["source", "`event.action`", *(column.name for column in columns)], events(columns)),
        "",
    ]
    return "\n".join(lines)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def tests(columns: list[Column], letters: dict[str, str]) -> list[list[str]]:
    """A row for each file, and one of their sums."""
    return [
        *(
            [
                f"`{file.removeprefix('tests/')}`",
                *(
                    f"{counts(run.of(file))} {letters[run.version]}" if run else ""
                    for run in (column.runs.get(file) for column in columns)
                ),
            ]
            for file in files_of(ALL)
        ),
        ["all", *(counts(column.tests()) for column in columns)],
    ]


def counts(outcomes: dict[str, str]) -> str:
    """What became of tests."""
    of = Counter(outcomes.values())
    missed = of[NOT_RUN] + of[CUT]
    ended = f"{of['passed']} / {of['failed']} / {of['skipped']}"
    return f"{ended}, {missed} not run" if missed else ended


def failed(column: Column) -> str:
    """Which tests failed when they were last run."""
    names = [f"`{test}`" for test, became in column.tests().items() if became == "failed"]
    return f"On {column.name}, these failed: {', '.join(names)}.\n"


def hooks(column: Column, letter: str) -> list[str]:
    """A row of hooks."""
    states = defaultdict[str, list[str]](list)
    for hook, state, _ in column.last.hooks:
        states[state].append(f"`{hook}`")
    named = (", ".join(sorted(set(states[state]))) or "none" for state in ("missing", "failed"))
    release = column.name.replace(column.name.split()[0], column.last.release, 1)
    return [release, letter, str(len(states["attached"])), *named]


def events(columns: list[Column]) -> list[list[str]]:
    """A row for each source and each event that any was seen to tell."""
    seen = {event for column in columns for event in column.seen}
    sources, actions = ({event[at] for event in seen} for at in (0, 1))
    return [
        [source, f"`{action}`", *(whether(column, (source, action)) for column in columns)]
        for source in sorted(sources)
        for action in sorted(actions)
    ]


def whether(column: Column, event: tuple[str, str]) -> str:
    """Whether an event was seen from a source."""
    if event in column.seen:
        return "yes"
    whole = all(file in column.runs and column.runs[file].has_whole(file) for file in files_of(ALL))
    return "no" if whole else ""


def terminal(runs: list[Run]) -> str:
    """What came of the runs, for a terminal."""
    lines = [f"{'kernel':<28} {'hooks':>9} {'passed':>7} {'failed':>7} {'skipped':>8}"]
    for run in runs:
        attached = sum(state == "attached" for _, state, _ in run.hooks)
        lines.append(
            f"{run.release:<28} {attached:>4}/{len(run.hooks):<4} {run.count('passed'):>7} "
            f"{run.count('failed'):>7} {run.count('skipped'):>8}"
        )
        lines += [f"    {hook}: {reason}" for hook, state, reason in run.hooks if state == "failed"]
        lines += [f"    FAILED {failure}" for failure in run.failures]
    return "\n".join(lines)
