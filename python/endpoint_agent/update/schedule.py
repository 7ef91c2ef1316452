"""Has the command of updates run from the daemon, where no timer of the service manager does."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from endpoint_agent import __version__
from endpoint_agent.errors import AgentError
from endpoint_agent.service.places import CURRENT, ENTRY, GOOD, VERSIONS

# Seconds, drawn anew by each run of the agent, so that no two hosts ask at the same time.
FIRST = (1_800.0, 21_600.0)
DAY = (64_800.0, 108_000.0)

# Until the service has started, which a trial that is taken up again starts anew.
RESUME = 30.0

# In a session of its own and nobody's child: it outlives the agent, which it may start anew.
_DETACHED = '"$0" update --automatic </dev/null >/dev/null 2>&1 &'


def is_installed() -> bool:
    """Whether this process runs from the folder of its version."""
    return Path(sys.base_prefix).resolve() == VERSIONS / __version__


def first() -> float:
    """Seconds until the first time: few where a trial was cut off, which is to be taken up again.

    Where the host went down in it, Windows' service is this version, and not the one on trial.
    """
    from endpoint_agent.service import versions

    with suppress(AgentError):
        if versions.target(CURRENT) != __version__:
            return RESUME
    return random.uniform(*FIRST)  # noqa: S311


def day() -> float:
    """Seconds between two times, about a day."""
    return random.uniform(*DAY)  # noqa: S311


def start() -> None:
    """Starts it, by the version that has proved itself."""
    from endpoint_agent.service.managers import ENVIRONMENT

    if sys.platform == "win32":
        from endpoint_agent.service import versions

        subprocess.Popen(
            [VERSIONS / versions.target(GOOD) / ENTRY, "update", "--automatic"],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP,
        )
        return
    subprocess.run(
        ["/bin/sh", "-c", _DETACHED, str(GOOD / ENTRY)],
        env=ENVIRONMENT,
        start_new_session=True,
        check=True,
    )
