"""What `endpoint-agent update` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from endpoint_agent import identity
from endpoint_agent.config import Settings
from endpoint_agent.errors import AgentError, UpdateError
from endpoint_agent.service import files, health, managers, versions
from endpoint_agent.service.health import Trial
from endpoint_agent.service.places import Places
from endpoint_agent.update import choice, state
from endpoint_agent.update.choice import Choice
from endpoint_agent.update.installer import Installer

if TYPE_CHECKING:
    from endpoint_agent.update.client import Repository

BUNDLE = "bundle.tar.gz"

PACKAGED = "this agent came as a package of the host; have its manager update it"


@dataclass(frozen=True)
class How:
    """What the command line asks for."""

    check: bool = False
    """Only tell."""
    retry: bool = False
    """Try a version again that has failed."""
    automatic: bool = False
    """Nobody asked: the day has come, or the service has started in the middle of a trial."""


def update(
    settings: Settings,
    how: How,
    places: Places | None = None,
    call: managers.Command = managers.call,
    trial: Callable[[Path, Path], Trial] = Trial,
) -> str:
    """Brings the installed agent to the version that is meant for this host.

    Returns:
        What has been done, or why nothing was, for the user.

    Raises:
        AgentError: it failed. A version that works is in use.
    """
    places = places or Places()
    if not places.is_installed():
        raise UpdateError(
            "the agent is not installed as a service here; update it as it was installed"
        )
    if places.package.exists() and not how.check:
        # Its files are its manager's, which would put its own version back by the next upgrade.
        if how.automatic:
            return PACKAGED
        raise UpdateError(PACKAGED)
    installer = Installer(
        places,
        managers.detect(places, call),
        folder := places.under(settings.state_directory),
        lambda: trial(folder, places.under(settings.log_file)),
    )
    try:
        with versions.alone(places) as is_alone:
            if is_alone:
                return _do(settings, how, installer)
    except OSError as error:
        raise UpdateError(f"the update cannot be made: {error}") from error
    if how.automatic:
        return versions.BUSY
    raise UpdateError(versions.BUSY)


def _do(settings: Settings, how: How, installer: Installer) -> str:
    if how.check:
        return _tell(settings, installer)
    settled = installer.settle()
    if how.automatic and (settings.disable_auto_update or settings.update_url is None):
        return settled or "automatic updates are off"
    if how.automatic and installer.is_stopped():
        return settled or "the service is stopped, and an update would start it"
    return _update(settings, how, installer)


def _tell(settings: Settings, installer: Installer) -> str:
    found = _choose(_repository(settings, installer), settings, installer, retry=False)
    what = found.reason if found.offer is None else f"{found.offer.version} is offered"
    return f"{installer.running()} is in use; {what}"


def _update(settings: Settings, how: How, installer: Installer) -> str:
    repository = _repository(settings, installer)
    found = _choose(repository, settings, installer, retry=how.retry)
    if found.offer is None:
        installer.clean()
        return f"{installer.running()} stays: {found.reason}"
    # What no version could show now, a new one would be blamed for.
    if reason := health.undelivered(installer.state_directory):
        raise UpdateError(
            f"{found.offer.version} has to wait: nothing is delivered now, so that no version "
            f"could prove itself: {reason}"
        )
    archive = installer.state_directory / state.FOLDER / BUNDLE
    try:
        repository.fetch(found.offer, archive)
        return installer.install(archive, found.offer.version)
    finally:
        files.remove(archive)


def _repository(settings: Settings, installer: Installer) -> Repository:
    try:
        from endpoint_agent.update.client import Repository
    except ModuleNotFoundError as error:
        raise UpdateError(
            f"the Python package {error.name} is missing; "
            "run: pip install 'endpoint-agent[update]', and `endpoint-agent install` again"
        ) from error
    return Repository(settings, installer.state_directory / state.FOLDER / state.METADATA)


def _choose(
    repository: Repository, settings: Settings, installer: Installer, *, retry: bool
) -> Choice:
    """Asks the repository, and remembers what it said."""
    known = state.load(installer.state_directory)
    known.checked = time.time()
    try:
        offers = repository.offers()
    except AgentError as error:
        known.error = str(error)
        state.save(installer.state_directory, known)
        raise
    agent_id = identity.load(installer.state_directory)
    failed = {} if retry else known.failed
    found = choice.choose(offers, installer.running(), settings.update_version, agent_id, failed)
    known.error, known.offered, known.waits = "", found.newest, found.reason
    state.save(installer.state_directory, known)
    return found
