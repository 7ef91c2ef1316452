"""Runs the example `etw`, which plays events of Windows' event tracing."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMAND = ["cargo", "run", "--locked", "--quiet", "--release", "--package", "endpoint-agent-native"]


def run(*arguments: str) -> list[str]:
    """The lines that it prints."""
    command = [*COMMAND, "--example", "etw", "--", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()
