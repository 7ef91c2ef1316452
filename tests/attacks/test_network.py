"""Connections that are opened without connect."""

from __future__ import annotations

import pytest

from tests.live.capture import Capture

from .conftest import Tricks

pytestmark = pytest.mark.live


def test_connection_opened_by_sending(watching: Capture, tricks: Tricks) -> None:
    played = tricks.play("fast_open")
    listener, client = map(int, played.lines)
    event = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "connected-to"
            and event["source"]["port"] == client
            and event["destination"]["port"] == listener
        )
    )
    assert event["process"]["pid"] == played.pid
