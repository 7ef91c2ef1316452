"""Names that are made without an open, and changes that leave a file's content alone."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .capture import Capture, Event

pytestmark = pytest.mark.live

DIRECTORY = "directory-created"
MODE = "changed-file-permissions-of"
OWNER = "changed-file-ownership-of"
TIMES = "changed-timestamp-of"
ATTRIBUTE = "changed-file-attributes-of"

NOFOLLOW = 0x100
EMPTY_PATH = 0x1000
XATTR = b"trusted.test"

Argument = int | bytes | ctypes.Array[ctypes.c_long] | None
Arguments = Callable[[bytes, int, bytes, int], tuple[Argument, ...]]

LIBC = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: Argument) -> int:
    """A system call of x86-64 by its number; skips where the kernel has none."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result: int = LIBC.syscall(ctypes.c_long(number), *words)
    if result < 0:
        code = ctypes.get_errno()
        if code in {errno.ENOSYS, errno.EOPNOTSUPP}:
            pytest.skip(os.strerror(code))
        raise OSError(code, os.strerror(code))
    return result


def longs(*values: int) -> ctypes.Array[ctypes.c_long]:
    return (ctypes.c_long * len(values))(*values)


# Of `struct xattr_args`: a pointer to one byte, its size, no flags.
VALUE = ctypes.create_string_buffer(b"v")
XATTR_ARGUMENTS = longs(ctypes.addressof(VALUE), 1)

# The call, its number, what it does, and its arguments: made of an absolute path, a folder's
# descriptor and the name there, and a descriptor of the file.
CALLS: list[tuple[str, int, str, Arguments]] = [
    ("mkdir", 83, DIRECTORY, lambda path, _folder, _name, _file: (path, 0o700)),
    ("mkdirat", 258, DIRECTORY, lambda _path, folder, name, _file: (folder, name, 0o700)),
    ("chmod", 90, MODE, lambda path, _folder, _name, _file: (path, 0o640)),
    ("fchmod", 91, MODE, lambda _path, _folder, _name, file: (file, 0o640)),
    ("fchmodat", 268, MODE, lambda _path, folder, name, _file: (folder, name, 0o640)),
    ("fchmodat2", 452, MODE, lambda _path, _folder, _name, file: (file, b"", 0o640, EMPTY_PATH)),
    ("chown", 92, OWNER, lambda path, _folder, _name, _file: (path, 1, 2)),
    ("fchown", 93, OWNER, lambda _path, _folder, _name, file: (file, 1, 2)),
    ("lchown", 94, OWNER, lambda path, _folder, _name, _file: (path, 1, 2)),
    ("fchownat", 260, OWNER, lambda _path, folder, name, _file: (folder, name, 1, 2, 0)),
    ("utime", 132, TIMES, lambda path, _folder, _name, _file: (path, longs(1, 2))),
    ("utimes", 235, TIMES, lambda path, _folder, _name, _file: (path, longs(1, 0, 2, 0))),
    ("futimesat", 261, TIMES, lambda _path, fd, name, _file: (fd, name, longs(1, 0, 2, 0))),
    ("utimensat", 280, TIMES, lambda _path, fd, name, _file: (fd, name, longs(1, 0, 2, 0), 0)),
    ("setxattr", 188, ATTRIBUTE, lambda path, _folder, _name, _file: (path, XATTR, b"v", 1, 0)),
    ("lsetxattr", 189, ATTRIBUTE, lambda path, _folder, _name, _file: (path, XATTR, b"v", 1, 0)),
    ("fsetxattr", 190, ATTRIBUTE, lambda _path, _folder, _name, fd: (fd, XATTR, b"v", 1, 0)),
    (
        "setxattrat",
        463,
        ATTRIBUTE,
        lambda _path, folder, name, _file: (folder, name, 0, XATTR, XATTR_ARGUMENTS, 16),
    ),
    ("truncate", 76, "file-modified", lambda path, _folder, _name, _file: (path, 5)),
]


