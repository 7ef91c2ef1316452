"""TCP connections on this kernel."""

from __future__ import annotations

import errno
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .capture import KERNEL, Capture, Event

pytestmark = pytest.mark.live


def of_ports(event: Event, source: int, destination: int) -> bool:
    """Whether an event is about a connection between these ports.

    The audit source tells only that of the other host.
    """
    if event["event"]["action"] == "listen-for-connections":
        return False
    ends = {"source": source, "destination": destination}
    told = {end: event[end]["port"] for end in ends if end in event}
    return bool(told) and told.items() <= ends.items()


def both_ends(
    capture: Capture, server: socket.socket, client: socket.socket
) -> tuple[Event, Event]:
    """Connects, accepts, and returns the events of both."""
    client.connect(server.getsockname()[:2])
    accepted, _ = server.accept()
    own, port = client.getsockname()[1], server.getsockname()[1]
    accepted.close()

    def seen(action: str) -> Event:
        return capture.wait_for(
            lambda event: event["event"]["action"] == action and of_ports(event, own, port)
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
            ends = [event[end]["ip"] for end in ("source", "destination") if end in event]
            assert ends == [address] * (1 if watching.audits else 2)
            assert event["network"]["direction"] == direction
            assert watching.audits or event["network"]["transport"] == "tcp"
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
        assert client.connect_ex(server.getsockname()) == errno.EINPROGRESS
        accepted, _ = server.accept()
        accepted.close()
        event = watching.wait_for(
            lambda event: (
                event["event"]["action"] == "connected-to"
                and event["destination"]["port"] == server.getsockname()[1]
            )
        )
    assert event["process"]["pid"] == os.getpid()
    # What became of it is in no record.
    assert event["event"]["outcome"] == ("unknown" if watching.audits else "success")


def test_refused_connection_tells_why(watching: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        own = client.getsockname()[1]
        assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    event = watching.wait_for(lambda event: of_ports(event, own, port))
    assert event["event"]["action"] == "connected-to"
    assert event["event"]["outcome"] == "failure"
    assert event["action"]["properties"]["exit"] == "ECONNREFUSED"
    assert event["process"]["pid"] == os.getpid()


# In a network of its own, where there is no way to anywhere.
NO_WAY = """
import socket
for family, peer in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
    with socket.socket(family) as client:
        assert client.connect_ex((peer, 9))
"""

# There, a way to a neighbour that does not answer: the kernel tells after three seconds.
NO_NEIGHBOUR = """
import errno, fcntl, os, socket, struct
device = os.open("/dev/net/tun", os.O_RDWR)
named = b"quiet".ljust(16, b"\\0")
fcntl.ioctl(device, 0x400454CA, named + struct.pack("H22x", 0x1002))  # TUNSETIFF: TAP, NO_PI
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    address = struct.pack("HH4s16x", socket.AF_INET, 0, socket.inet_aton("10.0.0.1"))
    fcntl.ioctl(control, 0x8916, named + address)  # SIOCSIFADDR
    for name in named, b"lo".ljust(16, b"\\0"):
        fcntl.ioctl(control, 0x8914, name + struct.pack("H22x", 1))  # SIOCSIFFLAGS: UP
with socket.socket() as client:
    assert client.connect_ex(("10.0.0.2", 9)) == errno.EHOSTUNREACH
"""


def in_a_network_of_its_own(watching: Capture, code: str) -> list[Event]:
    """What is told of the connects of a piece of Python there."""
    command = ["unshare", "--net", sys.executable, "-I", "-c", code]
    child = subprocess.Popen(command)
    assert child.wait(60) == 0
    watching.exit_of(child)
    return [
        event
        for event in watching.events
        if event["event"]["action"] == "connected-to" and event["process"]["pid"] == child.pid
    ]


def test_connect_without_a_way(watching: Capture) -> None:
    events = in_a_network_of_its_own(watching, NO_WAY)
    assert [event["destination"]["ip"] for event in events] == ["192.0.2.1", "2001:db8::1"]
    reasons = [event["action"]["properties"]["exit"] for event in events]
    assert reasons == ["ENETUNREACH", "EADDRNOTAVAIL"]
    for event in events:
        assert event["destination"]["port"] == 9
        assert event["event"]["outcome"] == "failure"
        assert "source" not in event


# All ports of its own are taken: the kernel begins with the connect, and finds none.
NO_PORT = """
import errno, fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    up = b"lo".ljust(16, b"\\0") + struct.pack("H22x", 1)
    fcntl.ioctl(control, 0x8914, up)  # SIOCSIFFLAGS
with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
    file.write("40000 40001")
server = socket.create_server(("127.0.0.1", 9))
clients = [socket.create_connection(("127.0.0.1", 9)) for _ in range(2)]
with socket.socket() as client:
    assert client.connect_ex(("127.0.0.1", 9)) == errno.EADDRNOTAVAIL
"""


def test_connect_without_a_port_is_told_once(watching: Capture) -> None:
    events = in_a_network_of_its_own(watching, NO_PORT)
    outcomes = [event["event"]["outcome"] for event in events]
    assert outcomes == ["success", "success", "failure"]


@pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="needs TUN: no /dev/net/tun")
def test_connect_that_was_sent_in_vain_is_told_once(watching: Capture) -> None:
    """By the state of its socket, not once more by the call that ends with the same error."""
    [event] = in_a_network_of_its_own(watching, NO_NEIGHBOUR)
    assert event["destination"] == {"address": "10.0.0.2", "ip": "10.0.0.2", "port": 9}
    assert event["action"]["properties"]["exit"] == "EHOSTUNREACH"
    assert watching.audits or event["source"]["ip"] == "10.0.0.1"


@pytest.mark.ebpf("what becomes of a connection that nobody waits for")
def test_connection_that_is_given_up(watching: Capture) -> None:
    """A listener whose queue is full does not answer; the process closes its socket."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        first.connect(server.getsockname())
        assert select.select([server], [], [], 20.0)[0]
        second.setblocking(False)
        assert second.connect_ex(server.getsockname()) == errno.EINPROGRESS
        own, port = second.getsockname()[1], server.getsockname()[1]
        second.close()
        event = watching.wait_for(lambda event: of_ports(event, own, port))
    assert event["event"]["action"] == "connected-to"
    assert event["event"]["outcome"] == "failure"
    assert "exit" not in event.get("action", {}).get("properties", {})
    assert event["process"]["pid"] == os.getpid()


def test_listen(watching: Capture) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        event = watching.wait_for(
            lambda event: (
                event["event"]["action"] == "listen-for-connections"
                and event["destination"]["port"] == port
            )
        )
    assert event["destination"]["ip"] == "127.0.0.1"
    assert event["network"]["transport"] == "tcp"
    assert event["process"]["pid"] == os.getpid()


@pytest.mark.ebpf("the end of connections")
@pytest.mark.parametrize("who_closes_first", ["client", "server"])
def test_end_tells_bytes_and_duration(watching: Capture, who_closes_first: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        own, port = client.getsockname()[1], server.getsockname()[1]
        client.sendall(b"?" * 1_234)
        assert accepted.recv(1_234, socket.MSG_WAITALL)
        accepted.sendall(b"!" * 56_789)
        assert client.recv(56_789, socket.MSG_WAITALL)
        ends = [client, accepted] if who_closes_first == "client" else [accepted, client]
        ends[0].close()
        assert ends[1].recv(1) == b""
        ends[1].close()

    def seen(direction: str) -> Event:
        return watching.wait_for(
            lambda event: (
                event["event"]["action"] == "connection-ended"
                and of_ports(event, own, port)
                and event["network"]["direction"] == direction
            )
        )

    for event in (seen("egress"), seen("ingress")):
        assert event["source"]["bytes"] == 1_234
        assert event["destination"]["bytes"] == 56_789
        assert event["event"]["type"] == ["end"]
        assert event["event"]["duration"] > 0
        assert event["process"]["pid"] == os.getpid()


ACCEPT = """
import socket, sys
socket.socket(fileno=int(sys.argv[1])).accept()[0].close()
"""


@pytest.mark.ebpf("the end of connections")
def test_end_is_told_of_who_accepted(watching: Capture) -> None:
    """The parent listens and its child accepts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-I", "-c", ACCEPT, str(server.fileno())]
        with (
            subprocess.Popen(command, pass_fds=[server.fileno()]) as child,
            socket.create_connection(server.getsockname()) as client,
        ):
            own, port = client.getsockname()[1], server.getsockname()[1]
            assert client.recv(1) == b""
    event = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "connection-ended"
            and of_ports(event, own, port)
            and event["network"]["direction"] == "ingress"
        )
    )
    assert event["process"]["pid"] == child.pid


@pytest.mark.ebpf("the end of connections")
def test_connection_that_nobody_accepted_ends_with_its_listener(watching: Capture) -> None:
    if KERNEL < (5, 17):
        pytest.skip("needs Linux 5.17: before, only the end of what was accepted is told")
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        own, port = client.getsockname()[1], server.getsockname()[1]
    client.close()
    event = watching.wait_for(
        lambda event: (
            event["event"]["action"] == "connection-ended"
            and of_ports(event, own, port)
            and event["network"]["direction"] == "ingress"
        )
    )
    assert event["process"]["pid"] == os.getpid()


def test_socket_that_connects_to_itself(watching: Capture) -> None:
    """Both SYNs cross: the handshake goes another way than usual."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.connect(own.getsockname())
        port = own.getsockname()[1]
        event = watching.wait_for(lambda event: of_ports(event, port, port))
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
