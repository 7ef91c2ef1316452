"""What `endpoint-agent uninstall` does.

It may run from the very files that it removes, so all that it needs is imported before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from endpoint_agent.config import Settings, load
from endpoint_agent.durable import part_of
from endpoint_agent.errors import AgentError, UnsupportedError
from endpoint_agent.identity import FILE_NAME
from endpoint_agent.service import files, managers
from endpoint_agent.service.managers import Manager
from endpoint_agent.service.places import UNPACKED, Places
from endpoint_agent.trust.run import FILE_NAME as RUN

if sys.platform == "win32":
    from endpoint_agent.status_port import FILE_NAME as DOOR

    BESIDE = (DOOR, "bookmarks")
else:
    from endpoint_agent.status_socket import SOCKET_NAME

    BESIDE = (SOCKET_NAME,)

# Of a state folder that is not the usual one: it may be somebody else's, too.
OWN = ("queue", "update", FILE_NAME, RUN, *BESIDE)

USUAL = Settings()


def uninstall(
    purge: bool, places: Places | None = None, call: managers.Command = managers.call
) -> None:
    """Stops the agent and removes it, all but the configuration and the log.

    Args:
        purge: those, too.

    Raises:
        AgentError: what cannot be removed. All that can be is, unless the agent came as a package:
            then nothing is.
    """
    places = places or Places()
    if places.package.exists():
        command = places.package.read_text(encoding="utf-8").strip()
        raise AgentError(f"this agent came as a package of the host; remove it with: {command}")
    settings = _settings(places)
    failures: list[str] = []
    try:
        _remove_service(managers.detect(places, call))
    except UnsupportedError:
        pass  # Then there is no service.
    except AgentError as error:
        failures.append(str(error))
    paths = [places.command, places.versions, *_state(places, settings)]
    # What an installation that was killed has left.
    paths += [part_of(places.command), places.under(UNPACKED)]
    if sys.platform == "win32":
        from endpoint_agent.service.windows import set_aside

        # From there this runs; whoever unpacked it removes it.
        paths.remove(UNPACKED)
        set_aside(places.command, UNPACKED)
    if purge:
        paths += [places.config.parent, *_logs(places, settings)]
    for path in paths:
        try:
            files.remove(path)
        except OSError as error:
            failures.append(f"cannot remove {path}: {error.strerror}")
    for path in (settings.state_directory, settings.log_file.parent):
        if path.is_absolute():
            files.remove_empty(places.under(path))
    if failures:
        raise AgentError("; ".join(failures))


def _settings(places: Places) -> Settings:
    """As configured; the usual ones where that cannot be read."""
    if not places.config.exists():
        return USUAL
    try:
        return load(places.config, key_required=False)
    except AgentError as error:
        print(f"endpoint-agent: warning: {error}; its usual folders are removed", file=sys.stderr)
        return USUAL


def _remove_service(manager: Manager) -> None:
    wanted = manager.files(USUAL)
    for path in wanted:
        files.remove(part_of(path))
    paths = [path for path in wanted if path.exists()]
    # One that has no files keeps books.
    if paths or (not wanted and manager.is_enabled()):
        manager.stop()
        manager.disable()
        for path in paths:
            path.unlink()
        manager.reload()


def _state(places: Places, settings: Settings) -> Iterator[Path]:
    yield places.under(USUAL.state_directory)
    if settings.state_directory != USUAL.state_directory:
        yield from (places.under(settings.state_directory / name) for name in OWN)


def _logs(places: Places, settings: Settings) -> Iterator[Path]:
    yield places.under(USUAL.log_file.parent)
    if settings.log_file not in (USUAL.log_file, Path("-")):
        log = places.under(settings.log_file)
        yield log
        yield from log.parent.glob(f"{log.name}.[0-9]*")
