"""Datagrams on this kernel, and what is asked and answered by DNS."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from .capture import Capture, Event
from .responder import ADDRESS, Responder, question, receive, unique_name

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", autouse=True)
def responder() -> Iterator[None]:
    """Answers while the tests run."""
    with Responder():
        yield


def told(capture: Capture, action: str, name: str) -> Event:
    """The event of a name."""
    return capture.wait_for(
        lambda event: (
            event["event"]["action"] == action
            and event["dns"].get("question", {}).get("name") == name
        )
    )


def assert_resolution(capture: Capture, name: str, transport: str, own_port: int) -> None:
    """The question and its answer, of this process."""
    asked = told(capture, "dns-query", name)
    assert asked["event"]["type"] == ["protocol"]
    assert asked["dns"] == {
        "type": "query",
        "id": 7,
        "op_code": "Query",
        "header_flags": ["RD"],
        "question": {"name": name, "type": "A", "class": "IN"},
    }
    answered = told(capture, "dns-query-result", name)
    assert answered["event"]["type"] == ["protocol", "info"]
    assert answered["dns"] == {
        "type": "answer",
        "id": 7,
        "op_code": "Query",
        "header_flags": ["RD", "RA"],
        "response_code": "No Error",
        "question": {"name": name, "type": "A", "class": "IN"},
        "answers": [{"name": name, "type": "A", "data": "192.0.2.1", "ttl": 71}],
        "resolved_ip": ["192.0.2.1"],
    }
    for event, here, there in (
        (asked, "source", "destination"),
        (answered, "destination", "source"),
    ):
        assert event["event"]["code"] == 22
        assert event["network"]["transport"] == transport
        assert event["process"]["pid"] == os.getpid()
        assert event[here]["port"] == own_port
        assert (event[there]["ip"], event[there]["port"]) == ADDRESS


@pytest.mark.ebpf("DNS")
def test_question_over_a_connected_socket(watching: Capture) -> None:
    name = unique_name()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(ADDRESS)
        client.send(question(name))
        assert client.recv(4096)
        assert_resolution(watching, name, "udp", client.getsockname()[1])


@pytest.mark.ebpf("DNS")
def test_question_without_a_connection(watching: Capture) -> None:
    name = unique_name()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.sendmsg([question(name)], [], 0, (f"::ffff:{ADDRESS[0]}", ADDRESS[1]))
        assert client.recv(4096)
        assert_resolution(watching, name, "udp", client.getsockname()[1])


@pytest.mark.ebpf("DNS")
@pytest.mark.parametrize("apart", [False, True])
def test_question_over_tcp(watching: Capture, apart: bool) -> None:
    name = unique_name()
    message = question(name)
    length = struct.pack("!H", len(message))
    with socket.create_connection(ADDRESS) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (length, message) if apart else (length + message,):
            client.sendall(part)
        assert receive(client)
        own_port = client.getsockname()[1]
    assert_resolution(watching, name, "tcp", own_port)


# A header between that of IPv6 and that of the transport, with nothing but padding.
OPTIONS = bytes([0, 0, 1, 4, 0, 0, 0, 0])


@pytest.mark.ebpf("DNS")
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_question_behind_a_header_of_options(watching: Capture, kind: socket.SocketKind) -> None:
    name = unique_name()
    message = question(name)
    with (
        socket.socket(socket.AF_INET6, kind) as server,
        socket.socket(socket.AF_INET6, kind) as client,
    ):
        server.bind(("::1", 53))
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, OPTIONS)
        if kind == socket.SOCK_STREAM:
            server.listen()
            message = struct.pack("!H", len(message)) + message
        client.connect(server.getsockname())
        client.sendall(message)
        own_port = client.getsockname()[1]
        asked = told(watching, "dns-query", name)
    assert asked["network"]["transport"] == ("tcp" if kind == socket.SOCK_STREAM else "udp")
    assert (asked["source"]["ip"], asked["source"]["port"]) == ("::1", own_port)
    assert (asked["destination"]["ip"], asked["destination"]["port"]) == ("::1", 53)


@pytest.mark.ebpf("DNS")
def test_message_that_ends_too_early_is_told_and_marked(watching: Capture) -> None:
    name = unique_name()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(question(name)[:20], ADDRESS)
        port = client.getsockname()[1]
        event = watching.wait_for(
            lambda event: (
                event["event"]["action"] == "dns-query" and event["source"]["port"] == port
            )
        )
    assert "question" not in event["dns"]
    assert event["action"]["properties"]["truncated"] == ["dns.answers"]


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_datagram(watching: Capture, family: int, address: str) -> None:
    if not watching.sees_datagrams():
        pytest.skip("needs Linux 5.16: the audit system does not tell where data is sent before it")
    with (
        socket.socket(family, socket.SOCK_DGRAM) as server,
        socket.socket(family, socket.SOCK_DGRAM) as client,
    ):
        server.bind((address, 0))
        client.sendto(b"x", server.getsockname())
        own, port = client.getsockname()[1], server.getsockname()[1]
        event = watching.wait_for(
            lambda event: (
                event["event"]["action"] == "sent-to"
                and event["destination"]["port"] == port
                and (watching.audits or event["source"]["port"] == own)
            )
        )
    assert event["destination"]["ip"] == address
    assert watching.audits or event["network"]["transport"] == "udp"
    assert event["process"]["pid"] == os.getpid()


SEND_OFTEN = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    for _ in range(50):
        client.sendto(b"x", ("127.0.0.1", int(sys.argv[1])))
"""


@pytest.mark.ebpf("the number of datagrams")
def test_datagrams_to_one_peer_are_counted(watching: Capture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        child = subprocess.Popen([sys.executable, "-I", "-c", SEND_OFTEN, str(port)])
        watching.exit_of(child)
    counts = [
        event["sekoiaio"].get("repeat", {}).get("count", 1)
        for event in watching.events
        if event["event"]["action"] == "sent-to"
        and event["process"]["pid"] == child.pid
        and event["destination"]["port"] == port
    ]
    assert sum(counts) == 50
    assert len(counts) < 50
