"""TCP connections on this kernel."""

from __future__ import annotations

import os
import socket

import pytest

from .capture import Capture, Event

pytestmark = pytest.mark.live


def both_ends(
    capture: Capture, server: socket.socket, client: socket.socket
) -> tuple[Event, Event]:
    """Connects, accepts, and returns the events of both."""
    client.connect(server.getsockname()[:2])
    accepted, _ = server.accept()
    port = client.getsockname()[1]
    accepted.close()

    def seen(action: str) -> Event:
        return capture.wait_for(
            lambda event: event["event"]["action"] == action and event["source"]["port"] == port
        )

    return seen("connected-to"), seen("accepted-connection-from")


@pytest.mark.parametrize(
    ("family", "address", "kind"),
    [(socket.AF_INET, "127.0.0.1", "ipv4"), (socket.AF_INET6, "::1", "ipv6")],
)
def test_connect_and_accept(watching: Capture, family: int, address: str, kind: str) -> None:
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((address, 0))
        server.listen()
        connected, accepted = both_ends(watching, server, client)
        for event, direction in ((connected, "egress"), (accepted, "ingress")):
            assert event["source"]["ip"] == event["destination"]["ip"] == address
            assert event["destination"]["port"] == server.getsockname()[1]
            assert event["network"]["direction"] == direction
            assert event["network"]["transport"] == "tcp"
            assert event["network"]["type"] == kind
            assert event["process"]["pid"] == os.getpid()
            assert event["event"]["code"] == 3


def test_ipv4_through_a_socket_of_both_families(watching: Capture) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            event = watching.wait_for(
                lambda event: (
                    event["event"]["action"] == "accepted-connection-from"
                    and event["source"]["port"] == client.getsockname()[1]
                )
            )
    assert event["source"]["ip"] == "127.0.0.1"
    assert event["network"]["type"] == "ipv4"


def test_connection_that_was_not_waited_for(watching: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setblocking(False)
        assert client.connect_ex(server.getsockname()) == 115  # EINPROGRESS
        accepted, _ = server.accept()
        accepted.close()
        event = watching.wait_for(
            lambda event: (
                event["event"]["action"] == "connected-to"
                and event["destination"]["port"] == server.getsockname()[1]
            )
        )
    assert event["process"]["pid"] == os.getpid()


def test_refused_connection_is_not_a_connection(capture: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
    capture.stop()
    assert not [
        event for event in capture.events if event.get("destination", {}).get("port") == port
    ]


def test_socket_that_connects_to_itself(watching: Capture) -> None:
    """Both SYNs cross: the handshake goes another way than usual."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.connect(own.getsockname())
        port = own.getsockname()[1]
        event = watching.wait_for(lambda event: event.get("source", {}).get("port") == port)
    assert event["event"]["action"] == "connected-to"
    assert event["destination"]["port"] == port


def test_accept_of_a_multipath_listener(watching: Capture) -> None:
    try:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)  # IPPROTO_MPTCP
    except OSError as error:
        pytest.skip(f"needs a kernel with MPTCP: {error}")
    with server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        both_ends(watching, server, client)