@pytest.mark.parametrize(
    ("name", "number", "action", "arguments"), CALLS, ids=[row[0] for row in CALLS]
)
def test_every_call_is_seen(
    watching: Capture, tmp_path: Path, name: str, number: int, action: str, arguments: Arguments
) -> None:
    path, folder, file = tmp_path / name, os.open(tmp_path, os.O_RDONLY), -1
    try:
        if action != DIRECTORY:
            # Not by an open for writing, which is a modification as well.
            os.mknod(path, stat.S_IFREG | 0o600)
            file = os.open(path, os.O_RDONLY)
        call(number, *arguments(os.fsencode(path), folder, name.encode(), file))
        # The audit source asks where a descriptor leads when it is told of the call.
        event = watching.of_path(str(path), action)
    finally:
        os.close(folder)
        if file >= 0:
            os.close(file)
    assert event["process"]["pid"] == os.getpid()
    assert_is(event, path.stat(), watching.audits)


def assert_is(event: Event, state: os.stat_result, audits: bool) -> None:
    """What the event says of the file is what stat(2) says.

    The records of the audit system say nothing of what a call has in memory.
    """
    file = event["file"]
    match event["event"]["action"]:
        case "directory-created":
            assert file["type"] == "dir"
            assert event["event"]["code"] == 11
        case "changed-file-permissions-of":
            assert file["mode"] == f"{stat.S_IMODE(state.st_mode):04o}"
        case "changed-file-ownership-of":
            assert (file["uid"], file["gid"]) == (str(state.st_uid), str(state.st_gid))
        case "changed-timestamp-of" if audits:
            assert not {"accessed", "mtime"} & file.keys()
        case "changed-timestamp-of":
            assert datetime.fromisoformat(file["accessed"]) == datetime.fromtimestamp(1, UTC)
            assert datetime.fromisoformat(file["mtime"]).timestamp() == state.st_mtime
        case "changed-file-attributes-of":
            name = None if audits else XATTR.decode()
            assert event["action"]["properties"].get("attribute") == name
            assert "removed" not in event["action"]["properties"]
        case _:
            assert file["size"] == state.st_size


# Each removes what was set before.
REMOVALS: list[tuple[str, int, Arguments]] = [
    ("removexattr", 197, lambda path, _folder, _name, _file: (path, XATTR)),
    ("lremovexattr", 198, lambda path, _folder, _name, _file: (path, XATTR)),
    ("fremovexattr", 199, lambda _path, _folder, _name, file: (file, XATTR)),
    ("removexattrat", 466, lambda _path, folder, name, _file: (folder, name, NOFOLLOW, XATTR)),
]


@pytest.mark.parametrize(
    ("name", "number", "arguments"), REMOVALS, ids=[row[0] for row in REMOVALS]
)
def test_removed_attribute(
    watching: Capture, tmp_path: Path, name: str, number: int, arguments: Arguments
) -> None:
    path, folder = tmp_path / name, os.open(tmp_path, os.O_RDONLY)
    file = os.open(path, os.O_RDONLY | os.O_CREAT)
    try:
        call(188, os.fsencode(path), XATTR, b"v", 1, 0)
        call(number, *arguments(os.fsencode(path), folder, name.encode(), file))
        event = watching.wait_for(
            lambda event: (
                event["event"]["action"] == ATTRIBUTE
                and event["file"]["path"] == str(path)
                and "removed" in event["action"]["properties"]
            )
        )
    finally:
        os.close(folder)
        os.close(file)
    # Of an object it is told where it is a link, not how the call was made.
    of_object = watching.audits or watching.sees_changed_objects()
    nofollow = name in {"lremovexattr", "removexattrat"} and not of_object
    flags = ["AT_SYMLINK_NOFOLLOW"] if nofollow else None
    assert event["action"]["properties"].get("flags") == flags


