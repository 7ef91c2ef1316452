"""Watches: what is read, and what is left out with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from endpoint_agent._native import Rules
from endpoint_agent.errors import ConfigError
from endpoint_agent.watches import FILE_NAME, SHIPPED, Watch, copy, load, read


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o644)
    return path


def complaint(path: Path, watch: str) -> str:
    found = read(write(path, f"watches:\n  - tag: good\n    paths: [/x]\n  - {watch}\n"))
    assert [it.tag for it in found.watches] == ["good"]
    (complaint,) = found.complaints
    prefix = f"{path}:4: this watch is ignored: "
    assert complaint.startswith(prefix)
    return complaint.removeprefix(prefix)


def test_the_shipped_watches_are_sound(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.path == SHIPPED
    assert found.complaints == ()
    tags = {watch.tag for watch in found.watches}
    assert {"cron", "actions", "etcpasswd", "software_mgmt", "susp_activity", "sshd"} <= tags
    Rules(found.watches)


def test_a_watch_is_read(own: Path) -> None:
    write(
        own,
        """\
        watches:
          - tag: jobs
            actions: [file-created, renamed]
            syscalls: [setns, unshare]
            details: [PTRACE_ATTACH, ipv4]
            paths: [/etc/cron.d/, "*/crontab"]
            executables: [vi*, /usr/bin/ed]
            arguments: ["-e"]
            effective_users: [root, 0, 1000-, 5-7]
            login_users: ["7"]
        """,
    )
    assert load(own.parent).watches == (
        Watch(
            "jobs",
            actions=("file-created", "renamed"),
            syscalls=("setns", "unshare"),
            details=("PTRACE_ATTACH", "ipv4"),
            paths=("/etc/cron.d/", "*/crontab"),
            executables=("vi*", "/usr/bin/ed"),
            arguments=("-e",),
            effective_users=("root", (0, 0), (1000, 4_294_967_294), (5, 7)),
            login_users=((7, 7),),
        ),
    )


@pytest.mark.parametrize(
    ("watch", "words"),
    [
        ("7", "found 7; allowed: a mapping with tag"),
        ("paths: [/x]", "tag is missing"),
        ("{tag: a b, paths: [/x]}", "tag: found 'a b'; allowed: 1 to 64 letters"),
        ("tag: x", "it says nothing to look for; give actions, syscalls, details, paths"),
        ("{tag: x, path: [/x]}", "found the key 'path'; allowed: tag, actions, syscalls"),
        ("{tag: x, paths: /x}", "paths: found '/x'; allowed: a list of 1 to 1000 entries"),
        ("{tag: x, paths: []}", "paths: found a list of 0; allowed: a list"),
        ("{tag: x, paths: [7]}", "paths: found 7; allowed: a printable text"),
        ("{tag: x, paths: [etc]}", "paths: found 'etc'; allowed: an absolute path, or * at"),
        ('{tag: x, paths: ["/*/*/*"]}', "paths: found '/*/*/*'; allowed: at most two *"),
        ('{tag: x, arguments: ["a\\0"]}', "arguments: found 'a\\x00'; allowed: a printable text"),
        ("{tag: x, actions: [eaten]}", "actions: found 'eaten'; allowed: process-created"),
        ("{tag: x, syscalls: [set_ns]}", "syscalls: found 'set_ns'; allowed: open, clone, execve"),
        ("{tag: x, details: [ipv5]}", "details: found 'ipv5'; allowed: PTRACE_POKETEXT"),
        ("{tag: x, effective_users: [7-3]}", "effective_users: found '7-3'; allowed: a name"),
        ("{tag: x, effective_users: [4294967295]}", "effective_users: found 4294967295"),
        ("{tag: x, effective_users: [true]}", "effective_users: found True; allowed"),
        ("{tag: x, login_users: [-1]}", "login_users: found -1; allowed: a name"),
        ('{tag: x, effective_users: ["a b"]}', "effective_users: found 'a b'; allowed"),
    ],
)
def test_what_is_no_good_is_told_with_its_line(own: Path, watch: str, words: str) -> None:
    assert complaint(own, watch).startswith(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("watches: [\n", "is not valid YAML"),
        ("watches: 7\n", "holds no list of watches; allowed: one key, watches, with a list"),
        ("", "holds no list of watches"),
        ("watches: []\nwatch: []\n", "holds watch; allowed: one key"),
    ],
)
def test_a_file_of_no_use_leaves_the_shipped_ones(own: Path, text: str, words: str) -> None:
    write(own, text)
    found = load(own.parent)
    assert found.path == SHIPPED
    assert str(own) in found.complaints[0]
    assert words in found.complaints[0]
    assert found.complaints[0].endswith("the watches of the package are used")


def test_a_file_that_others_may_write_is_not_used(own: Path) -> None:
    write(own, "watches: []\n").chmod(0o666)
    with pytest.raises(ConfigError, match="writable by group or others"):
        read(own)
    assert load(own.parent).path == SHIPPED


def test_a_copy_counts_once_it_is_changed(own: Path) -> None:
    own.write_text(copy())
    assert load(own.parent).path == SHIPPED
    own.write_text(copy().replace("tag: cron", "tag: mine"))
    found = load(own.parent)
    assert found.path == own
    assert found.complaints == ()
    assert "mine" in {watch.tag for watch in found.watches}


def test_an_empty_list_watches_nothing(own: Path) -> None:
    assert load(write(own, "watches: []\n").parent) == (own, (), ())


def test_their_number_is_bounded(own: Path) -> None:
    lines = "".join(f"  - {{tag: t{n}, paths: [/x]}}\n" for n in range(1003))
    found = read(write(own, f"watches:\n{lines}"))
    assert len(found.watches) == 1000
    assert len(found.complaints) == 1
