"""What every event says about its agent and its host, and how the agent's own records are made."""

from __future__ import annotations

import ipaddress
import socket
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import psutil

from endpoint_agent import __version__

if TYPE_CHECKING:
    from endpoint_agent._native import Spool

PROVIDER = "SEKOIA-IO-Endpoint"
VERSION = f"v{__version__}"

# A host of containers has an address for each of them, and each event carries the list.
MAX_ADDRESSES = 32

OS_TYPE = "windows" if sys.platform == "win32" else "linux"
"""The host's `host.os.type`."""

_INTERNET = (socket.AF_INET, socket.AF_INET6)


def clean(text: str) -> str:
    """The text as valid UTF-8: what stands for an undecodable byte becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def addresses() -> list[str]:
    """Addresses of the host but loopback ones: IPv4, then IPv6, then link-local ones."""
    found = {
        ipaddress.ip_address(address.address.partition("%")[0])
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in _INTERNET
    }
    wanted = (address for address in found if not address.is_loopback)
    ordered = sorted(wanted, key=lambda ip: (ip.is_link_local, ip.version, int(ip)))
    return [str(address) for address in ordered[:MAX_ADDRESSES]]


class Envelope:
    """The members common to all events, as they are now."""

    def __init__(self, agent_id: str) -> None:
        """Reads the facts of the host. `agent_id`: 64 hexadecimal digits.

        `agent.ephemeral_id` tells the run: `event.sequence` counts from 1 in each.
        """
        self.agent = {"id": agent_id, "ephemeral_id": str(uuid.uuid4()), "version": VERSION}
        self.host = _host()

    def refresh(self) -> bool:
        """Reads the facts of the host again; whether one has changed."""
        before, self.host = self.host, _host()
        return self.host != before

    def members(self) -> bytes:
        """`"agent":{…},"host":{…}`, to be put between the braces of every event."""
        return orjson.dumps({"agent": self.agent, "host": self.host})[1:-1]


class Reporter:
    """Puts the records that the agent writes about itself into the queue."""

    def __init__(self, spool: Spool, envelope: Envelope) -> None:
        """Takes the queue, and the envelope that every record gets."""
        self._spool = spool
        self._envelope = envelope

    def report(self, event: Mapping[str, Any], **members: Any) -> bool:
        """Queues `record(event, **members)`. False: it was not kept, and is counted as lost."""
        return self._spool.append(orjson.dumps(self.record(event, **members)))

    def record(
        self,
        event: Mapping[str, Any],
        *,
        host: Mapping[str, Any] | None = None,
        **members: Any,
    ) -> dict[str, Any]:
        """One ECS event of the agent itself, stamped with the time and its sequence number.

        Args:
            event: members of `event` beyond provider and sequence.
            host: members of `host` beyond those of the envelope.
            members: further root members.
        """
        own = {"provider": PROVIDER, "sequence": self._spool.next_sequence()}
        return {
            "@timestamp": timestamp(),
            "agent": self._envelope.agent,
            "host": {**self._envelope.host, **(host or {})},
            "event": {**event, **own},
            **members,
        }


def timestamp(when: datetime | None = None) -> str:
    """Now, or another time of UTC, as `2026-01-19T12:50:54.116Z`."""
    when = (when or datetime.now(UTC)).replace(tzinfo=None)
    return when.isoformat(timespec="milliseconds") + "Z"


def _host() -> dict[str, Any]:
    return {
        "hostname": clean(socket.gethostname()),
        "ip": addresses(),
        "os": {"type": OS_TYPE},
    }
