"""The exceptions of the package.

    AgentError                  exit status 1
    ├── ConfigError             2   a setting is unknown, mistyped or out of range
    ├── UsageError              2   the command line cannot be understood
    ├── NotPermittedError       3   a capability is missing
    ├── UnsupportedError        3   the kernel or the host lacks a feature
    ├── SpoolError              1   the queue cannot be used
    ├── RecordingError          1   a recording cannot be read or written
    ├── UpdateError             1   a version cannot be had, or does not prove itself
    ├── HandoverError           1   one agent cannot take over from another
    └── ServerError             1   the embedded intake cannot start

Every message says what failed, why, and what to do.
"""

from __future__ import annotations

import sys

ADMINISTRATOR = "an administrator" if sys.platform == "win32" else "root"
"""As whom to run what needs rights, for messages."""


class AgentError(Exception):
    """Something the user has to know, told in one message without a traceback."""

    exit_status = 1


class ConfigError(AgentError):
    """A setting is unknown, has the wrong type, or is out of range."""

    exit_status = 2


class UsageError(AgentError):
    """The command line cannot be understood."""

    exit_status = 2


class NotPermittedError(AgentError):
    """The process lacks a capability that the work needs."""

    exit_status = 3


class UnsupportedError(AgentError):
    """The kernel or the host lacks a feature that the work needs."""

    exit_status = 3


class SpoolError(AgentError):
    """The queue on disk cannot be opened or written."""


class RecordingError(AgentError):
    """A recording of kernel events cannot be read or written."""


class UpdateError(AgentError):
    """A version cannot be had from the repository, or did not prove itself."""


class HandoverError(AgentError):
    """One agent could not take over from another, which goes on as it was."""


class ServerError(AgentError):
    """The embedded intake cannot start."""
