"""Which of the signed bundles a host takes. No file is read and nothing is asked here."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

# What a bundle is made for: the C library and the machine. The module is built for no other.
PLATFORM = "win_amd64" if sys.platform == "win32" else "linux-x86_64"

# Bytes.
MAX_BUNDLE = 300_000_000

_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)

Version = tuple[int, ...]


@dataclass(frozen=True)
class Offer:
    """A bundle in the repository."""

    path: str
    """Of the target in the repository."""
    version: str
    percentage: int
    """Of the hosts that are to have it by now."""


@dataclass(frozen=True)
class Choice:
    """What is to be done."""

    offer: Offer | None
    """What is to be installed."""
    newest: str
    """The newest version in the repository; empty when there is none."""
    reason: str
    """Why nothing is."""


def is_version(text: str) -> bool:
    """Whether a text is the number of a version, as `1.20.3`."""
    return _VERSION.fullmatch(text) is not None


def key(version: str) -> Version:
    """By which versions are ordered.

    Raises:
        ValueError: it is none.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(version)
    return tuple(map(int, match.groups()))


def offers(targets: Iterable[tuple[str, int, object]]) -> Iterator[Offer]:
    """The bundles for this platform among all targets: path, length and what is said of each.

    What is not said as it should be is passed over: it may be for an agent to come.
    """
    for path, length, said in targets:
        if not isinstance(said, dict):
            continue
        version, percentage = said.get("version"), said.get("percentage")
        if (
            said.get("platform") == PLATFORM
            and isinstance(version, str)
            and is_version(version)
            and isinstance(percentage, int)
            and length <= MAX_BUNDLE
        ):
            yield Offer(path, version, percentage)


def choose(
    found: Iterable[Offer],
    running: str,
    wanted: str | None,
    agent_id: str,
    failed: Mapping[str, str],
) -> Choice:
    """The bundle to install.

    Args:
        found: the bundles of this platform.
        running: the version in use.
        wanted: the only one to use, also if it is older.
        agent_id: decides whether this host is among the first.
        failed: versions that did not work here, and why.
    """
    best = sorted(found, key=lambda offer: key(offer.version), reverse=True)
    newest = best[0].version if best else ""
    if wanted is not None:
        if wanted == running:
            return Choice(None, newest, f"it is kept at {wanted} by UpdateVersion")
        best = [offer for offer in best if offer.version == wanted]
        if not best:
            return Choice(None, newest, f"{wanted}, which UpdateVersion names, is not offered")
    else:
        best = [offer for offer in best if key(offer.version) > key(running)]
    reason = "there is no newer version"
    for offer in best:
        if (why := failed.get(offer.version)) is not None:
            reason = f"{offer.version} has failed here: {why}"
        elif wanted is None and not falls_in(agent_id, offer.version, offer.percentage):
            reason = f"{offer.version} is not for this host yet: {offer.percentage} % have it"
        else:
            return Choice(offer, newest, "")
    return Choice(None, newest, reason)


def falls_in(agent_id: str, version: str, percentage: int) -> bool:
    """Whether a host is among the first so many percent to have a version.

    For another version it is others, and those that are in stay in when the share grows.
    """
    digest = hashlib.sha256(f"{agent_id}:{version}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * 100 < percentage * 2**64
