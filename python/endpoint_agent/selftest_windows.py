"""What the self-test does on Windows: it writes a record of its own into the event log.

Of all that a log holds, this alone is sure to come: what else is written, the host's policy says.
"""

from __future__ import annotations

import sys
from typing import Any

from endpoint_agent.errors import AgentError
from endpoint_agent.support import Fact

CHANNEL = "Application"
SOURCE = "EndpointAgent"
EVENT_ID = 997

# winnt.h
_INFORMATION = 4


def facts() -> list[Fact]:
    """What this user may read, as far as it is known before it is tried."""
    if sys.platform != "win32":
        return []
    import ctypes

    is_admin = bool(ctypes.windll.shell32.IsUserAnAdmin())
    detail = "may read all channels" if is_admin else "needed for Security and others"
    return [Fact("administrator", is_admin, detail)]


def traces_processes(coverage: list[tuple[str, str, str]]) -> bool:
    """Whether event tracing tells of processes. It does not where Sysmon does."""
    names = {name: state for name, state, _ in coverage}
    return (
        names.get("provider Microsoft-Windows-Kernel-Process") == "attached"
        and "tracing of processes" not in names
    )


def matches(event: dict[str, Any], word: str) -> bool:
    """Whether an event tells of the record with this word."""
    properties = event.get("action", {}).get("properties", {})
    return word in map(str, properties.values())


def write_record(word: str) -> None:
    """Puts a record with a word into the log.

    Raises:
        AgentError: the log does not take it.
    """
    if sys.platform != "win32":
        return
    import ctypes

    log = ctypes.WinDLL("advapi32", use_last_error=True)
    handle = ctypes.c_void_p
    log.RegisterEventSourceW.restype = handle
    log.RegisterEventSourceW.argtypes = (ctypes.c_wchar_p, ctypes.c_wchar_p)
    log.DeregisterEventSource.argtypes = (handle,)
    words, numbers = ctypes.POINTER(ctypes.c_wchar_p), (ctypes.c_uint16, ctypes.c_uint32)
    log.ReportEventW.argtypes = (
        *(handle, ctypes.c_uint16, *numbers),
        *(handle, *numbers, words, handle),
    )
    source = log.RegisterEventSourceW(None, SOURCE)
    texts = (ctypes.c_wchar_p * 1)(word)
    is_written = source and log.ReportEventW(
        source, _INFORMATION, 0, EVENT_ID, None, 1, 0, texts, None
    )
    error = ctypes.get_last_error()
    if source:
        log.DeregisterEventSource(source)
    if not is_written:
        raise AgentError(
            f"the self-test could not write to the event log: {ctypes.FormatError(error).strip()}; "
            "see whether its service runs"
        )
