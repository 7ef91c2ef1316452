"""Where the agent's files are, unless it is told otherwise."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    # The service's, which runs as the system, whoever calls a command.
    _FOLDER = (
        Path(os.environ.get("SYSTEMROOT", r"C:\Windows"))
        / r"System32\config\systemprofile\AppData\Local\SEKOIA.IO\EndpointAgent"
    )
    CONFIG = _FOLDER / "config.yaml"
    STATE = _FOLDER / "state"
    LOG = _FOLDER / r"logs\agent.log"
else:
    CONFIG = Path("/etc/endpoint-agent/config.yaml")
    STATE = Path("/var/lib/endpoint-agent")
    LOG = Path("/var/log/endpoint-agent/agent.log")
