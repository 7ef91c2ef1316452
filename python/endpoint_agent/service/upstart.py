"""upstart, of Ubuntu 14.04: a job that is started again when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from endpoint_agent.errors import AgentError
from endpoint_agent.service.managers import Command, is_executable, succeeds, template
from endpoint_agent.service.places import NAME, Places

if TYPE_CHECKING:
    from endpoint_agent.config import Settings

JOB = f"{NAME}.conf"
INITCTL = Path("/sbin/initctl")


class Upstart:
    """Manages the service by `initctl`."""

    name = "upstart"
    follows = False

    def __init__(self, places: Places, call: Command) -> None:
        self._places = places
        self._call = call
        self._file = places.under(Path("/etc/init") / JOB)

    @classmethod
    def found(cls, places: Places, call: Command) -> Self | None:
        """One, if the first process is upstart."""
        if not is_executable(places.under(INITCTL)):
            return None
        try:
            return cls(places, call) if "upstart" in call([str(INITCTL), "version"]) else None
        except AgentError:
            return None

    def files(self, settings: Settings) -> dict[Path, tuple[str, int]]:
        """The job, whatever the settings."""
        return {self._file: (template(JOB), 0o644)}

    def reload(self) -> None:
        """Has upstart read the job."""
        self._call([str(INITCTL), "reload-configuration"])

    def enable(self) -> None:
        """Nothing: the job itself says when it is started."""

    def disable(self) -> None:
        """Nothing: a job that is removed is not started."""

    def restart(self) -> None:
        """Starts the job anew: `initctl restart` would keep the old one's text."""
        self.stop()
        self._call([str(INITCTL), "start", NAME])

    def stop(self) -> None:
        """Stops the job."""
        succeeds(self._call, str(INITCTL), "stop", NAME)

    def is_active(self) -> bool:
        """Whether the agent runs."""
        try:
            return "start/running" in self._call([str(INITCTL), "status", NAME])
        except AgentError:
            return False

    def is_stopped(self) -> bool:
        """Whether the job is stopped."""
        try:
            return "stop/waiting" in self._call([str(INITCTL), "status", NAME])
        except AgentError:
            return True

    def is_enabled(self) -> bool:
        """Whether there is a job."""
        return self._file.exists()
