"""The kernel's audit system, asked and told over netlink by someone other than the agent."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from .capture import Capture, auditing_into

# linux/audit.h, linux/netlink.h
NETLINK_AUDIT = 9
GET, SET, ADD_RULE, DELETE_RULE, LIST_RULES = 1000, 1001, 1011, 1012, 1013
USER_LOGIN = 1112
REQUEST_AND_ACK = 5
ERROR, DONE = 2, 3
MASK_ENABLED, MASK_RATE_LIMIT, MASK_BACKLOG_LIMIT = 1, 8, 16

_HEADER = struct.Struct("=IHHII")
_STATUS = struct.Struct("=10I")

# Size of `struct audit_rule_data` before the texts, whose own size is its last member.
_RULE = 1040

State = tuple[dict[str, int], list[bytes]]


class Client:
    """A socket of the audit system."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT)
        self.socket.settimeout(5.0)
        self.socket.bind((0, 0))

    def ask(self, kind: int, payload: bytes = b"") -> list[bytes]:
        """The answers to a request; OSError when it is refused."""
        size = _HEADER.size + len(payload)
        self.socket.sendto(_HEADER.pack(size, kind, REQUEST_AND_ACK, 1, 0) + payload, (0, 0))
        answers: list[bytes] = []
        acknowledged = False
        while True:
            message = self.socket.recv(65536)
            found = _HEADER.unpack_from(message)[1]
            if found == ERROR:
                code = struct.unpack_from("=i", message, _HEADER.size)[0]
                if code:
                    raise OSError(-code, os.strerror(-code))
                acknowledged = True
            elif found == kind:
                answers.append(message[_HEADER.size :])
            done = found == DONE or (kind == GET and bool(answers))
            if done or (acknowledged and kind not in (GET, LIST_RULES)):
                return answers

    def status(self) -> dict[str, int]:
        """What a user of the audit system may have set."""
        values = _STATUS.unpack_from(self.ask(GET)[0])
        names = ("mask", "enabled", "failure", "pid", "rate_limit", "backlog_limit")
        found = dict(zip(names, values, strict=False))
        return {**found, "backlog_wait_time": values[9]}

    def lost(self) -> int:
        """Records lost since the boot."""
        count: int = _STATUS.unpack_from(self.ask(GET)[0])[6]
        return count

    def rules(self) -> list[bytes]:
        """All rules, as they were added."""
        return [rule[: _RULE + _size_of_texts(rule)] for rule in self.ask(LIST_RULES)]

    def state(self) -> State:
        """All that has to be as before when the agent is gone."""
        return self.status(), self.rules()

    def set(self, mask: int, **values: int) -> None:
        """Changes the state."""
        names = ("enabled", "failure", "pid", "rate_limit", "backlog_limit")
        words = [mask, *(values.get(name, 0) for name in names), *([0] * 5)]
        self.ask(SET, struct.pack("=11I", *words))

    def tell(self, kind: int, text: str) -> None:
        """Says something as a program with CAP_AUDIT_WRITE does."""
        self.ask(kind, text.encode() + b"\0")


def _size_of_texts(rule: bytes) -> int:
    size: int = struct.unpack_from("=I", rule, _RULE - 4)[0]
    return size


@contextmanager
def audit_client() -> Iterator[Client]:
    """A client on a host with an audit system; whatever happens, it is left as it was found."""
    try:
        client = Client()
        with suppress(OSError):
            client.ask(DELETE_RULE, OF_BENCHMARKS)
        before = client.state()
    except OSError as error:
        pytest.skip(f"needs the kernel's audit system: {error}")
    if before[0]["enabled"] == 2:
        pytest.skip("needs an audit system that is not locked")
    with client.socket:
        try:
            yield client
        finally:
            enabled, limit = before[0]["enabled"], before[0]["backlog_limit"]
            client.set(MASK_ENABLED | MASK_BACKLOG_LIMIT, enabled=enabled, backlog_limit=limit)
            for rule in client.rules():
                if rule not in before[1]:
                    client.ask(DELETE_RULE, rule)


@contextmanager
def auditing_alone(folder: Path, **options: Any) -> Iterator[Capture]:
    """A running capture, after which the audit system, which nobody else uses, is as before."""
    with audit_client() as client:
        client.set(MASK_ENABLED, enabled=0)
        before = client.state()
        with auditing_into(folder, **options) as capture:
            yield capture
        assert client.state() == before


def never_rule(key: bytes = b"", *, list_number: int = 1) -> bytes:
    """A rule that keeps the audit system from watching: on list 1, new processes; on 4, calls."""
    words = [0] * (_RULE // 4)
    words[0] = list_number
    if key:
        words[2], words[-1] = 1, len(key)
        field, value, operator = 3 + 64, 3 + 2 * 64, 3 + 3 * 64
        words[field], words[value], words[operator] = 210, len(key), 0x40000000
    if list_number == 4:
        # Of a call that nobody makes here, sysfs.
        words[3 + 139 // 32] |= 1 << 139 % 32
    return struct.pack(f"={len(words)}I", *words) + key


OF_BENCHMARKS = never_rule(b"benchmarks")
"""What keeps the audit system out of the benchmarks. Of one that was killed it is left."""
