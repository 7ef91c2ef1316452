"""Acts that each source and each tier of programs tells with the same fields."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .acts import of
from .capture import PATIENCE, Capture, Event

ACTS = """
import os, socket, sys

os.chdir(sys.argv[1])
os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o640))
os.rename("made", "moved")
os.link("moved", "hard")
os.symlink("moved", "soft")
os.chmod("moved", 0o600)
os.chown("moved", 1, 2)
os.truncate("moved", 7)
os.unlink("moved")
os.mkdir("folder")
os.rmdir("folder")
os.mkfifo("pipe")
with socket.create_server(("127.0.0.1", 0)) as listener:
    with socket.create_connection(listener.getsockname()) as client:
        listener.accept()[0].close()
        sys.stdin.readline()
"""

# What is done, and to which file.
TOLD = [
    *[("file-created", "made"), ("renamed", "moved"), ("linked", "hard"), ("symlinked", "soft")],
    *[("changed-file-permissions-of", "moved"), ("changed-file-ownership-of", "moved")],
    *[("file-modified", "moved"), ("file-deleted", "moved")],
    *[("directory-created", "folder"), ("file-deleted", "folder"), ("file-created", "pipe")],
    *[("listen-for-connections", ""), ("connected-to", ""), ("accepted-connection-from", "")],
]

# Which event it is, what not all tell, and the own end of a connection.
NOT_COMPARED = {"@timestamp", "event.sequence", "file.size", "network.transport"}
OWN = {"connected-to": "source.", "accepted-connection-from": "destination."}


def fields(event: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """All fields of an event, by their whole names."""
    for name, value in event.items():
        if isinstance(value, dict):
            yield from fields(value, f"{before}{name}.")
        else:
            yield before + name, value


def assert_alike(expected: Capture, found: Capture, folder: Path) -> None:
    """Plays the acts; each field that the one capture tells of them, the other tells, too."""
    command = [sys.executable, "-I", "-c", ACTS, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        for action, name in TOLD:
            path = str(folder / name) if name else None

            def is_told(event: Event, action: str = action, path: str | None = path) -> bool:
                return of(process.pid, action)(event) and event.get("file", {}).get("path") == path

            told = dict(fields(found.wait_for(is_told)))
            for field, value in fields(expected.wait_for(is_told)):
                if field not in NOT_COMPARED and not field.startswith(OWN.get(action, "-")):
                    assert (action, field, told.get(field)) == (action, field, value)
        process.communicate("\n", timeout=30 * PATIENCE)
