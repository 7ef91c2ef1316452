"""The other pair of eyes."""

from __future__ import annotations

_TRACED = """
mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing
exec bpftrace -e "$0"
"""


def command(program: str) -> list[str]:
    """Runs a program of bpftrace's language, with a tracefs of its own where nobody mounted one."""
    return ["unshare", "--mount", "sh", "-c", _TRACED, program]
