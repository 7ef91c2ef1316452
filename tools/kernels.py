"""Boots kernels of Debian in QEMU, and in each runs `endpoint-agent check` and tests.

    kernels.py run NAME...      the kernels to boot; $TESTS names the tests, none if it is empty,
                                $TIER the best tier of programs that they try (`CaptureTier`)
    kernels.py coverage         makes docs/coverage.md of what the last runs left

A kernel's folder in target/kernels, or in $RUNS, has one of each run, which holds the machine's
console, what was printed, and the results. A suite may be run in parts: what a run leaves is kept
until one of the same tests, or more, begins. No run has more than $LIMIT seconds. The machine has
$CPUS processors, two if that is not set; on a busy host, one alone is much faster.
Exit status: 0 all passed; 1 a test failed or a kernel did not come through; 77 there is no emulator
or no kernel to be had, and why is said.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endpoint_agent import selftest

ROOT = Path(__file__).resolve().parents[1]
RUNS = Path(os.environ.get("RUNS", ROOT / "target/kernels"))
PAGE = ROOT / "docs/coverage.md"
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "newest": "sid"}
SKIPPED = 77

# Emulated, a kernel takes half a minute to boot on a busy machine, and its tests an hour.
LIMIT_S = int(os.environ.get("LIMIT", "7200"))

FETCH_LIMIT_S = 300

ALL = "tests/live tests/attacks"
TESTS = os.environ.get("TESTS", ALL)
TIER = os.environ.get("TIER", "auto")

# Two that are emulated wait for each other, and on a busy host each for its turn as well.
CPUS = os.environ.get("CPUS", "2")


class NotAvailableError(Exception):
    """Something that is needed cannot be had on this machine."""


@dataclass(frozen=True)
class Run:
    """What one boot of a kernel has left."""

    release: str
    files: set[str]
    """The files whose tests it was to run, all of them."""
    tests: dict[str, str]
    """What became of each test: passed, failed or skipped."""
    faults: list[str]
    """What went wrong beside the tests."""
    hooks: list[tuple[str, str, str]]
    seen: set[tuple[str, str]]
    """Sources and the actions that check and the tests have seen from them."""

    @property
    def failures(self) -> list[str]:
        """What has not come out as it should."""
        return self.faults + [test for test, became in self.tests.items() if became == "failed"]

    def count(self, became: str) -> int:
        """Of how many tests that became."""
        return list(self.tests.values()).count(became)

    def missing(self) -> list[str]:
        """The files of the suites that were not run, or not whole."""
        return sorted(files_of(ALL) - self.files)


def main() -> int:
    """The command."""
    # What has been started is ended before.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("names", nargs="+", choices=list(SUITES))
    commands.add_parser("coverage")
    arguments = parser.parse_args()
    if arguments.command == "coverage":
        PAGE.write_text(page({name: merged(runs_of(name)) for name in SUITES}))
        return 0
    runs = []
    for name in arguments.names:
        try:
            runs.append(boot(name))
        except NotAvailableError as why:
            print(f"{name} was not booted: {why}", flush=True)
    if not runs:
        return SKIPPED
    print(table(runs))
    complete = len(runs) == len(arguments.names)
    return 0 if complete and not any(run.failures for run in runs) else 1


def boot(name: str) -> Run:
    """Boots a kernel and waits until it is off, or its time is over.

    Raises:
        NotAvailableError: it cannot be booted here; what its last run left is still there.
    """
    number = 1 + max((int(folder.name) for folder in folders(name)), default=0)
    folder = RUNS / name / str(number)
    booted = command(name, folder)
    for other in folders(name):
        if files_of(text(other / "asked")) <= files_of(TESTS):
            shutil.rmtree(other)
    folder.mkdir(parents=True)
    (folder / "asked").write_text(TESTS)
    # In the machine each of the agent's many starts would compile them anew.
    compileall.compile_dir(ROOT / "python", quiet=2)
    if "tests/attacks" in TESTS and shutil.which("gcc"):
        compile_tricks(folder / "tricks")
    started = time.monotonic()
    with (folder / "console.log").open("wb") as console:
        machine = subprocess.Popen(
            booted,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
        try:
            machine.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            (folder / "late").touch()
        finally:
            end(machine)
    print(f"{name}: {time.monotonic() - started:.0f} s, see {folder}", flush=True)
    return read(folder)


def command(name: str, folder: Path) -> list[str]:
    """How virtme-ng boots a kernel that runs the tests.

    Raises:
        NotAvailableError: what boots it is not installed, or the kernel cannot be fetched.
    """
    virtme = Path(sys.executable).with_name("virtme-run")
    for needed, source in (
        ("qemu-system-x86_64", "Debian's qemu-system-x86"),
        ("busybox", "Debian's busybox-static"),
        ("modprobe", "Debian's kmod"),
        (str(virtme), "the extra `dev` of this package"),
    ):
        if not shutil.which(needed):
            raise NotAvailableError(f"{needed} is missing, it comes with {source}")
    kernel = fetch(SUITES[name])
    image = [*kernel.glob("boot/vmlinuz-*"), *kernel.glob("lib/modules/*/vmlinuz")][0]
    # What virtme-ng knows best is how to get at the host's files. Its own first process, which
    # makes of them a system to work in, would take half a minute.
    first = f"TIER={TIER} LIMIT={LIMIT_S} init={ROOT}/tools/in-kernel -- {kernel} {TESTS}"
    # Emulated, the processors' clocks look out of step, and the kernel would read a device instead
    # at each look at the time. What guards against the faults of real processors is as dear.
    inside = f"console=ttyS0 loglevel=4 panic=-1 tsc=reliable mitigations=off {first}"
    share = "local,security_model=none,multidevs=remap"
    return [
        *(str(virtme), "--kimg", str(image), "--mods", "auto"),
        *("--disable-kvm", "--force-9p", "--cpus", CPUS, "--memory", "3G"),
        *("--show-boot-console", "--script-sh", "", "--qemu-opts", "-append", inside),
        *("-virtfs", f"{share},path=/,mount_tag=cached,readonly=on"),
        *("-virtfs", f"{share},path={folder},mount_tag=results"),
    ]


def compile_tricks(folder: Path) -> None:
    """Makes the programs of the attacks: in the machine, a compiler takes seconds for each."""
    folder.mkdir()
    for source in (ROOT / "tests/attacks/tricks").glob("*.c"):
        program = folder / source.stem
        subprocess.run(["gcc", "-O1", "-pthread", source, "-o", program], check=True)


def fetch(suite: str) -> Path:
    """The folder of a suite's kernel.

    Raises:
        NotAvailableError: it cannot be had, and why.
    """
    try:
        fetched = subprocess.run(
            [ROOT / "tools/fetch-kernel", suite],
            capture_output=True,
            text=True,
            check=True,
            timeout=FETCH_LIMIT_S,
        )
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:] or [str(error)]
        raise NotAvailableError(f"the kernel of Debian's {suite}: {reason[0]}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise NotAvailableError(f"the kernel of Debian's {suite}: {error}") from error
    return Path(fetched.stdout.strip())


def end(machine: subprocess.Popen[bytes]) -> None:
    """Ends what is left of a machine: all that it was started with is in its session."""
    try:
        os.killpg(machine.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    machine.wait()


def folders(name: str) -> list[Path]:
    """What a kernel's runs have left, in their order."""
    return sorted((RUNS / name).glob("[0-9]*"), key=lambda folder: int(folder.name))


