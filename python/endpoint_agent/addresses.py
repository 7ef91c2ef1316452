"""Which addresses the settings allow."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether traffic to a host name or address stays on this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_server_url(text: str) -> bool:
    """Whether a text is an address to talk to: over TLS, or on this machine."""
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        return False
    if not host or any(sign in text for sign in "@?#\\"):
        return False
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(host))


def is_proxy_url(text: str) -> bool:
    """Whether a text is the address of a proxy."""
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
