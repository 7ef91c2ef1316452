"""SysV init as of Debian: a script of the Linux Standard Base."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from endpoint_agent.service.managers import Command, is_executable, succeeds, template
from endpoint_agent.service.places import NAME, Places

if TYPE_CHECKING:
    from endpoint_agent.config import Settings

SCRIPT = Path("/etc/init.d") / NAME
# It tells the script which process is the service.
PID_FILE = Path("/run") / f"{NAME}.pid"
NEEDED = (Path("/usr/sbin/update-rc.d"), Path("/sbin/start-stop-daemon"))

_LOGGER = logging.getLogger(__name__)


class SysV:
    """Manages the service by its script and `update-rc.d`."""

    name = "SysV init"
    follows = True

    def __init__(self, places: Places, call: Command) -> None:
        self._places = places
        self._call = call
        self._file = places.under(SCRIPT)

    @classmethod
    def found(cls, places: Places, call: Command) -> Self | None:
        """One, if the host has scripts and what they need."""
        has_scripts = places.under(SCRIPT.parent).is_dir()
        able = all(is_executable(places.under(path)) for path in NEEDED)
        return cls(places, call) if has_scripts and able else None

    def files(self, settings: Settings) -> dict[Path, tuple[str, int]]:
        """The script, whatever the settings."""
        return {self._file: (template(f"{NAME}.init"), 0o755)}

    def reload(self) -> None:
        """Nothing: a script is read when it runs."""

    def enable(self) -> None:
        """Links the script into the runlevels."""
        self._call(["update-rc.d", NAME, "defaults"])

    def disable(self) -> None:
        """Removes these links."""
        succeeds(self._call, "update-rc.d", "-f", NAME, "remove")

    def restart(self) -> None:
        """Starts the agent anew."""
        self._call([str(SCRIPT), "restart"])

    def stop(self) -> None:
        """Stops the agent."""
        succeeds(self._call, str(SCRIPT), "stop")

    def is_active(self) -> bool:
        """Whether the agent runs."""
        return succeeds(self._call, str(SCRIPT), "status")

    def is_stopped(self) -> bool:
        """Whether the agent does not run: who ended it, nobody knows."""
        return not self.is_active()

    def is_enabled(self) -> bool:
        """Whether a runlevel starts the script."""
        return any(self._places.under(Path("/etc")).glob(f"rc[2-5].d/S??{NAME}"))


def take_place(before: int, path: Path = PID_FILE) -> None:
    """Puts this process where another one, `before`, stood as the service's."""
    try:
        if path.read_text().strip() == str(before):
            path.write_text(f"{os.getpid()}\n")
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        _LOGGER.warning("%s names another process than the agent: %s", path, error)
