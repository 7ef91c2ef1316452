from __future__ import annotations

import ipaddress
import json
import re
import socket
import uuid
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from endpoint_agent import envelope
from endpoint_agent._native import Spool
from endpoint_agent.envelope import Envelope, Reporter, addresses

AGENT_ID = "ab" * 32


def interfaces(*found: str) -> dict[str, list[SimpleNamespace]]:
    """A mock of what psutil tells: each address on an interface of its own, and its link."""
    link = SimpleNamespace(family=psutil.AF_LINK, address="00:11:22:33:44:55")
    families = (socket.AF_INET6 if ":" in address else socket.AF_INET for address in found)
    return {
        f"eth{number}": [link, SimpleNamespace(family=family, address=address)]
        for number, (address, family) in enumerate(zip(found, families, strict=True))
    }


def mock_interfaces(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces(*found))


def test_members_are_those_of_the_samples() -> None:
    members = json.loads(b"{" + Envelope(AGENT_ID).members() + b"}")

    assert members.keys() == {"agent", "host"}
    assert members["agent"].keys() == {"id", "ephemeral_id", "version"}
    assert members["agent"]["id"] == AGENT_ID
    assert re.fullmatch(r"v\d+\.\d+\.\d+.*", members["agent"]["version"])
    assert members["host"].keys() == {"hostname", "ip", "os"}
    assert members["host"]["hostname"] == socket.gethostname()
    assert members["host"]["os"] == {"type": "linux"}


def test_each_run_has_an_id_of_its_own_that_stays() -> None:
    one, two = Envelope(AGENT_ID), Envelope(AGENT_ID)
    before = one.agent["ephemeral_id"]
    one.refresh()

    assert uuid.UUID(before).version == 4
    assert one.agent["ephemeral_id"] == before != two.agent["ephemeral_id"]


def test_addresses_of_this_host_are_valid_and_not_loopback() -> None:
    assert all(not ipaddress.ip_address(address).is_loopback for address in addresses())


def test_addresses_are_ordered_and_without_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    mock_interfaces(
        monkeypatch, "fe80::2%eth0", "2001:db8::1", "10.0.0.2", "127.0.0.1", "::1", "10.0.0.1"
    )

    assert addresses() == ["10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::2"]


def test_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    containers = [f"fe80::{number:x}%veth{number}" for number in range(1, 500)]
    mock_interfaces(monkeypatch, *containers, "10.0.0.1", "fe80::1%other")

    found = addresses()

    assert len(found) == envelope.MAX_ADDRESSES
    assert found[0] == "10.0.0.1"


def test_a_change_of_address_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    mock_interfaces(monkeypatch, "10.0.0.1")
    one = Envelope(AGENT_ID)
    assert not one.refresh()

    mock_interfaces(monkeypatch, "10.0.0.2")

    assert one.refresh()
    assert b'"ip":["10.0.0.2"]' in one.members()
    assert not one.refresh()


def test_a_host_name_of_any_bytes_becomes_text(monkeypatch: pytest.MonkeyPatch) -> None:
    name = b'a\xff"b'.decode("utf-8", "surrogateescape")
    monkeypatch.setattr(socket, "gethostname", lambda: name)

    members = json.loads(b"{" + Envelope(AGENT_ID).members() + b"}")

    assert members["host"]["hostname"] == 'a?"b'


def test_a_record_has_envelope_time_and_sequence(reporter: Reporter) -> None:
    one: dict[str, Any] = reporter.record({"kind": "event", "reason": "why"}, tags=["x"])
    two = reporter.record({}, host={"uptime": 7})

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["@timestamp"])
    assert one["agent"]["id"] == AGENT_ID
    assert one["event"] == {
        "kind": "event",
        "reason": "why",
        "provider": "SEKOIA-IO-Endpoint",
        "sequence": 1,
    }
    assert one["tags"] == ["x"]
    assert two["event"]["sequence"] == 2
    assert two["host"].keys() == {"hostname", "ip", "os", "uptime"}


def test_a_report_is_queued_as_one_line(reporter: Reporter, spool: Spool, queued: Any) -> None:
    assert reporter.report({"reason": "two\nlines"})

    assert spool.counters()["reported"] == 1
    assert [record["event"]["reason"] for record in queued()] == ["two\nlines"]
