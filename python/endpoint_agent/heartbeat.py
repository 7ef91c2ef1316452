"""The heartbeat: how the host and the agent fare, and every counter, as one `stats` event.

The counters stand flat under `action.properties`. Of the root members that the original's parser
keeps, that is the one for values of a source's own: `event`, `host` and `agent` are cut down to
known fields, and the original puts what its own log records count there too.
"""

from __future__ import annotations

import platform
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from endpoint_agent.envelope import OS_TYPE, Reporter, clean
from endpoint_agent.host_clock import since_boot
from endpoint_agent.support import host_root

if TYPE_CHECKING:
    from endpoint_agent._native import Spool

# A hook that does not attach says so in every heartbeat, so their list is bounded.
MAX_HOOKS = 64

# os-release(5), whose text is short.
MAX_RELEASE = 65_536
_PRETTY_NAME = re.compile(r"""^PRETTY_NAME=(["']?)(.+)\1$""", re.MULTILINE)

Coverage = list[tuple[str, str, str]]


class Heartbeat:
    """Reports `stats` events. One thread may use it."""

    def __init__(
        self,
        reporter: Reporter,
        spool: Spool,
        coverage: Callable[[], Coverage],
        rule_counts: Callable[[], dict[str, int]] = dict,
    ) -> None:
        """Takes where to report to, whose counters, and what tells the state of the hooks.

        `rule_counts` tells the occurrences that each drop rule has dropped, by its uuid.
        """
        self._reporter = reporter
        self._spool = spool
        self._coverage = coverage
        self._rule_counts = rule_counts
        self._process = psutil.Process()
        # A clock that is set back must not reach these figures, so the age is taken once.
        age = max(0.0, time.time() - self._process.create_time())
        self._started = time.monotonic() - age
        self._cpu = CpuShare(self._started)
        self._os = {"type": OS_TYPE, "full": operating_system()}

    def beat(self) -> None:
        """Reports one event. Shares of CPU are those since the last one."""
        uptime = int(since_boot())
        self._reporter.report(
            {"kind": "metric", "category": ["host"], "type": ["info"], "action": "stats"},
            host={"os": self._os, "uptime": uptime},
            action={"properties": self._properties()},
            sekoiaio={"agent": self._agent(), "host": {**_host(), "uptime": uptime}},
        )

    def _properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = dict(self._spool.counters())
        properties["not_covered"] = [
            clean(f"{hook} {state}: {reason}")
            for hook, state, reason in self._coverage()
            if state != "attached"
        ][:MAX_HOOKS]
        if filtered_by := self._rule_counts():
            properties["filtered_by"] = filtered_by
        return properties

    def _agent(self) -> dict[str, float]:
        """CPU in percent of one core, memory in bytes, uptime in seconds."""
        now = time.monotonic()
        return {
            "cpu_usage": self._cpu.percent(now, time.process_time()),
            "memory_usage": self._process.memory_info().rss,
            "uptime": int(now - self._started),
        }


class CpuShare:
    """What a process used of one core since it was asked last."""

    def __init__(self, started: float) -> None:
        """Takes when the process started, on the clock that `percent` gets."""
        self._time = started
        self._seconds = 0.0

    def percent(self, now: float, seconds: float) -> float:
        """Takes the time, and the seconds of CPU the process has used up to then."""
        elapsed, used = now - self._time, seconds - self._seconds
        self._time, self._seconds = now, seconds
        return round(100 * used / elapsed, 3) if elapsed > 0 else 0.0


def operating_system() -> str:
    """The name of the distribution and its version, or of the kernel where that is not told."""
    if sys.platform == "win32":
        return _windows()
    for name in ("etc/os-release", "usr/lib/os-release"):
        with suppress(OSError), (host_root() / name).open(errors="replace") as file:
            if found := _PRETTY_NAME.search(file.read(MAX_RELEASE)):
                return clean(found[2])[:256]
    return f"Linux {platform.release()}"


def _windows() -> str:
    """As `Windows 10 Pro 22H2 (10.0.19045)`."""
    if sys.platform != "win32":
        return ""
    import winreg

    version = sys.getwindowsversion().platform_version or sys.getwindowsversion()[:3]
    names = []
    path = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
        for name in ("ProductName", "DisplayVersion"):
            with suppress(OSError):
                names.append(str(winreg.QueryValueEx(key, name)[0]))
    number = ".".join(map(str, version))
    return clean(f"{' '.join(names) or 'Windows'} ({number})")[:256]


def _host() -> dict[str, float]:
    """CPU in percent of all cores, memory in bytes, memory used in percent."""
    memory = psutil.virtual_memory()
    return {
        "cpu_usage": psutil.cpu_percent(),
        "memory_total": memory.total,
        "memory_available": memory.available,
        "memory_usage": memory.percent,
    }
