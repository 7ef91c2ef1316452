"""systemd: a unit that is told when the agent captures, and that keeps it from all else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from endpoint_agent.service.managers import Command, succeeds, template
from endpoint_agent.service.places import NAME, VERSIONS, Places

if TYPE_CHECKING:
    from endpoint_agent.config import Settings

UNIT = f"{NAME}.service"
UPDATE = f"{NAME}-update.service"
TIMER = f"{NAME}-update.timer"
FOLDER = Path("/etc/systemd/system")

# What the unit's own lines make and let the agent write to.
STATE = Path("/var/lib/endpoint-agent")
LOGS = Path("/var/log/endpoint-agent")


class Systemd:
    """Manages the service by `systemctl`, and with it the timer of updates."""

    name = "systemd"
    follows = True

    def __init__(self, places: Places, call: Command) -> None:
        self._places = places
        self._call = call

    @classmethod
    def found(cls, places: Places, call: Command) -> Self | None:
        """One, if systemd has booted this host (sd_booted(3))."""
        booted = places.under(Path("/run/systemd/system")).is_dir()
        return cls(places, call) if booted else None

    def files(self, settings: Settings) -> dict[Path, tuple[str, int]]:
        """The units."""
        return {
            self._places.under(FOLDER / name): (unit(settings, name), 0o644)
            for name in (UNIT, UPDATE, TIMER)
        }

    def reload(self) -> None:
        """Has systemd read the units."""
        self._call(["systemctl", "daemon-reload"])

    def enable(self) -> None:
        """Has the unit started at boot."""
        # Together: after each of these calls systemd reads all of its units again.
        self._call(["systemctl", "enable", UNIT, TIMER])
        self._call(["systemctl", "start", TIMER])

    def disable(self) -> None:
        """The contrary."""
        succeeds(self._call, "systemctl", "stop", TIMER, UPDATE)
        succeeds(self._call, "systemctl", "disable", TIMER, UNIT)

    def restart(self) -> None:
        """Starts the unit anew, and waits until the agent captures."""
        succeeds(self._call, "systemctl", "reset-failed", UNIT)
        self._call(["systemctl", "restart", UNIT])

    def stop(self) -> None:
        """Stops the unit."""
        succeeds(self._call, "systemctl", "stop", UNIT)
        succeeds(self._call, "systemctl", "reset-failed", UNIT)

    def is_active(self) -> bool:
        """Whether the agent runs."""
        return succeeds(self._call, "systemctl", "is-active", UNIT)

    def is_stopped(self) -> bool:
        """Whether someone has stopped the unit."""
        state = self._call(["systemctl", "show", "--property", "ActiveState", UNIT])
        return state.strip() == "ActiveState=inactive"

    def is_enabled(self) -> bool:
        """Whether the unit is started at boot."""
        return succeeds(self._call, "systemctl", "is-enabled", UNIT)


def unit(settings: Settings, name: str = UNIT) -> str:
    """The file of a unit for these settings."""
    values = {
        "CPUQuota": f"{settings.cpu_quota}%",
        "MemoryMax": f"{settings.memory_max}M",
        "ReadWritePaths": " ".join(_writable(settings, name)),
    }
    lines = []
    for line in template(name).splitlines():
        key, is_setting, _ = line.partition("=")
        value = values.get(key) if is_setting else None
        if value is None:
            lines.append(line)
        elif value:
            lines.append(f"{key}={value}")
    return "\n".join(lines) + "\n"


def _writable(settings: Settings, name: str) -> Iterator[str]:
    """Folders that a unit writes to besides the usual ones."""
    if name == UPDATE:
        yield _quoted(VERSIONS)
    if settings.state_directory != STATE:
        yield _quoted(settings.state_directory)
    if name == UNIT and settings.log_file.parent != LOGS and settings.log_file.is_absolute():
        yield _quoted(settings.log_file.parent)


def _quoted(path: Path) -> str:
    """As systemd.syntax(7) and systemd.unit(5) have it: quotes, escapes, and % for itself."""
    text = re.sub(r'(["\\])', r"\\\1", str(path)).replace("%", "%%")
    return f'"{text}"'
