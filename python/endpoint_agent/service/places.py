"""Where the parts of an installed agent lie, below the root of a host."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from endpoint_agent.config import DEFAULT_PATH

NAME = "SEKOIAEndpointAgent"
"""The service's."""

if sys.platform == "win32":
    from endpoint_agent._native import host_folders

    _PROGRAMS = Path(host_folders()[0])
    VERSIONS = _PROGRAMS / "EndpointAgent"
    COMMAND = VERSIONS / "agent.exe"
    UNPACKED = _PROGRAMS / ".EndpointAgent.part"
    PACKAGE = VERSIONS / "package"
    ENTRY = Path("agent.exe")
else:
    VERSIONS = Path("/usr/lib/endpoint-agent")
    COMMAND = Path("/opt/endpoint-agent")
    UNPACKED = Path("/usr/lib/.endpoint-agent.part")
    """Where the one file `agent` lies unpacked while it installs."""

    PACKAGE = Path("/usr/share/endpoint-agent/package")
    """Of an agent that came as a package of the host: the command that removes it."""

    ENTRY = Path("bin/endpoint-agent")
    """The program of a version, below its folder."""

CURRENT = VERSIONS / "current"
GOOD = VERSIONS / "good"
PROGRAM = CURRENT / ENTRY


@dataclass(frozen=True)
class Places:
    """The paths below one root. What is written into files is meant for a host with that root."""

    root: Path = Path("/")

    def under(self, path: Path) -> Path:
        """A path of the host, below the root. One that is not absolute is none, and stays."""
        if not path.is_absolute() or self.root == Path("/"):
            return path
        return self.root.joinpath(*path.parts[1:])

    @property
    def versions(self) -> Path:
        """Each version in a folder of its own."""
        return self.under(VERSIONS)

    @property
    def current(self) -> Path:
        """What names the version that runs: a link, on Windows a file."""
        return self.under(CURRENT)

    @property
    def good(self) -> Path:
        """The same for the last version that proved itself, by which updates are run."""
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
