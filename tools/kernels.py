"""Boots kernels of Debian in QEMU, and in each runs `endpoint-agent check` and tests.

    kernels.py run NAME...      the kernels to boot; $TESTS names the tests, none if it is empty,
                                $TIER the best tier of programs that they try (`CaptureTier`)
    kernels.py coverage         makes docs/coverage.md of what the runs have left

A kernel's folder in target/kernels, or in $RUNS, has one of each run, which holds the machine's
console, what was printed, and the results. A suite may be run in parts, and a run that is cut short
leaves what it came to: of each file of tests the last run counts that had it whole. No run has more
than $LIMIT seconds, no file of tests more than $FILE_LIMIT, and no test more than half of that. The
machine has one processor, or $CPUS.
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
from pathlib import Path

from kernel_page import page, terminal
from kernel_results import ALL, ROOT, Run, columns, files_of, read
from kernel_told import told

RUNS = Path(os.environ.get("RUNS", ROOT / "target/kernels"))
PAGE = ROOT / "docs/coverage.md"
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "newest": "sid"}
SKIPPED = 77

# Emulated, a kernel takes half a minute to boot on a busy machine, and its tests an hour.
LIMIT_S = int(os.environ.get("LIMIT", "7200"))
FILE_LIMIT_S = int(os.environ.get("FILE_LIMIT", "1200"))

FETCH_LIMIT_S = 300

TESTS = os.environ.get("TESTS", ALL)
TIER = os.environ.get("TIER", "auto")

# Two that are emulated wait for each other: two machines of one each come much further.
CPUS = os.environ.get("CPUS", "1")


class NotAvailableError(Exception):
    """Something that is needed cannot be had on this machine."""


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
        before = told(PAGE)
        found = {name: columns([*of_suite(before, name), *runs_of(name)]) for name in SUITES}
        absent = [name for name in SUITES if not found[name]]
        PAGE.write_text(page([column for name in SUITES for column in found[name]], absent))
        return 0
    runs = []
    for name in arguments.names:
        try:
            runs.append(boot(name))
        except NotAvailableError as why:
            print(f"{name} was not booted: {why}", flush=True)
    if not runs:
        return SKIPPED
    print(terminal(runs))
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
    folder.mkdir(parents=True)
    asked = {"tests": TESTS, "tier": TIER, "version": version()}
    (folder / "run.json").write_text(json.dumps(asked))
    (folder / "parts").write_text("".join(f"{part}\n" for part in parts(TESTS)))
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
    shutil.rmtree(folder / "tricks", ignore_errors=True)
    print(f"{name}: {time.monotonic() - started:.0f} s, see {folder}", flush=True)
    forget(name)
    return read(folder)


def version() -> str:
    """Commit and day of this tree, and whether it has changes of its own; none without git."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.check_output([*git, "log", "-1", "--format=%h of %cs"], text=True)
        changed = subprocess.check_output([*git, "status", "--porcelain", "-uno"])
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit.strip() + (", changed" if changed else "")


def parts(tests: str) -> list[str]:
    """What pytest is told, part by part.

    The files whose tests share a capture are one, as attaching takes a minute in such a machine.
    Each other is one by itself, so that one that hangs costs only itself.
    """
    files = files_of(tests)
    if not files:
        return [tests] if tests else []
    shared = [file for file in files if shares(ROOT / file)]
    rest = [file for file in files if file not in shared]
    return [*([" ".join(shared)] if shared else []), *rest]


def shares(file: Path) -> bool:
    """Whether a file's tests are of the shared captures, of each source, and of no other."""
    source = file.read_text()
    return "watching: Capture" in source and "auditing: Capture" not in source


def forget(name: str) -> None:
    """Removes the runs before the last of which the page would say nothing."""
    known = columns(runs_of(name))
    kept = {run.folder for column in known for run in [column.last, *column.runs.values()]}
    for folder in folders(name)[:-1]:
        if folder not in kept:
            shutil.rmtree(folder)


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
    knobs = f"TIER={TIER} LIMIT={LIMIT_S} FILE_LIMIT={FILE_LIMIT_S}"
    first = f"{knobs} init={ROOT}/tools/in-kernel -- {kernel}"
    # Off by default, and a way to hide.
    abis = "syscall.x32=y"
    # Emulated, the processors' clocks look out of step, and the kernel would read a device instead
    # at each look at the time. What guards against the faults of real processors is as dear.
    inside = f"console=ttyS0 loglevel=4 panic=-1 tsc=reliable mitigations=off {abis} {first}"
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


def of_suite(runs: list[Run], name: str) -> list[Run]:
    """Those of them whose kernel has this name here."""
    numbers = [".".join(run.release.split(".")[:2]) for run in runs]
    names = [number if number in SUITES else "newest" for number in numbers]
    return [run for run, its in zip(runs, names, strict=True) if its == name]


def runs_of(name: str) -> list[Run]:
    """What a kernel's runs have left here."""
    return [read(folder) for folder in folders(name)]


def folders(name: str) -> list[Path]:
    """What a kernel's runs have left, in their order."""
    return sorted((RUNS / name).glob("[0-9]*"), key=lambda folder: int(folder.name))


if __name__ == "__main__":
    sys.exit(main())
