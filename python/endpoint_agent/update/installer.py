"""Puts a version in place, on trial, and the one before back if it does not prove itself.

    VERSIONS/1.2.3      a version, whole
    VERSIONS/current    a link to the one that runs
    VERSIONS/good       a link to the last that has proved itself

Updates are run by `good`, which no trial touches. Where the two links differ, a trial was under
way, and whoever comes next ends it: after a power cut, the start of the service calls for `good`.
Each step leaves both links at versions that are whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from endpoint_agent.errors import AgentError, HandoverError, UpdateError
from endpoint_agent.service import files, health, managers, manifest, versions
from endpoint_agent.service.health import Trial
from endpoint_agent.service.managers import Manager
from endpoint_agent.service.places import ENTRY, Places
from endpoint_agent.update import bundle, change, state

# Seconds: for a version to capture and deliver, and for its program to say its number.
PATIENCE = 60.0
FIRST_WORD = 60.0

# How often a trial that was cut off is taken up again: a version may be why the host goes down.
RESUMED = 2


class Installer:
    """Changes the version of an installed agent."""

    def __init__(
        self,
        places: Places,
        manager: Manager,
        state_directory: Path,
        trial: Callable[[], Trial],
    ) -> None:
        """Takes what makes the trial of an agent that is about to be started."""
        self._places = places
        self._manager = manager
        self.state_directory = state_directory
        self._trial = trial

    def is_stopped(self) -> bool:
        """Whether someone has stopped the service."""
        return self._manager.is_stopped()

    def running(self) -> str:
        """The version in use."""
        return versions.target(self._places.current)

    def settle(self) -> str:
        """Ends the trial that someone was killed in; what came of it, nothing if there was none.

        Raises:
            UpdateError: the version did not prove itself, and the one before is in use again.
        """
        new = self.running()
        if not versions.is_set(self._places.good):
            versions.point(self._places.good, new)
        old = versions.target(self._places.good)
        if old == new:
            return ""
        known = state.load(self.state_directory)
        if new in known.failed:
            self._back(old, new, known.failed[new])
        times = known.resumed.get(new, 0) + 1
        if times > RESUMED:
            self._back(old, new, f"its trial was cut off {times} times")
        known.resumed = {new: times}
        state.save(self.state_directory, known)
        done = self._try(old, new)
        known.resumed = {}
        state.save(self.state_directory, known)
        return done

    def install(self, archive: Path, version: str) -> str:
        """Unpacks a version beside the others, and has it prove itself; what was done.

        Raises:
            UpdateError: it did not, and the one before is in use again.
            OSError: it cannot be written. Nothing has changed.
        """
        old = self.running()
        state.tell(
            self.state_directory, state.STARTED, old, version, f"{version} is to replace {old}"
        )
        try:
            self._unpack(archive, version)
        except UpdateError as error:
            self._remember(version, str(error))
            self._tell_failure(old, version, str(error))
            raise
        except OSError as error:
            # Not the version's fault, such as a full disk.
            self._tell_failure(old, version, str(error))
            raise
        versions.point(self._places.current, version)
        return self._try(old, version)

    def clean(self) -> None:
        """Removes what a kill has left and versions that failed; the last good one stays."""
        failed = state.load(self.state_directory).failed
        names = {path.name for path in self._places.versions.iterdir() if path.name[0] != "."}
        kept = {self.running(), versions.target(self._places.good), *(names - failed.keys())}
        versions.remove_others(self._places, *kept)

    def _unpack(self, archive: Path, version: str) -> None:
        folder = self._places.versions / version
        part = folder.with_name(f".{version}.part")
        for path in (part, folder):
            files.remove(path)
        bundle.unpack(archive, version, part)
        if (part / manifest.NAME).exists() and (found := manifest.verify(part)):
            raise UpdateError(f"the bundle of {version} is damaged: {found[0]}")
        # Before it has a name, all of it is on the disk.
        files.sync_all(part)
        part.rename(folder)
        files.sync(folder.parent)
        _ask_version(folder, version)

    def _try(self, old: str, new: str) -> str:
        """Has the version prove itself to which `current` leads by now."""
        newcomer = self._trial()
        try:
            if health.version(self.state_directory) != f"v{new}" and not self._hand_over():
                self._manager.restart()
        except HandoverError as error:
            self._back(old, new, f"it does not take over: {error}")
        except AgentError as error:
            self._back(old, new, f"it does not start: {newcomer.last_error()} ({error})")
        try:
            source = newcomer.wait(self._manager.is_active, PATIENCE, f"v{new}")
        except AgentError as error:
            self._back(old, new, str(error))
        done = f"{new} has replaced {old}: it captures by {source} and delivers"
        state.tell(self.state_directory, state.DONE, old, new, done)
        versions.point(self._places.good, new)
        # The one before stays, as the last that was good.
        versions.remove_others(self._places, old, new)
        return done

    def _back(self, old: str, new: str, reason: str) -> NoReturn:
        """Has the version before run again, and raises why."""
        # First, so that whoever has to end this neither gives it another trial nor is silent.
        self._remember(new, reason)
        self._tell_failure(old, new, f"{reason}; {old} is put back")
        veteran = self._trial()
        versions.point(self._places.current, old)
        try:
            self._resume(old)
            veteran.wait(self._manager.is_active, PATIENCE, f"v{old}")
        except AgentError as error:
            # It is not the version, then.
            self._forget(new)
            reason = f"{reason}; nor does {old}, which is in use again: {error}"
        else:
            reason = f"{reason}; {old} is in use again"
        versions.remove_others(self._places, old)
        raise UpdateError(f"{new} does not work: {reason}")

    def _hand_over(self) -> bool:
        """Has the running agent hand over to the version in use. False: it needs a restart.

        Raises:
            HandoverError: it has not, and runs on.
        """
        return self._manager.follows and change.request(self.state_directory)

    def _resume(self, version: str) -> None:
        """Has the version that is in use again run, if it does not still."""
        if health.version(self.state_directory) == f"v{version}":
            return
        try:
            is_handed_over = self._hand_over()
        except HandoverError:
            is_handed_over = False
        if not is_handed_over:
            self._manager.restart()

    def _tell_failure(self, old: str, new: str, reason: str) -> None:
        state.tell(self.state_directory, state.FAILED, old, new, f"{new}: {reason}")

    def _remember(self, version: str, reason: str) -> None:
        known = state.load(self.state_directory)
        known.fail(version, reason)
        state.save(self.state_directory, known)

    def _forget(self, version: str) -> None:
        known = state.load(self.state_directory)
        known.failed.pop(version, None)
        state.save(self.state_directory, known)


def _ask_version(folder: Path, version: str) -> None:
    """Makes sure that the program of a version can run on this host at all."""
    try:
        said = managers.call([str(folder / ENTRY), "--version"], FIRST_WORD)
    except AgentError as error:
        raise UpdateError(f"the program of {version} does not run: {error}") from error
    if said.strip() != f"endpoint-agent {version}":
        raise UpdateError(f"the program of {version} says that it is {said.strip()[-300:]!r}")
