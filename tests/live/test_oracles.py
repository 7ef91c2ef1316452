"""The same acts, seen by somebody else's eyes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import bpftrace
from .capture import PATIENCE, Capture

pytestmark = pytest.mark.live

# Opens, renames and deletes in every way the interpreter offers.
BUSY = """
import os, sys, tempfile
folder = sys.argv[1]
os.chdir(folder)
for number in range(20):
    name = f"file-{number}"
    with open(name, "w") as file:
        file.write("x")
    open(f"{folder}/{name}", "r+").close()
    open(f"./{name}").close()
    os.rename(name, f"{folder}/renamed-{number}")
    if number % 2:
        os.unlink(f"renamed-{number}")
"""


def test_strace_sees_the_same_files(watching: Capture, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    folder, trace = tmp_path / "busy", tmp_path / "trace"
    folder.mkdir()
    calls = "openat,open,creat,unlink,unlinkat,rename,renameat,renameat2"
    subprocess.run(
        [
            "strace",
            "-f",
            "-y",
            "-e",
            f"trace={calls}",
            "-o",
            trace,
            sys.executable,
            "-c",
            BUSY,
            folder,
        ],
        check=True,
    )
    watching.of_path(str(folder / "renamed-19"), "file-deleted")

    text = trace.read_text()
    writes = re.findall(r"open\w*\(.*O_(?:WRONLY|RDWR).* = \d+<([^>]+)>", text)
    opened = {path for path in writes if path.startswith(str(folder))}
    deleted = set(re.findall(r'unlink\w*\("([^"]+)"\) += 0', text))
    renamed = re.findall(r'rename\w*\("([^"]+)", "([^"]+)"\) += 0', text)
    assert len(opened) == 20
    assert len(deleted) == 10
    assert len(renamed) == 20

    def seen(*actions: str) -> set[str]:
        return {
            event["file"]["path"]
            for event in watching.events
            if event["event"]["action"] in actions
            and event.get("file", {}).get("path", "").startswith(str(folder))
        }

    assert seen("file-created", "file-modified") == opened
    assert seen("file-deleted") == {str(folder / path) for path in deleted}
    assert seen("renamed") == {path for _, path in renamed}


def test_bpftrace_counts_the_same_execs(watching: Capture, short_path: Path) -> None:
    if not shutil.which("bpftrace"):
        pytest.skip("needs bpftrace")
    program = short_path / "counted"
    shutil.copy("/bin/true", program)
    probe = f"""
        tracepoint:sched:sched_process_exec /str(args->filename) == "{program}"/
        {{ @execs = count(); }}
        interval:ms:100 {{ printf("ready\\n"); }}
    """
    oracle = subprocess.Popen(
        bpftrace.command(probe), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert oracle.stdout is not None
    try:
        said = ""
        while "ready" not in (line := oracle.stdout.readline()):
            if not line:
                pytest.skip(f"bpftrace does not run on this kernel: {said.strip()}")
            said = line
        for _ in range(300):
            subprocess.run([program], check=True)
    finally:
        oracle.send_signal(2)
        output, _ = oracle.communicate(timeout=20 * PATIENCE)
    counted = int(re.findall(r"@execs: (\d+)", output)[0])
    subprocess.run(["true", str(program)], check=True)
    watching.exec_of("true", str(program))
    seen = [
        event
        for event in watching.events
        if event["event"]["action"] == "process-created"
        and event["process"]["executable"] == str(program)
    ]
    assert len(seen) == counted == 300
