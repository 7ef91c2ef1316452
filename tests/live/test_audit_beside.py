"""The audit source beside an audit daemon and other rules, under a limit, and in a recording."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from .audit import (
    ADD_RULE,
    DELETE_RULE,
    MASK_ENABLED,
    MASK_RATE_LIMIT,
    Client,
    never_rule,
)
from .auditd import audit_daemon
from .capture import Capture, Event, auditing_into
from .daemon import wait

pytestmark = pytest.mark.live

TRICKS = Path(__file__).parents[1] / "attacks" / "tricks"

# A trick's status where the kernel does not let it be played.
REFUSED = 77

# Where a rule has its first value, and that of the rules of 32-bit calls (AUDIT_ARCH_I386).
VALUES, I386 = 4 * (3 + 64 + 64), (0x40000003,)


def test_an_audit_daemon_and_the_agent_both_get_the_records(audit: Client, tmp_path: Path) -> None:
    audit.set(MASK_ENABLED, enabled=1)
    with audit_daemon(tmp_path / "auditd", audit) as log:
        # A rule of the daemon's user, which the agent's do not replace.
        theirs = never_rule(b"of-others", list_number=4)
        audit.ask(ADD_RULE, theirs)
        try:
            before = audit.state()
            with auditing_into(tmp_path) as capture:
                during = audit.rules()
                subprocess.run(["true", str(tmp_path)], check=True)
                event = capture.exec_of("true", str(tmp_path))
                told = re.compile(rb'type=EXECVE .*a1="' + str(tmp_path).encode() + b'"')
                wait(lambda: told.search(log.read_bytes()))
            assert audit.state() == before
        finally:
            audit.ask(DELETE_RULE, theirs)
        assert event["action"]["properties"]["syscall"] == "execve"
        own = [rule for rule in during if rule not in before[1]]
        assert all(b"endpoint-agent" in rule for rule in own)
        assert len(own) > 10


def test_an_audit_daemon_that_comes_later_takes_over(audit: Client, tmp_path: Path) -> None:
    rules = audit.rules()
    with auditing_into(tmp_path) as capture:
        assert audit.status()["pid"] == os.getpid()
        with audit_daemon(tmp_path / "auditd", audit) as log:
            wait(lambda: any("beside it" in text for _, text in capture.pipeline.notices()))
            subprocess.run(["true", str(tmp_path)], check=True)
            assert capture.exec_of("true", str(tmp_path))
            told = re.compile(rb'type=EXECVE .*a1="' + str(tmp_path).encode() + b'"')
            wait(lambda: told.search(log.read_bytes()))
            capture.stop()
            # The daemon's are the audit system and its records; the rules were the agent's.
            assert audit.rules() == rules
            assert audit.status()["enabled"] == 1
    audit.set(MASK_ENABLED, enabled=0)


def test_what_the_kernel_drops_is_counted(audit: Client, tmp_path: Path) -> None:
    limit = audit.status()["rate_limit"]
    before = audit.lost()
    with auditing_into(tmp_path) as capture:
        try:
            audit.set(MASK_RATE_LIMIT, rate_limit=5)
            for _ in range(50):
                subprocess.run(["true"], check=True)
        finally:
            audit.set(MASK_RATE_LIMIT, rate_limit=limit)
    counts = [
        event["action"]["properties"]["count"]
        for event in capture.events
        if event["event"]["action"] == "events-lost"
        and event["action"]["properties"]["place"] == "kernel audit"
        and event["action"]["properties"]["what"] == "record"
    ]
    assert 0 < sum(counts) <= audit.lost() - before


def test_a_recording_tells_the_same(audit: Client, tmp_path: Path) -> None:
    path = tmp_path / "audit.rec"
    with auditing_into(tmp_path / "live", record=path) as capture:
        script = f"echo > {tmp_path}/made; cd {tmp_path}; mv made moved; true {tmp_path}; exit 3"
        # By its path: what a search tells of places without a shell depends on who is faster.
        child = subprocess.Popen(["/bin/sh", "-c", script])
        child.wait()
        capture.wait_for(
            lambda event: (
                event["event"]["action"] == "process-ended" and event["process"]["pid"] == child.pid
            )
        )
    replayed = Capture(tmp_path / "replay", source=f"replay:{path}")
    replayed.pipeline.start()
    wait(replayed.pipeline.finished)
    replayed.stop()
    replayed.spool.close()

    def told(events: list[Event]) -> list[Event]:
        parts = ("@timestamp", "process", "user", "file", "action", "sekoiaio")
        return [
            {"what": event["event"]["action"], **{part: event.get(part) for part in parts}}
            for event in events
            if child.pid
            in (
                event.get("process", {}).get("pid"),
                event.get("process", {}).get("parent", {}).get("pid"),
            )
        ]

    # A host that does too much at once loses records; the agent then asks it what it missed.
    lost = any(event["event"]["action"] == "events-lost" for event in capture.events)
    assert lost or told(replayed.events) == told(capture.events)
    actions = {event["what"] for event in told(replayed.events)}
    assert actions >= {"process-created", "file-created", "renamed", "process-ended"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_rules_that_stand_already_stay(audit: Client, tmp_path: Path) -> None:
    with auditing_into(tmp_path / "first"):
        before = audit.state()
        with auditing_into(tmp_path / "second") as capture:
            assert "failed" not in {state for _, state, _ in capture.pipeline.coverage()}
        assert audit.state() == before


def test_calls_of_32_bit_programs(audit: Client, tmp_path: Path) -> None:
    """One rule has all of them until the first is made; that one is told like those after it."""

    def rules() -> list[bytes]:
        return [rule for rule in audit.rules() if struct.unpack_from("=I", rule, VALUES) == I386]

    def play(name: str) -> None:
        made, named = tmp_path / name, tmp_path / f"{name}-too"
        status = subprocess.run([program, made, named, name], capture_output=True).returncode
        if status == REFUSED:
            pytest.skip("needs a kernel with 32-bit system calls")
        for path, action, syscall in (
            (made, "file-created", "open"),
            (named, "renamed", "rename"),
            (named, "file-deleted", "unlink"),
        ):
            properties = capture.of_path(str(path), action)["action"]["properties"]
            assert (properties["syscall"], properties["arch"]) == (syscall, "i386")
        executed = capture.exec_of("echo", name)["action"]["properties"]
        assert (executed["syscall"], executed["arch"]) == ("execve", "i386")

    program = tmp_path / "called_as_32_bit"
    flags = ["-O1", "-pthread"]
    subprocess.run(["gcc", *flags, TRICKS / f"{program.name}.c", "-o", program], check=True)
    before = audit.state()
    with auditing_into(tmp_path) as capture:
        (one,) = rules()
        play("first")
        wait(lambda: len(rules()) > 1 and one not in rules())
        play("second")
        assert not capture.pipeline.notices()
    assert audit.state() == before


def test_who_forbids_to_watch_is_obeyed_and_named(audit: Client, tmp_path: Path) -> None:
    """Fedora ships the rule `-a task,never`, which is not the agent's own with its key."""
    audit.set(MASK_ENABLED, enabled=1)
    audit.ask(ADD_RULE, never_rule())
    try:
        before = audit.state()
        with auditing_into(tmp_path) as capture:
            failed = {name for name, state, _ in capture.pipeline.coverage() if state == "failed"}
            assert failed == {"audit of new processes"}
            wait(lambda: any("task,never" in text for _, text in capture.pipeline.notices()))
        assert audit.state() == before
    finally:
        audit.ask(DELETE_RULE, never_rule())