@pytest.mark.ebpf("the names of attributes")
def test_access_control_list(watching: Capture, tmp_path: Path) -> None:
    path, name = tmp_path / "file", "system.posix_acl_access"
    path.touch()
    # Version 2; the owner, user 1, the group, the mask, others: tag, rights, id.
    entries = (1, 6, -1), (2, 4, 1), (4, 4, -1), (16, 4, -1), (32, 4, -1)
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    call(188, os.fsencode(path), name.encode(), acl, len(acl), 0)
    call(197, os.fsencode(path), name.encode())
    for removed in False, True:
        watching.wait_for(
            lambda event, removed=removed: (
                event["event"]["action"] == ATTRIBUTE
                and event["file"]["path"] == str(path)
                and event["action"]["properties"]["attribute"] == name
                and ("removed" in event["action"]["properties"]) == removed
            )
        )


@pytest.mark.parametrize(
    ("kind", "kind_name"),
    [
        (stat.S_IFIFO, "fifo"),
        (stat.S_IFSOCK, "socket"),
        (stat.S_IFCHR, "char"),
        (stat.S_IFBLK, "block"),
        (stat.S_IFREG, "file"),
    ],
)
def test_nodes(watching: Capture, tmp_path: Path, kind: int, kind_name: str) -> None:
    absolute, relative = tmp_path / "absolute", tmp_path / "relative"
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        # Minor numbers beyond 8 bits are packed apart.
        call(133, os.fsencode(absolute), kind | 0o600, os.makedev(1, 0x12345))
        os.mknod("relative", kind | 0o600, os.makedev(1, 0x12345), dir_fd=folder)
        events = [watching.of_path(str(path), "file-created") for path in (absolute, relative)]
    finally:
        os.close(folder)
    for event in events:
        assert event["file"]["type"] == kind_name
        device = event.get("action", {}).get("properties", {}).get("rdev")
        assert device == ("01:12345" if kind_name in {"char", "block"} else None)


