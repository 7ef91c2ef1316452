"""Where the intake listens."""

from __future__ import annotations

import ipaddress
import os
import socket

from endpoint_agent.errors import ServerError, UsageError

_BACKLOG = 256


def split(listen: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`, `name:8080` or `[::1]:8080`.

    Raises:
        UsageError: it is none of these.
    """
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (host and colon and port.isascii() and port.isdigit() and int(port[:6]) <= 65535):
        raise UsageError(
            f"--listen {listen}: not an address: give HOST:PORT such as 127.0.0.1:8080 or "
            "[::1]:8080, with port 0 for any free one"
        )
    return host, int(port)


def bind(listen: str, *, tls: bool) -> socket.socket:
    """A listening socket. What is checked is the address that is bound, not its name.

    Raises:
        UsageError: not an address, or plain http beyond this machine.
        ServerError: the address is in use, or not one of this machine.
    """
    host, port = split(listen)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ServerError(f"--listen {listen}: the host name has no address: {error}") from error
    family, _, _, _, address = found[0]
    if not tls and not ipaddress.ip_address(str(address[0])).is_loopback:
        raise UsageError(
            f"--listen {listen}: plain http would send keys and events readable over the network: "
            "give --tls-self-signed, or --tls-cert and --tls-key, or listen on 127.0.0.1"
        )
    return _listening(family, address, listen)


def _listening(
    family: socket.AddressFamily, address: tuple[object, ...], listen: str
) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named; without it answers wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ServerError(
            f"--listen {listen}: {error.strerror}: choose another port, or stop what listens there"
        ) from error
    return listener


def url(listener: socket.socket, *, tls: bool) -> str:
    """The base URL under which a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"
