"""Which source of events is used: on Linux eBPF, or the audit system where eBPF cannot be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from endpoint_agent import support
from endpoint_agent._native import Pipeline
from endpoint_agent.config import CaptureSource
from endpoint_agent.errors import NotPermittedError, UnsupportedError

AUTO: CaptureSource = "auto"
EBPF: CaptureSource = "ebpf"
AUDIT: CaptureSource = "audit"
EVENTLOG: CaptureSource = "eventlog"
WINDOWS = "windows"
"""The event log and event tracing."""
OF_WINDOWS = (WINDOWS, EVENTLOG)


@dataclass(frozen=True)
class Chosen:
    """A pipeline, and what it captures from."""

    pipeline: Pipeline
    source: str
    reason: str = ""
    """Why it is not eBPF, where that was to be tried first."""


def open_pipeline(wanted: CaptureSource, make: Callable[[str], Pipeline]) -> Chosen:
    """Opens a pipeline on the source that is wanted; `auto` falls back to the audit system.

    Args:
        make: opens a pipeline on the source of a name.

    Raises:
        NotPermittedError: a capability is missing.
        UnsupportedError: the host can be captured by no source that is wanted.
    """
    if sys.platform == "win32":
        if wanted not in (AUTO, EVENTLOG):
            raise UnsupportedError(f"CaptureSource: {wanted} is of Linux; remove it")
        name = WINDOWS if wanted == AUTO else wanted
        return Chosen(make(name), name)
    if wanted == EVENTLOG:
        raise UnsupportedError(f"CaptureSource: {wanted} is of Windows; remove it")
    if wanted != AUTO:
        support.require(support.facts() if wanted == EBPF else support.audit_facts())
        return Chosen(make(wanted), wanted)
    try:
        support.require(support.facts())
        return Chosen(make(EBPF), EBPF)
    except (NotPermittedError, UnsupportedError) as error:
        if any(fact.met is False for fact in support.audit_facts()):
            raise
        try:
            return Chosen(make(AUDIT), AUDIT, str(error))
        except (NotPermittedError, UnsupportedError) as second:
            raise type(error)(f"{error}; and instead of eBPF: {second}") from error


def require_any() -> None:
    """Refuses a host that no source can capture. What Windows does not let this user read, the
    coverage tells.

    Raises:
        NotPermittedError: a capability is missing.
        UnsupportedError: the host lacks a feature.
    """
    if sys.platform != "win32":
        support.require(support.facts(), otherwise=support.audit_facts())
