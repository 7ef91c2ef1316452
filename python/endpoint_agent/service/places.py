"""Where the parts of an installed agent lie, below the root of a host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from endpoint_agent.config import DEFAULT_PATH

NAME = "SEKOIAEndpointAgent"
"""The service's."""

VERSIONS = Path("/usr/lib/endpoint-agent")
CURRENT = VERSIONS / "current"
GOOD = VERSIONS / "good"
PROGRAM = CURRENT / "bin/endpoint-agent"
COMMAND = Path("/opt/endpoint-agent")

UNPACKED = Path("/usr/lib/.endpoint-agent.part")
"""Where the one file `agent` lies unpacked while it installs."""

PACKAGE = Path("/usr/share/endpoint-agent/package")
"""Of an agent that came as a package of the host: the command that removes it."""


@dataclass(frozen=True)
class Places:
    """The paths below one root. What is written into files is meant for a host with that root."""

    root: Path = Path("/")

    def under(self, path: Path) -> Path:
        """A path of the host, below the root. One that is not absolute is none, and stays."""
        return self.root / path.relative_to("/") if path.is_absolute() else path

    @property
    def versions(self) -> Path:
        """Each version in a folder of its own."""
        return self.under(VERSIONS)

    @property
    def current(self) -> Path:
        """The link to the version that runs."""
        return self.under(CURRENT)

    @property
    def good(self) -> Path:
        """The link to the last version that proved itself, by which updates are run."""
        return self.under(GOOD)

    @property
    def command(self) -> Path:
        """What users call."""
        return self.under(COMMAND)

    @property
    def package(self) -> Path:
        """What a package of the host has left beside the agent."""
        return self.under(PACKAGE)

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.under(DEFAULT_PATH)

    def is_installed(self) -> bool:
        """Whether a version is in use."""
        return os.path.lexists(self.current)
