"""Logins and accounts, as programs tell them to the kernel's audit system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .audit import ADD_RULE, MASK_ENABLED, USER_LOGIN, Client, audit_client, never_rule
from .auditd import audit_daemon
from .capture import Capture, Event, auditing_into, capturing, require_root
from .daemon import wait

pytestmark = pytest.mark.live

OWN_KEY = b"endpoint-agent"


@pytest.fixture
def audit() -> Iterator[Client]:
    """The audit system of this host, as it is without an agent."""
    require_root()
    with audit_client() as client:
        yield client


def login(capture: Capture, terminal: str) -> Event:
    """The event of a login at a terminal."""
    return capture.wait_for(
        lambda event: event.get("action", {}).get("properties", {}).get("terminal") == terminal
    )


def tell_login(audit: Client, terminal: str) -> None:
    audit.tell(
        USER_LOGIN,
        f'op=login id=0 exe="/usr/sbin/sshd" hostname=192.0.2.9 addr=192.0.2.9 '
        f"terminal={terminal} res=failed",
    )


def test_a_login_is_told_and_the_audit_system_left_as_it_was(audit: Client, tmp_path: Path) -> None:
    audit.set(MASK_ENABLED, enabled=0)
    # As Fedora ships it. Without a key, it is not the agent's.
    audit.ask(ADD_RULE, never_rule())
    before = audit.state()
    terminal = f"tell-{tmp_path.name}"
    with capturing(tmp_path, logins=True) as capture:
        assert ("audit user records", "attached", "") in capture.pipeline.coverage()
        status, rules = audit.state()
        tell_login(audit, terminal)
        event = login(capture, terminal)

    assert (status["enabled"], status["pid"]) == (1, before[0]["pid"])
    # Nobody pays for the login records with slower system calls.
    assert [rule for rule in rules if rule not in before[1]] == [never_rule(OWN_KEY)]
    assert audit.state() == before
    assert event["event"]["action"] == "logged-in"
    assert event["event"]["outcome"] == "failure"
    assert event["source"] == {"address": "192.0.2.9", "ip": "192.0.2.9"}
    assert event["process"]["pid"] == os.getpid()
    # It is in the process table, with what it really runs.
    assert event["process"]["executable"] == os.path.realpath("/proc/self/exe")
    assert event["sekoiaio"]["process"]["guid"]


# Types of records (linux/audit.h), what programs say in them, and what that is.
SAID = [
    (USER_LOGIN, 'op=login id=0 exe="/usr/sbin/sshd" res=success', "logged-in"),
    (1113, 'op=login id=0 exe="/usr/sbin/sshd" res=success', "logged-out"),
    (1105, 'op=PAM:session_open acct="root" exe="/usr/bin/su" res=success', "started-session"),
    (1106, 'op=PAM:session_close acct="root" exe="/usr/bin/su" res=success', "ended-session"),
    (1123, 'cwd="/root" cmd=6964 exe="/usr/bin/sudo" res=success', "ran-command"),
    (1114, 'op=adding-user id=1077 exe="/usr/sbin/useradd" res=success', "added-user-account"),
    (1108, 'op=change-password acct="root" exe="/usr/bin/passwd" res=success', "changed-password"),
]


@pytest.mark.parametrize("source", ["ebpf", "audit"])
def test_each_source_tells_what_programs_say(audit: Client, tmp_path: Path, source: str) -> None:
    audit.set(MASK_ENABLED, enabled=0)
    start = auditing_into(tmp_path) if source == "audit" else capturing(tmp_path, logins=True)
    with start as capture:
        for kind, said, action in SAID:
            terminal = f"{action}-{tmp_path.name}"
            audit.tell(kind, f"{said} terminal={terminal}")
            event = login(capture, terminal)
            assert event["event"]["action"] == action
            assert event["event"]["outcome"] == "success"
            assert event["process"]["pid"] == os.getpid()


def test_what_others_have_set_stays(audit: Client, tmp_path: Path) -> None:
    audit.set(MASK_ENABLED, enabled=1)
    audit.ask(ADD_RULE, never_rule(b"of-others"))
    before = audit.state()
    terminal = f"others-{tmp_path.name}"
    with capturing(tmp_path, logins=True) as capture:
        assert audit.state() == before
        tell_login(audit, terminal)
        login(capture, terminal)

    assert audit.state() == before


@pytest.mark.parametrize("source", ["ebpf", "audit"])
def test_an_audit_daemon_hears_the_same(audit: Client, tmp_path: Path, source: str) -> None:
    terminal = f"beside-{tmp_path.name}"
    with audit_daemon(tmp_path / "auditd", audit) as log:
        before = audit.state()
        start = auditing_into(tmp_path) if source == "audit" else capturing(tmp_path, logins=True)
        with start as capture:
            tell_login(audit, terminal)
            assert login(capture, terminal)["event"]["action"] == "logged-in"
            wait(lambda: terminal.encode() in log.read_bytes())
        assert audit.state() == before


def test_who_comes_later_has_the_audit_system_for_himself(audit: Client, tmp_path: Path) -> None:
    audit.set(MASK_ENABLED, enabled=0)
    terminal = f"later-{tmp_path.name}"
    with capturing(tmp_path, logins=True) as capture:
        audit.ask(ADD_RULE, never_rule(b"of-others"))
        # Later than the rule on the same way, so the agent has seen that as well.
        tell_login(audit, terminal)
        login(capture, terminal)
        assert never_rule(OWN_KEY) not in audit.rules()

    assert audit.status()["enabled"] == 1
    assert never_rule(b"of-others") in audit.rules()


def test_what_a_killed_agent_left_is_put_back(audit: Client, tmp_path: Path) -> None:
    audit.set(MASK_ENABLED, enabled=0)
    before = audit.state()
    audit.ask(ADD_RULE, never_rule(OWN_KEY))
    audit.set(MASK_ENABLED, enabled=1)
    with capturing(tmp_path, logins=True):
        pass

    assert audit.state() == before
