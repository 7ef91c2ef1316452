"""What a process may not do to files: each call by which it may be asked for."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .acts import of, run, running
from .capture import Capture, Event

pytestmark = pytest.mark.live

NOBODY = 65534

# By whom all of it is refused. An installation may be closed to others, so the modules come first.
BECOME = f"""
import ctypes, errno, json, os, sys
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
"""

# Numbers of x86-64; what is asked for.
# `at` is a descriptor of the folder, `file` and `new` are paths, `name` and `other` names below it.
ASKS = """
folder = "FOLDER"
libc = ctypes.CDLL(None, use_errno=True)
at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
file, new, below = (f"{folder}/{name}".encode() for name in ("file", "new", "below"))
name, other, sub = b"file", b"new", b"below"
how = (ctypes.c_uint64 * 3)(os.O_WRONLY)
attribute = b"trusted.test"
text = ctypes.create_string_buffer(b"x")
value = (ctypes.c_uint64 * 2)(ctypes.addressof(text), 1)  # struct xattr_args
fifo = 0o010600
asks = {
    "open": (2, file, os.O_WRONLY),
    "openat": (257, at, name, os.O_WRONLY),
    "openat2": (437, at, name, how, ctypes.sizeof(how)),
    "creat": (85, new, 0o600),
    "mkdir": (83, new, 0o700),
    "mkdirat": (258, at, other, 0o700),
    "mknod": (133, new, fifo, 0),
    "mknodat": (259, at, other, fifo, 0),
    "link": (86, file, new),
    "linkat": (265, at, name, at, other, 0),
    "symlink": (88, b"any/where", new),
    "symlinkat": (266, b"any/where", at, other),
    "unlink": (87, file),
    "unlinkat": (263, at, name, 0),
    "rmdir": (84, below),
    "rename": (82, file, new),
    "renameat": (264, at, name, at, other),
    "renameat2": (316, at, name, at, other, 0),
    "truncate": (76, file, 0),
    "chmod": (90, file, 0o600),
    "fchmodat": (268, at, name, 0o600),
    "fchmodat2": (452, at, name, 0o600, 0),
    "chown": (92, file, 0, 0),
    "lchown": (94, file, 0, 0),
    "fchownat": (260, at, name, 0, 0, 0),
    "setxattr": (188, file, attribute, b"x", 1, 0),
    "lsetxattr": (189, file, attribute, b"x", 1, 0),
    "setxattrat": (463, at, name, 0, attribute, value, ctypes.sizeof(value)),
    "removexattr": (197, file, attribute),
    "lremovexattr": (198, file, attribute),
    "removexattrat": (466, at, name, 0, attribute),
}
ends = {}
for call, (number, *arguments) in asks.items():
    assert libc.syscall(number, *arguments) == -1, call
    ends[call] = errno.errorcode[ctypes.get_errno()]
print(json.dumps(ends))
"""

READS = """
for _ in range(100):
    try:
        open(sys.argv[1])
    except PermissionError:
        pass
"""

STARTS = """
try:
    os.execv(sys.argv[1], ["program"])
except PermissionError:
    pass
"""

MAKES = {"creat", "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat"}
MOVES = {"link", "linkat", "rename", "renameat", "renameat2"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others may enter, with a file and a folder in it."""
    path = Path(tempfile.mkdtemp(prefix="refused-"))
    path.chmod(0o755)
    (path / "file").touch()
    (path / "below").mkdir()
    yield path
    shutil.rmtree(path)


def place(call: str) -> str:
    """The name of what a call is about."""
    return "new" if call in MAKES | MOVES else "below" if call == "rmdir" else "file"


def test_every_call_that_is_refused(watching: Capture, folder: Path) -> None:
    with running(BECOME + ASKS.replace("FOLDER", str(folder))) as (pid, [output]):
        ends = {call: end for call, end in json.loads(output).items() if end != "ENOSYS"}
        told: dict[str, Event] = {}

        def all_are_told(event: Event) -> bool:
            if of(pid, "file-access-refused")(event):
                told[event["action"]["properties"]["syscall"]] = event
            return told.keys() >= ends.keys()

        watching.wait_for(all_are_told)
    for call, end in ends.items():
        assert end in ("EACCES", "EPERM"), call
        event = told[call]
        properties = event["action"]["properties"]
        assert properties["exit"] == end, call
        # The kernel may have come to the old name only, or to the folder, when it gave up: the
        # audit source tells of no more.
        come_to = [f"{folder}/file", str(folder)] if watching.audits else []
        assert event["file"]["path"] in (f"{folder}/{place(call)}", *come_to), call
        assert event["event"]["outcome"] == "failure"
        assert event["user"]["id"] == str(NOBODY)
        if call in MOVES and not watching.audits:
            assert properties["old_path"] == f"{folder}/file", call


def test_what_a_program_may_not_read_is_counted(watching: Capture) -> None:
    pid, _ = run(BECOME + READS, "/etc/shadow")
    counts: list[int] = []

    def all_are_told(event: Event) -> bool:
        if of(pid, "file-access-refused", syscall="openat")(event):
            assert event["file"]["path"] == "/etc/shadow"
            counts.append(event["sekoiaio"].get("repeat", {}).get("count", 1))
        return sum(counts) >= 100

    watching.wait_for(all_are_told)
    assert sum(counts) == 100
    assert watching.audits or len(counts) < 20


def test_a_program_that_may_not_be_started_is_told_once(watching: Capture, folder: Path) -> None:
    program = folder / "file"
    program.chmod(0o700)
    pid, _ = run(BECOME + STARTS, str(program))
    watching.wait_for(of(pid, "process-ended"))
    actions = [
        event["event"]["action"]
        for event in watching.events
        if event["process"]["pid"] == pid and event.get("file", {}).get("path") == str(program)
    ]
    assert actions == ["process-creation-failed"]
