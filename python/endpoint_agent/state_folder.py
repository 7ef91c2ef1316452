"""The folder with all that an agent keeps: its queue, its identity, its marks."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from endpoint_agent.errors import ADMINISTRATOR, AgentError, NotPermittedError


def prepare(state: Path) -> None:
    """Makes the state folder, or makes sure that nobody else can put files into it.

    Raises:
        NotPermittedError: it cannot be made, or used by this user.
        AgentError: others may write to it.
    """
    try:
        _make(state)
        status = state.stat()
    except PermissionError as error:
        raise NotPermittedError(
            f"cannot make StateDirectory {state}: {error.strerror}; run as {ADMINISTRATOR}"
        ) from error
    except OSError as error:
        raise AgentError(
            f"cannot make StateDirectory {state}: {error.strerror}; name a folder"
        ) from error
    if sys.platform == "win32":
        return  # Who may write to one that was there before, its access list says.
    if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & 0o022:
        raise AgentError(
            f"StateDirectory {state} can be written by other users "
            f"(owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}); "
            f"name a folder that only root may write"
        )


def _make(state: Path) -> None:
    if sys.platform == "win32":
        from endpoint_agent._native import private_folder

        private_folder(str(state))
    else:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
