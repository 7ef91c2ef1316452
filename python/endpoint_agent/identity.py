"""Who this agent is: 64 hexadecimal digits, made once and kept in the state folder."""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from endpoint_agent import durable
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
        durable.write(path, f"{agent_id}\n".encode("ascii"), 0o600)
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
        descriptor = os.open(path, os.O_RDONLY | durable.UNTRAPPED)
        try:
            return os.read(descriptor, 66)
        finally:
            os.close(descriptor)
    return None