def test_socket_with_a_name(watching: Capture, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    (tmp_path / "end").mkdir()
    watching.of_path(str(tmp_path / "end"), DIRECTORY)
    told = [
        event["file"]["type"]
        for event in watching.events
        if event["event"]["action"] == "file-created" and event["file"]["path"] == str(path)
    ]
    # No call that makes files made it: only as an object it is seen.
    assert told == (["socket"] if watching.sees_objects() else [])


def test_hard_links(watching: Capture, tmp_path: Path) -> None:
    file, folder = tmp_path / "file", os.open(tmp_path, os.O_RDONLY)
    file.write_text("x")
    try:
        call(86, os.fsencode(file), os.fsencode(tmp_path / "link"))
        os.link("file", "linkat", src_dir_fd=folder, dst_dir_fd=folder)
        for name in "link", "linkat":
            event = watching.of_path(str(tmp_path / name), "linked")
            assert event["action"]["properties"]["old_path"] == str(file)
    finally:
        os.close(folder)


@pytest.mark.ebpf("what a name in /proc leads to")
def test_link_of_a_file_without_a_name(watching: Capture, tmp_path: Path) -> None:
    named = tmp_path / "named"
    file = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
    try:
        call(265, -100, f"/proc/self/fd/{file}".encode(), -100, os.fsencode(named), 0x400)
        # By the descriptor itself, as its owner with all capabilities may.
        call(265, file, b"", -100, os.fsencode(tmp_path / "again"), EMPTY_PATH)
    finally:
        os.close(file)
    for path in named, tmp_path / "again":
        event = watching.of_path(str(path), "linked")
        # As the event of the open calls it, and not `/proc/self/fd/3`.
        assert event["action"]["properties"]["old_path"].startswith(f"{tmp_path}/#")


def test_symbolic_links(watching: Capture, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        call(88, b"../any/where", os.fsencode(tmp_path / "symlink"))
        os.symlink("../any/where", "symlinkat", dir_fd=folder)
        for name in "symlink", "symlinkat":
            event = watching.of_path(str(tmp_path / name), "symlinked")
            assert event["file"]["target_path"] == "../any/where"
            assert event["file"]["type"] == "symlink"
    finally:
        os.close(folder)


def test_the_link_itself(watching: Capture, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    os.chown(link, 1, -1, follow_symlinks=False)
    event = watching.of_path(str(link), OWNER)
    assert event["file"]["uid"] == "1"
    # The call has kept it; the file itself, where it is known, has one.
    assert ("gid" in event["file"]) == ("inode" in event["file"])
    assert event["action"]["properties"]["flags"] == ["AT_SYMLINK_NOFOLLOW"]


@pytest.mark.ebpf("what a name in /proc leads to")
def test_the_object_of_a_descriptor(watching: Capture, tmp_path: Path) -> None:
    """A descriptor, and its name in /proc, lead to the file wherever it has gone."""
    path, moved = tmp_path / "path", tmp_path / "moved"
    path.write_text("x")
    file = os.open(path, os.O_RDONLY)
    try:
        path.rename(moved)
        Path(f"/proc/self/fd/{file}").chmod(0o4711)
        os.utime(file, ns=(5_000_000_000, 1_768_827_054_116_999_999))
        os.truncate(f"/proc/self/fd/{file}", 0)
    finally:
        os.close(file)
    permissions = watching.of_path(str(moved), MODE)
    assert permissions["file"]["mode"] == "4711"
    assert permissions["file"]["inode"] == str(moved.stat().st_ino)
    times = watching.of_path(str(moved), TIMES)
    assert times["file"]["mtime"] == "2026-01-19T12:50:54.116Z"
    assert times["file"]["accessed"] == "1970-01-01T00:00:05.000Z"
    assert watching.of_path(str(moved), "file-modified")["file"]["size"] == 0


def test_times_that_are_now_or_stay(watching: Capture, tmp_path: Path) -> None:
    now, kept = tmp_path / "now", tmp_path / "kept"
    for path in now, kept:
        path.write_text("x")
    os.utime(now)
    omit = 0x3FFFFFFE
    call(280, -100, os.fsencode(kept), longs(0, omit, -1, 0), 0)
    event = watching.of_path(str(now), TIMES)
    assert event["file"]["mtime"] == event["file"]["accessed"] == event["@timestamp"]
    # One stays, and the other is before the epoch.
    file = watching.of_path(str(kept), TIMES)["file"]
    assert "accessed" not in file
    assert "mtime" not in file


def test_exchange_and_whiteout(watching: Capture, tmp_path: Path) -> None:
    one, other = os.fsencode(tmp_path / "one"), os.fsencode(tmp_path / "other")
    for path in one, other:
        Path(os.fsdecode(path)).write_text("x")
    call(316, -100, one, -100, other, 1 << 1)
    for old, new in (one, other), (other, one):
        event = watching.of_path(os.fsdecode(new), "renamed")
        properties = event["action"]["properties"]
        assert properties["old_path"] == os.fsdecode(old)
        assert properties["flags"] == ["RENAME_EXCHANGE"]

    try:
        call(316, -100, one, -100, os.fsencode(tmp_path / "new"), 1 << 2)
    except OSError as error:
        pytest.skip(f"no whiteouts here: {error}")
    watching.of_path(str(tmp_path / "new"), "renamed")
    if watching.audits:
        return  # What a rename leaves behind is in no record.
    whiteout = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "file-created"
            and event["file"]["path"] == os.fsdecode(one)
            and event["file"].get("type") == "char"
        )
    )
    assert whiteout["action"]["properties"]["rdev"] == "00:00"


# Few changes, each very often, and many that are made once.
AGAIN = """
import os, sys
os.chdir(sys.argv[1])
for number in range(300):
    os.chmod("file", 0o600 if number % 3 else 0o640)
    os.utime("file")
    os.setxattr("file", f"trusted.{number % 2}", b"")
    os.rename(f"{number}", f"{number + 1}")
    os.chmod(f"{number + 1}", 0o600)
"""


@pytest.mark.ebpf("repeats are events of their own")
def test_the_same_change_again_is_counted(watching: Capture, tmp_path: Path) -> None:
    for name in "file", "0":
        (tmp_path / name).touch()
    child = subprocess.Popen([sys.executable, "-IBc", AGAIN, tmp_path])
    assert child.wait(60) == 0
    watching.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == child.pid
        )
    )
    # How often each change was told, and how many that stands for.
    told: Counter[tuple[str, str, str]] = Counter()
    done: Counter[tuple[str, str, str]] = Counter()
    for event in watching.events:
        if event.get("file", {}).get("directory") == str(tmp_path):
            attribute = event.get("action", {}).get("properties", {}).get("attribute", "")
            file = event["file"]
            action = event["event"]["action"]
            # The mode of an object is told with every change of it.
            to = file["mode"] if action == MODE else attribute
            change = action, file["name"], to
            told[change] += 1
            done[change] += event["sekoiaio"].get("repeat", {}).get("count", 1)
    for change, times in (
        ((MODE, "file", "0600"), 200),
        ((MODE, "file", "0640"), 100),
        ((TIMES, "file", ""), 300),
        ((ATTRIBUTE, "file", "trusted.0"), 150),
        ((ATTRIBUTE, "file", "trusted.1"), 150),
    ):
        assert done[change] == times, dict(done)
        assert told[change] < times
    for number in range(1, 301):
        assert done[MODE, f"{number}", "0600"] == told[MODE, f"{number}", "0600"] == 1


