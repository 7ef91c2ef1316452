"""What `endpoint-agent install` does: all of it, or nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from endpoint_agent import __version__, watches
from endpoint_agent.config import Settings
from endpoint_agent.errors import AgentError
from endpoint_agent.service import configuration, files, managers, manifest, program, versions
from endpoint_agent.service.configuration import Wish
from endpoint_agent.service.files import Undo
from endpoint_agent.service.health import Trial
from endpoint_agent.service.managers import Command, Manager
from endpoint_agent.service.places import COMMAND, ENTRY, PROGRAM, VERSIONS, Places

SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if sys.platform != "win32":
    SIGNALS += (signal.SIGHUP,)


def install(
    wish: Wish,
    places: Places | None = None,
    call: Command = managers.call,
    trial: Callable[[Path, Path], Trial] = Trial,
) -> str:
    """Installs the running program as a service, and waits until the agent does its work.

    What is installed already is replaced. Should anything fail, all is as it was before.

    Returns:
        What has been done, for the user.

    Raises:
        AgentError: what failed, and why.
    """
    places = places or Places()
    manager = managers.detect(places, call)
    found = configuration.compose(wish, places.config, Path.cwd())
    if places.command.is_dir() and not places.command.is_symlink():
        raise AgentError(f"{COMMAND} is a folder, as of another agent; uninstall that one first")
    outcome = "all is as it was before" if places.is_installed() else "nothing is installed"
    try:
        with _interruptible(), Undo() as undo:
            files.make_folder(places.versions, 0o755, undo)
            with versions.alone(places) as is_alone:
                if not is_alone:
                    raise AgentError(versions.BUSY)
                source = _do(found, places, manager, trial)
            undo.pop_all()
    except (AgentError, OSError) as error:
        raise AgentError(f"{error}; {outcome}") from error
    return (
        f"endpoint-agent {__version__} is installed and run by {manager.name}: it captures by "
        f"{source}, and its first heartbeat has arrived at {found.settings.effective_intake_url}"
    )


def _do(
    found: configuration.Configuration,
    places: Places,
    manager: Manager,
    trial: Callable[[Path, Path], Trial],
) -> str:
    """All of it, or nothing; the source of events."""
    settings = found.settings
    with Undo() as undo:
        newcomer = trial(places.under(settings.state_directory), places.under(settings.log_file))
        _install(found, places, manager, undo)
        source = _start(manager, newcomer, undo)
        before = versions.target(places.good)
        versions.point(places.good, __version__)
        undo.pop_all()
    versions.remove_others(places, __version__, before)
    return source


def _install(
    found: configuration.Configuration, places: Places, manager: Manager, undo: Undo
) -> None:
    """Puts everything in place, but starts nothing."""
    if manager.is_active():
        undo.add(manager.restart)
    undo.add(manager.reload)
    _put_program(places, manager, undo)
    _point(places.current, undo)
    _put_command(places, undo)
    files.make_folder(places.config.parent, 0o700, undo)
    _put(places.config, found.text, 0o600, undo)
    _put_watches(places.config.with_name(watches.FILE_NAME), undo)
    if not versions.is_set(places.good):
        _point(places.good, undo)
    files.keep(places.good, undo)
    _make_folders(found.settings, places, undo)
    if not manager.is_enabled():
        undo.add(manager.disable)
    for path, (text, mode) in manager.files(found.settings).items():
        files.make_folder(path.parent, 0o755, undo)
        _put(path, text, mode, undo)
    manager.reload()
    manager.enable()


def _start(manager: Manager, newcomer: Trial, undo: Undo) -> str:
    undo.add(manager.stop)
    try:
        manager.restart()
    except AgentError as error:
        raise AgentError(f"the agent does not start: {newcomer.last_error()} ({error})") from error
    try:
        return newcomer.wait(manager.is_active)
    except AgentError as error:
        raise AgentError(f"the agent does not work: {error}") from error


def _put_program(places: Places, manager: Manager, undo: Undo) -> None:
    folder = places.versions / __version__
    if program.is_running_from(folder):
        return
    if sys.platform == "win32" and folder.exists():
        if not manifest.verify(folder):
            return
        # What runs cannot be moved there.
        manager.stop()
    part = places.versions / f".{__version__}.part"
    files.remove(part)
    undo.add(files.remove, part)
    program.copy(part, VERSIONS / __version__)
    # Before it has a name, all of it is on the disk.
    files.sync_all(part)
    if not folder.exists():
        undo.add(files.remove, folder)
        part.rename(folder)
        files.sync(folder.parent)
        return
    # It may be the one in use: something is there all the time.
    files.exchange(part, folder)
    undo.add(files.exchange, part, folder)


def _point(link: Path, undo: Undo) -> None:
    files.keep(link, undo)
    versions.point(link, __version__)


def _put_command(places: Places, undo: Undo) -> None:
    """What users call: a link to the program in use, on Windows a copy, which looks for that."""
    if sys.platform == "win32":
        from endpoint_agent.service.windows import put_program

        put_program(places.versions / __version__ / ENTRY, places.command, undo)
        return
    files.make_folder(places.command.parent, 0o755, undo)
    files.keep(places.command, undo)
    files.link(places.command, PROGRAM)


def _put_watches(path: Path, undo: Undo) -> None:
    """A copy to be edited, unless there is one that somebody has edited, or that cannot be read."""
    try:
        is_free = not os.path.lexists(path) or watches.is_as_shipped(path.read_text("utf-8"))
    except (OSError, ValueError):
        is_free = False
    if is_free:
        _put(path, watches.copy(), 0o600, undo)


def _put(path: Path, text: str, mode: int, undo: Undo) -> None:
    files.keep(path, undo)
    files.write(path, text.encode("utf-8"), mode)


def _make_folders(settings: Settings, places: Places, undo: Undo) -> None:
    """What the agent makes for itself where it may: in its service it may write nowhere else."""
    files.make_folder(places.under(settings.state_directory), 0o700, undo)
    if settings.log_file.is_absolute():
        log = places.under(settings.log_file)
        files.make_folder(log.parent, 0o750, undo)
        if not log.exists():
            undo.add(files.remove, log)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Has a signal fail the installation, so that it is undone; a second one changes nothing."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise AgentError(f"it was interrupted by {signal.Signals(number).name}")

    before = {one: signal.signal(one, interrupt) for one in SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