def files_of(tests: str) -> set[str]:
    """The files that pytest runs whole if it is told these words; none where one is an option."""
    words = tests.split()
    if any(word.startswith("-") for word in words):
        return set()
    named = [ROOT / word for word in words]
    files = [file for path in named for file in ([path] if path.is_file() else path.glob("test_*"))]
    return {str(file.relative_to(ROOT)) for file in files}


def read(folder: Path) -> Run:
    """What one run has left."""
    tests = results(folder / "tests.xml")
    status = text(folder / "status").strip()
    faults = []
    if (folder / "late").exists():
        faults.append(f"it was not done in time: see {folder}/output.log")
    elif not status:
        faults.append(f"it did not come through: see {folder}/console.log")
    elif status != ("1" if "failed" in tests.values() else "0"):
        faults.append(f"pytest ended with status {status}")
    check, audit = answer(folder / "check.json"), answer(folder / "audit.json")
    if not check["passed"]:
        faults.append("`endpoint-agent check` has not seen what it did")
    return Run(
        text(folder / "release").strip() or "not booted",
        set() if faults else files_of(text(folder / "asked")),
        tests,
        faults,
        [(hook, state, reason) for hook, state, reason in check["coverage"]],
        {(source, action) for source, action in map(str.split, text(folder / "seen").splitlines())}
        | proven(check)
        | proven(audit),
    )


def runs_of(name: str) -> list[Run]:
    """What is left of a kernel's runs."""
    return [read(folder) for folder in folders(name)]


