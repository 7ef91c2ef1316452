"""Connections that are opened without connect."""

from __future__ import annotations

import pytest

from tests.live.capture import Capture, Event

from .conftest import Tricks

pytestmark = pytest.mark.live


def of_connection(capture: Capture, action: str, ports: list[str]) -> Event:
    """The event of a connection, between the ports of its listener and of its client."""
    listener, client = map(int, ports)
    return capture.wait_for(
        lambda event: (
            event["event"]["action"] == action
            and event["source"]["port"] == client
            and event["destination"]["port"] == listener
        )
    )


def test_connection_opened_by_sending(watching: Capture, tricks: Tricks) -> None:
    played = tricks.play("fast_open")
    event = of_connection(watching, "connected-to", played.lines)
    assert event["process"]["pid"] == played.pid
