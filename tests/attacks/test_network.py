"""Connections that are opened without connect."""

from __future__ import annotations

import pytest

from tests.live.capture import Capture, Event

from .conftest import Tricks

pytestmark = pytest.mark.live


def require_datagrams(capture: Capture) -> None:
    """Skips where the audit system cannot tell them from what else is sent."""
    if not capture.sees_datagrams():
        pytest.skip("needs Linux 5.16: the audit system does not tell where data is sent before it")


def of_connection(capture: Capture, action: str, ports: list[str]) -> Event:
    """The event of a connection, between the ports of its listener and of its client.

    The audit source tells neither the own port nor the protocol.
    """
    listener, client = map(int, ports)
    return capture.wait_for(
        lambda event: (
            event["event"]["action"] == action
            and (capture.audits or event["source"]["port"] == client)
            and event["destination"]["port"] == listener
        )
    )


def test_connection_opened_by_sending(watching: Capture, tricks: Tricks) -> None:
    require_datagrams(watching)
    played = tricks.play("fast_open")
    event = of_connection(watching, "connected-to", played.lines)
    assert event["process"]["pid"] == played.pid


def test_datagrams_of_sockets_that_never_connect(watching: Capture, tricks: Tricks) -> None:
    require_datagrams(watching)
    played = tricks.play("sent_without_connect")
    for ports in played.lines[:2], played.lines[2:]:
        event = of_connection(watching, "sent-to", ports)
        assert event["process"]["pid"] == played.pid
        assert watching.audits or event["network"]["transport"] == "udp"


def test_datagram_that_a_program_builds_itself(watching: Capture, tricks: Tricks) -> None:
    """It goes past the kernel's IP, where datagrams are seen: nothing is told of it."""
    played = tricks.play("sent_past_the_kernel")
    watching.wait_for(
        lambda event: (
            event["event"]["action"] == "process-ended" and event["process"]["pid"] == played.pid
        )
    )
    watching.collect()
    assert not [
        event
        for event in watching.events
        if event["event"]["action"] == "sent-to" and event["process"]["pid"] == played.pid
    ]