def merged(runs: list[Run]) -> Run | None:
    """All runs as one; of a file that two have run, and of the hooks, the last has the word.

    What another kernel of the same suite has left tells nothing of the last one's.
    """
    booted = [run.release for run in runs if run.hooks]
    runs = [run for run in runs if run.release in booted[-1:]]
    if not runs:
        return None
    tests: dict[str, str] = {}
    for run in runs:
        tests = {test: became for test, became in tests.items() if file_of(test) not in run.files}
        tests |= run.tests
    return Run(
        runs[-1].release,
        set().union(*(run.files for run in runs)),
        tests,
        [fault for run in runs for fault in run.faults],
        runs[-1].hooks,
        set().union(*(run.seen for run in runs)),
    )


def file_of(test: str) -> str:
    """The file that a test is in."""
    return test.partition("::")[0].replace(".", "/") + ".py"


def answer(path: Path) -> dict[str, Any]:
    """What `endpoint-agent check` has answered; that it has seen nothing if it has not."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {"passed": False, "coverage": [], "proof": {}, "source": None}


def proven(check: dict[str, Any]) -> set[tuple[str, str]]:
    """The source and the actions that a check has seen."""
    actions = {act.name: act.action for act in selftest.acts("", 0)}
    return {(check["source"], actions[name]) for name, seen in check["proof"].items() if seen}


def results(path: Path) -> dict[str, str]:
    """What became of each test."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))  # noqa: S314 # pytest wrote it
    except (OSError, ElementTree.ParseError):
        return {}
    return {f"{case.get('classname')}::{case.get('name')}": outcome(case) for case in cases}


def outcome(case: ElementTree.Element) -> str:
    """What became of a test."""
    told = {child.tag for child in case} & {"failure", "error", "skipped"}
    return "passed" if not told else "skipped" if told == {"skipped"} else "failed"


def text(path: Path) -> str:
    """A file's text; none if there is no file."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def table(runs: list[Run]) -> str:
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


def page(kernels: dict[str, Run | None]) -> str:
    """docs/coverage.md."""
    runs = [run for run in kernels.values() if run and run.hooks]
    absent = [name for name, run in kernels.items() if not (run and run.hooks)]
    head = [
        "# What is covered on which kernel",
        "",
        "Made by `make coverage` from the last `make test-kernels`: the live tests and the attacks",
        "on kernels of Debian, booted in QEMU. An event is covered where they, or the acts of",
        "`endpoint-agent check`, have been seen from that source.",
        *([f"Not run: {', '.join(absent)}."] if absent else []),
        *(f"On {short(run)}, {limited(run)}." for run in runs if run.missing()),
        *(f"On {short(run)}, {failed(run)}." for run in runs if run.count("failed")),
        "",
    ]
    rows = [
        "| kernel | hooks attached | hooks the kernel has not | hooks it refused | tests passed "
        "| failed | skipped |",
        "|---|---|---|---|---|---|---|",
        *(kernel_row(run) for run in runs),
        "",
    ]
    actions = sorted({seen for run in runs for seen in run.seen})
    events = [
        "| source | `event.action` | " + " | ".join(short(run) for run in runs) + " |",
        "|---|---|" + "---|" * len(runs),
        *(
            f"| {source} | `{action}` | "
            + " | ".join(whether(run, (source, action)) for run in runs)
            + " |"
            for source, action in actions
        ),
        "",
    ]
    return "\n".join(head + rows + events)


def whether(run: Run, seen: tuple[str, str]) -> str:
    """Whether an action was seen from a source."""
    if seen in run.seen:
        return "yes"
    return "not tried" if run.missing() else "no"


def limited(run: Run) -> str:
    """What was run where it was not everything."""
    if not run.tests and not run.files:
        return "`endpoint-agent check` alone was run, whose acts cause few of the events"
    missing = ", ".join(f"`{file}`" for file in run.missing())
    cut_short = any(file_of(test) not in run.files for test in run.tests)
    return f"these were {'not known to be run whole' if cut_short else 'not run'}: {missing}"


def failed(run: Run) -> str:
    """Which tests failed when they were last run."""
    return "these failed: " + ", ".join(
        f"`{test}`" for test, became in run.tests.items() if became == "failed"
    )


def kernel_row(run: Run) -> str:
    """A kernel's line in the page."""
    states = defaultdict[str, list[str]](list)
    for hook, state, _ in run.hooks:
        states[state].append(f"`{hook}`")
    named = (", ".join(sorted(set(states[state]))) or "none" for state in ("missing", "failed"))
    counts = (run.count(became) for became in ("passed", "failed", "skipped"))
    cells = [run.release, len(states["attached"]), *named, *counts]
    return "| " + " | ".join(map(str, cells)) + " |"


def short(run: Run) -> str:
    """A kernel's major and minor number."""
    return ".".join(run.release.split(".")[:2])


if __name__ == "__main__":
    sys.exit(main())