def test_failed_calls_are_not_reported(watching: Capture, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError):
        missing.chmod(0o700)
    with pytest.raises(FileExistsError):
        tmp_path.mkdir()
    (tmp_path / "end").mkdir()
    watching.of_path(str(tmp_path / "end"), DIRECTORY)
    mine = [
        event["file"]["path"]
        for event in watching.events
        if event["event"]["action"] in {MODE, DIRECTORY} and event["process"]["pid"] == os.getpid()
    ]
    assert str(missing) not in mine
    # It was made once, by the fixture.
    assert mine.count(str(tmp_path)) <= 1


# Every change in the ways the interpreter has.
BUSY = """
import os, sys
os.chdir(sys.argv[1])
for number in range(10):
    name = f"{number}"
    os.mkdir(f"d{name}")
    os.mkfifo(f"p{name}")
    os.mknod(name)
    os.link(name, f"l{name}")
    os.symlink(name, f"s{name}")
    os.chmod(name, 0o600)
    os.chown(name, 1, 1)
    os.chown(f"s{name}", 1, 1, follow_symlinks=False)
    os.utime(name)
    os.truncate(name, number)
    for act in lambda: os.mkdir(f"d{name}"), lambda: os.chmod("absent", 0):
        try:
            act()
        except OSError:
            pass
"""

# Which calls are which event.
WITNESSED = {
    "mkdir": DIRECTORY,
    "mknod": "file-created",
    "mknodat": "file-created",
    "link": "linked",
    "linkat": "linked",
    "symlink": "symlinked",
    "symlinkat": "symlinked",
    "chmod": MODE,
    "fchmodat": MODE,
    "chown": OWNER,
    "lchown": OWNER,
    "fchownat": OWNER,
    "utimensat": TIMES,
    "truncate": "file-modified",
}


def test_strace_sees_the_same_changes(watching: Capture, tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    folder, trace = tmp_path / "busy", tmp_path / "trace"
    folder.mkdir()
    command = ["strace", "-o", trace, "-e", f"trace={','.join(WITNESSED)}"]
    subprocess.run([*command, sys.executable, "-IB", "-c", BUSY, folder], check=True)
    watching.wait_for(
        lambda event: (
            event["event"]["action"] == "file-modified"
            and event["file"]["path"] == str(folder / "9")
        )
    )
    witnessed = Counter(
        WITNESSED[name] for name in re.findall(r"^(\w+)\(.* = 0$", trace.read_text(), re.MULTILINE)
    )
    assert sum(witnessed.values()) >= 100
    seen = Counter(
        event["event"]["action"]
        for event in watching.events
        if event.get("file", {}).get("directory") == str(folder)
    )
    assert seen == witnessed
