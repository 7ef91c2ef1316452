"""The service manager of Windows: the agent in its books, and the agent as what it starts.

The manager's calls come on threads of Rust's; Python waits for them and tells it what it may say.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from endpoint_agent import _native
from endpoint_agent.config import Settings, load
from endpoint_agent.errors import AgentError
from endpoint_agent.service import files
from endpoint_agent.service.files import Undo
from endpoint_agent.service.places import NAME, Places

assert sys.platform == "win32"  # noqa: S101

WORD = "service"
"""The command that the manager calls."""

TITLE = "Endpoint agent"
DESCRIPTION = "Sees what happens on this host and delivers it as ECS events to an intake."

# Seconds: the agent delivers for a while when it ends, and waits for none of it longer.
STOP_TIMEOUT = 60.0
START_TIMEOUT = 60.0
POLL = 0.1

# Between two looks at whether the manager wants the end; it wakes the one that waits.
WAIT = 3600.0

_LOGGER = logging.getLogger(__name__)


class Windows:
    """The service manager of Windows. It keeps books, not files."""

    name = "the service manager of Windows"
    follows = False

    def __init__(self, places: Places) -> None:
        """Takes where the program is."""
        self._command = places.command

    def files(self, settings: Settings) -> Mapping[Path, tuple[str, int]]:
        """None."""
        return {}

    def reload(self) -> None:
        """Its books are always read."""

    def enable(self) -> None:
        """Has the service in the books as it is to be, whatever it was."""
        unknown = _native.service_install(NAME, TITLE, DESCRIPTION, str(self._command), [WORD])
        for what in unknown:
            print(f"endpoint-agent: warning: this host knows no {what}", file=sys.stderr)

    def disable(self) -> None:
        """Takes it out of the books."""
        _native.service_delete(NAME)

    def restart(self) -> None:
        """Starts the service anew, and waits until it has begun to work, or to fail.

        Raises:
            AgentError: it does not start.
        """
        self.stop()
        try:
            _native.service_start(NAME)
        except OSError as error:
            raise AgentError(f"{NAME} cannot be started: {error}") from error
        end = time.monotonic() + START_TIMEOUT
        while self._state() == "starting" and time.monotonic() < end:
            time.sleep(POLL)

    def stop(self) -> None:
        """Stops it if it runs, and waits until its process has ended, which holds its files."""
        status = _native.service_status(NAME)
        if status is None or status[0] == "stopped":
            return
        process = None
        with suppress(psutil.Error):
            process = psutil.Process(status[1]) if status[1] else None
        try:
            _native.service_stop(NAME, STOP_TIMEOUT)
            if process is not None:
                process.wait(STOP_TIMEOUT)
        except (OSError, psutil.Error) as error:
            raise AgentError(f"{NAME} cannot be stopped: {error}") from error

    def is_active(self) -> bool:
        """Whether it runs."""
        return self._state() not in ("", "stopped")

    def is_stopped(self) -> bool:
        """Whether someone has stopped it, and it did not end by itself."""
        status = _native.service_status(NAME)
        return status is not None and status[0] == "stopped" and status[2] == 0

    def is_enabled(self) -> bool:
        """Whether it is in the books."""
        return _native.service_known(NAME) is not None

    @staticmethod
    def _state() -> str:
        status = _native.service_status(NAME)
        return status[0] if status else ""


def serve(config_path: Path) -> int:
    """Is the service until the manager, or the host's end, stops it; the exit status.

    Raises:
        AgentError: the manager has not started this process.
    """
    try:
        service = _native.Service.begin(NAME)
    except OSError as error:
        raise AgentError(
            f"{WORD} is what the service manager calls ({error}); start it with: sc start {NAME}"
        ) from error
    stop = threading.Event()
    threading.Thread(target=_await_end, args=(service, stop), name="manager", daemon=True).start()
    status = 1
    try:
        status = _run(config_path, stop, service)
    finally:
        service.end(status)
    return status


def _await_end(service: _native.Service, stop: threading.Event) -> None:
    while not service.wait(WAIT):
        pass
    stop.set()


def _run(config_path: Path, stop: threading.Event, service: _native.Service) -> int:
    from endpoint_agent import log

    try:
        settings = load(config_path)
    except AgentError as error:
        # Nobody sees what is written on its standard error.
        log.start(Settings())
        _LOGGER.error("the agent does not start: %s", error)
        return error.exit_status
    try:
        from endpoint_agent.agent import run

        return run(settings, config_path, stop=stop, ready=service.running)
    except AgentError as error:
        return error.exit_status
    except Exception as error:
        # Nor that; and whoever puts a version on trial looks for the reason here.
        log.start(settings)
        _LOGGER.exception("the agent ends by a fault of its own: %r", error)
        raise


def register(config_path: Path) -> None:
    """Has the manager know the service as it is to be, and start it where it has been configured.

    Raises:
        OSError: the manager refuses the service.
    """
    Windows(Places()).enable()
    try:
        load(config_path)
        _native.service_start(NAME)
    except (AgentError, OSError) as error:
        print(f"endpoint-agent: the service is not started: {error}", file=sys.stderr)


def is_administrator() -> bool:
    """Whether this process has an administrator's rights, and not only an administrator's name."""
    return _native.is_administrator()


def put_program(source: Path, target: Path, undo: Undo) -> None:
    """Copies a program to where another one may run: that one goes on under another name."""
    if target.exists():
        if target.read_bytes() == source.read_bytes():
            return
        aside = target.with_name(f".{target.name}.{os.getpid()}.old")
        undo.add(aside.replace, target)
        target.replace(aside)
    else:
        undo.add(files.remove, target)
    shutil.copyfile(source, target)


def set_aside(program: Path, folder: Path) -> None:
    """Removes a program, or where it runs moves it to a folder that whoever runs it removes."""
    try:
        program.unlink(missing_ok=True)
    except PermissionError:
        if folder.is_dir():
            program.replace(folder / f"{program.name}.old")
