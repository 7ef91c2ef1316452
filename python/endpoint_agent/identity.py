"""Who this agent is: 64 hexadecimal digits, made once and kept in the state folder."""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from endpoint_agent.errors import AgentError

FILE_NAME = "agent-id"

_ID = re.compile(rb"[0-9a-f]{64}\n?")
_LOGGER = logging.getLogger(__name__)


def load(state_directory: Path) -> str:
    """The id of the agent with this state folder, made at the first call.

    A damaged file is replaced by a new id and the log says so, because the intake then sees a
    new agent.

    Raises:
        AgentError: the file can be neither read nor written.
    """
    path = state_directory / FILE_NAME
    try:
        found = _read(path)
        if found is not None and _ID.fullmatch(found):
            return found[:64].decode("ascii")
        agent_id = os.urandom(32).hex()
        _write(path, agent_id)
    except OSError as error:
        raise AgentError(
            f"cannot keep the agent id in {path}: {error.strerror}; "
            "make StateDirectory a folder that the agent may write"
        ) from error
    if found is not None:
        _LOGGER.warning(
            "%s was damaged: the agent has a new id, %s, and is a new agent to the intake",
            path,
            agent_id,
        )
    return agent_id


def _read(path: Path) -> bytes | None:
    """The first bytes of the file, one more than an id may have; None when it does not exist."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            return os.read(descriptor, 66)
        finally:
            os.close(descriptor)
    return None


def _write(path: Path, agent_id: str) -> None:
    """Puts the file in place whole: a crash leaves the old one or the new one."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(part, flags, 0o600)
    try:
        os.write(descriptor, agent_id.encode("ascii") + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
