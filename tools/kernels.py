"""Boots kernels of Debian in QEMU, and in each runs `endpoint-agent check` and tests.

    kernels.py run NAME...      the kernels to boot; $TESTS names the tests, none if it is empty,
                                $TIER the best tier of programs that they try (`CaptureTier`)
    kernels.py coverage         makes docs/coverage.md of what the last runs left

A kernel's folder in target/kernels, or in $RUNS, holds its console, what was printed, and the
results. No kernel has more than $LIMIT seconds.
Exit status: 0 all passed; 1 a test failed or a kernel did not come through; 77 there is no emulator
or no kernel to be had, and why is said.
"""

from __future__ import annotations

import argparse
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

# Emulated, a kernel takes half a minute to boot on a busy machine, and its tests minutes.
LIMIT_S = int(os.environ.get("LIMIT", "2400"))

FETCH_LIMIT_S = 300

ALL = "tests/live tests/attacks"
TESTS = os.environ.get("TESTS", ALL)
TIER = os.environ.get("TIER", "tracepoint")


class NotAvailableError(Exception):
    """Something that is needed cannot be had on this machine."""


@dataclass(frozen=True)
class Run:
    """What is known of a kernel's last run."""

    name: str
    release: str
    asked: str
    """The tests it was to run, as pytest takes them."""
    tests: dict[str, int]
    failures: list[str]
    hooks: list[tuple[str, str, str]]
    seen: set[tuple[str, str]]
    """Sources and the actions that check and the tests have seen from them."""

    @property
    def passed(self) -> bool:
        """All that was asked for was done, and nothing failed."""
        return not self.failures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("names", nargs="+", choices=list(SUITES))
    commands.add_parser("coverage")
    arguments = parser.parse_args()
    if arguments.command == "coverage":
        PAGE.write_text(page([read(name) for name in SUITES]))
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
    return 0 if complete and all(run.passed for run in runs) else 1


def boot(name: str) -> Run:
    """Boots a kernel and waits until it is off, or its time is over.

    Raises:
        NotAvailableError: it cannot be booted here; what its last run left is still there.
    """
    folder = RUNS / name
    booted = command(name, folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "asked").write_text(TESTS)
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
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    return read(name)


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
    first = f"TIER={TIER} init={ROOT}/tools/in-kernel -- {kernel} {TESTS}"
    inside = f"console=ttyS0 loglevel=4 panic=-1 {first}"
    share = "local,security_model=none,multidevs=remap"
    return [
        *(str(virtme), "--kimg", str(image), "--mods", "auto"),
        *("--disable-kvm", "--force-9p", "--cpus", "2", "--memory", "3G"),
        *("--show-boot-console", "--script-sh", "", "--qemu-opts", "-append", inside),
        *("-virtfs", f"{share},path=/,mount_tag=cached,readonly=on"),
        *("-virtfs", f"{share},path={folder},mount_tag=results"),
    ]


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


def read(name: str) -> Run:
    """What a kernel's last run left."""
    folder = RUNS / name
    tests, failures = results(folder / "tests.xml")
    status = text(folder / "status").strip()
    if (folder / "late").exists():
        failures.append(f"it was not done in time: see {folder}/output.log")
    elif not status:
        failures.append(f"it did not come through: see {folder}/console.log")
    elif status != "0" and not failures:
        failures.append(f"pytest ended with status {status}")
    check, audit = answer(folder / "check.json"), answer(folder / "audit.json")
    if not check["passed"]:
        failures.append("`endpoint-agent check` has not seen what it did")
    return Run(
        name,
        text(folder / "release").strip() or "not booted",
        text(folder / "asked").strip(),
        tests,
        failures,
        [(hook, state, reason) for hook, state, reason in check["coverage"]],
        {(source, action) for source, action in map(str.split, text(folder / "seen").splitlines())}
        | proven(check)
        | proven(audit),
    )


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


def results(path: Path) -> tuple[dict[str, int], list[str]]:
    """How many tests passed, failed and were skipped, and which failed."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures: list[str] = []
    try:
        cases = ElementTree.parse(path).iter("testcase")  # noqa: S314 # pytest wrote it
    except (OSError, ElementTree.ParseError):
        return counts, failures
    for case in cases:
        outcome = {child.tag for child in case} & {"failure", "error", "skipped"}
        kind = "passed" if not outcome else "skipped" if outcome == {"skipped"} else "failed"
        counts[kind] += 1
        if kind == "failed":
            failures.append(f"{case.get('classname')}::{case.get('name')}")
    return counts, failures


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
            f"{run.release:<28} {attached:>4}/{len(run.hooks):<4} {run.tests['passed']:>7} "
            f"{run.tests['failed']:>7} {run.tests['skipped']:>8}"
        )
        lines += [f"    {hook}: {reason}" for hook, state, reason in run.hooks if state == "failed"]
        lines += [f"    FAILED {failure}" for failure in run.failures]
    return "\n".join(lines)


def page(runs: list[Run]) -> str:
    """docs/coverage.md."""
    absent = [run.name for run in runs if not run.hooks]
    runs = [run for run in runs if run.hooks]
    head = [
        "# What is covered on which kernel",
        "",
        "Made by `make coverage` from the last `make test-kernels`: the live tests and the attacks",
        "on kernels of Debian, booted in QEMU. An event is covered where they, or the acts of",
        "`endpoint-agent check`, have been seen from that source.",
        *([f"Not run: {', '.join(absent)}."] if absent else []),
        *(f"On {short(run)}, {limited(run)}." for run in runs if run.asked != ALL),
        "",
    ]
    kernels = [
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
    return "\n".join(head + kernels + events)


def whether(run: Run, seen: tuple[str, str]) -> str:
    """Whether an action was seen from a source."""
    if seen in run.seen:
        return "yes"
    return "no" if run.asked == ALL else "not tried"


def limited(run: Run) -> str:
    """What was run where it was not everything."""
    if not run.asked:
        return "`endpoint-agent check` alone was run, whose acts cause few of the events"
    tests = [word for word in run.asked.split() if not word.startswith("-")]
    return f"only these tests were run: {', '.join(f'`{test}`' for test in tests)}"


def kernel_row(run: Run) -> str:
    """A kernel's line in the page."""
    states = defaultdict[str, list[str]](list)
    for hook, state, _ in run.hooks:
        states[state].append(f"`{hook}`")
    named = (", ".join(sorted(set(states[state]))) or "none" for state in ("missing", "failed"))
    counts = (run.tests[kind] for kind in ("passed", "failed", "skipped"))
    cells = [run.release, len(states["attached"]), *named, *counts]
    return "| " + " | ".join(map(str, cells)) + " |"


def short(run: Run) -> str:
    """A kernel's major and minor number."""
    return ".".join(run.release.split(".")[:2])


if __name__ == "__main__":
    sys.exit(main())
