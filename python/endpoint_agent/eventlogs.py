"""`EventLogChannels`: which channels of the Windows event log are read, and what of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from endpoint_agent.rules import BadRuleError, mapping, shown

MAX_CHANNELS = 256
MAX_IDS = 500
LAST_ID = 65_535

ALLOWED = (
    f"a list of at most {MAX_CHANNELS} channels: a name, or `channel` with `event_ids`, a list of "
    "numbers and of ranges as 4720-4767"
)

_NAME = re.compile(r"[^\x00-\x1f\x7f<>&\"'|\\:`*?]{1,255}")
_RANGE = re.compile(r"([0-9]{1,5})\s*-\s*([0-9]{1,5})", re.ASCII)


class Channel(NamedTuple):
    """A channel, and the numbers of events that are read, from and to; all without any."""

    name: str
    event_ids: tuple[tuple[int, int], ...] = ()


DEFAULT = tuple(
    Channel(name)
    for name in (
        "Security",
        "System",
        "Windows PowerShell",
        "ForwardedEvents",
        "PowerShellCore/Operational",
        *(
            f"Microsoft-Windows-{name}"
            for name in (
                "Sysmon/Operational",
                "PowerShell/Operational",
                "Windows Defender/Operational",
                "WMI-Activity/Operational",
                "NTLM/Operational",
                "TaskScheduler/Operational",
                "AppLocker/EXE and DLL",
                "AppLocker/MSI and Script",
                "AppLocker/Packaged app-Deployment",
                "AppLocker/Packaged app-Execution",
                "Windows Firewall With Advanced Security/Firewall",
            )
        ),
    )
)


def read(values: list[object]) -> Iterator[Channel]:
    """Each channel of the list.

    Raises:
        BadRuleError: the next one is no good; its message says why.
    """
    seen: set[str] = set()
    for value in values:
        channel = _channel(value)
        if len(seen) == MAX_CHANNELS:
            raise BadRuleError(f"there are more than {MAX_CHANNELS}")
        if channel.name.lower() in seen:
            raise BadRuleError(f"{channel.name} is given twice; remove one")
        seen.add(channel.name.lower())
        yield channel


def _channel(value: object) -> Channel:
    if isinstance(value, str):
        return Channel(_name(value))
    members = mapping(value, ("channel", "event_ids"))
    ids = members["event_ids"]
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS:
        raise BadRuleError(f"event_ids: found {shown(ids)}; allowed: a list of 1 to {MAX_IDS}")
    return Channel(_name(members["channel"]), tuple(map(_ids, ids)))


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise BadRuleError(f"channel: found {shown(value)}; allowed: the name of a channel")
    return value


def _ids(value: object) -> tuple[int, int]:
    first = last = -1
    if isinstance(value, int) and not isinstance(value, bool):
        first = last = value
    elif isinstance(value, str) and (match := _RANGE.fullmatch(value)):
        first, last = int(match[1]), int(match[2])
    if not 0 <= first <= last <= LAST_ID:
        raise BadRuleError(
            f"event_ids: found {shown(value)}; "
            f"allowed: a number up to {LAST_ID}, or a range as 4720-4767"
        )
    return first, last
