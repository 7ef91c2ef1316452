"""What the boots of other kernels have left, read.

The folder of one has `run.json` (what was asked for, the tier, the version of the tree), `outcomes`
(what became of each test, told as it happened), `statuses` (of pytest, one a part), what
`endpoint-agent check` has answered, and `done` if all parts were gone through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endpoint_agent import selftest

ROOT = Path(__file__).resolve().parents[1]

# What the page wants of each kernel.
ALL = "tests/live tests/attacks"

# The words of a test that has come to no end.
NOT_RUN, CUT = "chosen", "started"


@dataclass(frozen=True)
class Run:
    """What one boot of a kernel has left."""

    folder: Path
    release: str
    tier: str
    version: str
    """Commit and day of the tree that was run."""
    files: set[str]
    """The files that were asked for as a whole."""
    tests: dict[str, str]
    """The last word on each test: chosen, started, passed, failed or skipped."""
    faults: list[str]
    """What went wrong beside the tests."""
    hooks: list[tuple[str, str, str]]
    seen: set[tuple[str, str]]
    """Sources and the actions that check and the tests have seen from them."""

    @property
    def failures(self) -> list[str]:
        """What has not come out as it should."""
        said = {"failed": "", CUT: "interrupted: "}
        return self.faults + [
            f"{said[became]}{test}" for test, became in self.tests.items() if became in said
        ]

    def count(self, became: str) -> int:
        """Of how many tests that became."""
        return list(self.tests.values()).count(became)

    def of(self, file: str) -> dict[str, str]:
        """The tests of one file."""
        return {test: became for test, became in self.tests.items() if file_of(test) == file}

    def has_whole(self, file: str) -> bool:
        """Whether each test of a file has come to an end."""
        became = self.of(file).values()
        return file in self.files and bool(became) and not {NOT_RUN, CUT} & set(became)


def files_of(tests: str) -> list[str]:
    """The files that pytest runs whole if it is told these words; none where it is told others."""
    words = tests.split()
    if any(word.startswith("-") or "::" in word for word in words):
        return []
    files: dict[str, None] = {}
    for path in (ROOT / word for word in words):
        for file in [path] if path.is_file() else sorted(path.glob("test_*.py")):
            files[str(file.relative_to(ROOT))] = None
    return list(files)


def file_of(test: str) -> str:
    """The file that a test is in."""
    return test.partition("::")[0]


def read(folder: Path) -> Run:
    """What one run has left."""
    asked = answer(folder / "run.json", {"tests": "", "tier": "auto", "version": ""})
    nothing = {"passed": False, "coverage": [], "proof": {}, "source": None}
    check, audit = (answer(folder / name, nothing) for name in ("check.json", "audit.json"))
    tests = outcomes(folder / "outcomes")
    faults = faults_of(folder, tests)
    if not check["passed"]:
        faults.append("`endpoint-agent check` has not seen what it did")
    return Run(
        folder,
        text(folder / "release").strip() or "not booted",
        asked["tier"],
        asked["version"],
        set(files_of(asked["tests"])),
        tests,
        faults,
        [(hook, state, reason) for hook, state, reason in check["coverage"]],
        {(source, action) for source, action in map(str.split, text(folder / "seen").splitlines())}
        | proven(check)
        | proven(audit),
    )


def faults_of(folder: Path, tests: dict[str, str]) -> list[str]:
    """What went wrong with a run beside its tests."""
    faults = []
    if (folder / "late").exists():
        faults.append(f"it was not done in time: see {folder}/output.log")
    elif not (folder / "done").exists():
        faults.append(f"it did not come through: see {folder}/console.log")
    statuses = [line.split(" ", 1) for line in text(folder / "statuses").splitlines()]
    for status, part in statuses:
        if status not in ("0", "1") or (status == "1" and "failed" not in tests.values()):
            faults.append(f"pytest ended with status {status}: {part}")
    if missed := list(tests.values()).count(NOT_RUN):
        faults.append(f"{missed} tests were not run")
    return faults


def outcomes(path: Path) -> dict[str, str]:
    """The last word on each test. A line that is being written when the machine ends is none."""
    lines = text(path).split("\n")[:-1]
    return {test: became for became, _, test in (line.partition(" ") for line in lines)}


def answer(path: Path, otherwise: dict[str, Any]) -> dict[str, Any]:
    """What a file of JSON says."""
    try:
        return otherwise | dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return otherwise


def proven(check: dict[str, Any]) -> set[tuple[str, str]]:
    """The source and the actions that a check has seen."""
    actions = {act.name: act.action for act in selftest.acts("", 0)}
    return {(check["source"], actions[name]) for name, seen in check["proof"].items() if seen}


def text(path: Path) -> str:
    """A file's text; none if there is no file."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


@dataclass(frozen=True)
class Column:
    """What is known of a kernel with one tier: of each file the last run that had it whole."""

    last: Run
    """The last one that has booted."""
    runs: dict[str, Run]

    @property
    def name(self) -> str:
        """The kernel's major and minor number, and the tier if it is not the best there is."""
        number = ".".join(self.last.release.split(".")[:2])
        return number if self.last.tier == "auto" else f"{number} {self.last.tier}"

    @property
    def seen(self) -> set[tuple[str, str]]:
        """What was seen in any of the runs."""
        return self.last.seen.union(*(run.seen for run in self.runs.values()))

    def tests(self) -> dict[str, str]:
        """The last word on each test."""
        return {
            test: word for file, run in self.runs.items() for test, word in run.of(file).items()
        }


def columns(runs: list[Run]) -> list[Column]:
    """A kernel's runs, oldest first, as what is known of it, tier by tier.

    What another kernel of the same suite has left tells nothing of the last one's; nor does a run
    that does not say of which tree it was.
    """
    booted = [run for run in runs if run.hooks and run.version]
    booted = [run for run in booted if run.release == booted[-1].release]
    found = []
    for tier in dict.fromkeys(run.tier for run in sorted(booted, key=lambda run: run.tier)):
        of_tier = [run for run in booted if run.tier == tier]
        best: dict[str, Run] = {}
        for run in of_tier:
            for file in run.files:
                if run.has_whole(file) or (run.of(file) and not has_whole(best, file)):
                    best[file] = run
        found.append(Column(of_tier[-1], best))
    return found


def has_whole(best: dict[str, Run], file: str) -> bool:
    """Whether there is a run that has a file whole."""
    return file in best and best[file].has_whole(file)
