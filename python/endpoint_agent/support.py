"""What this host offers to a source of kernel events, read from its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MAX_BTF = 67_108_864

# linux/capability.h. Before Linux 5.8, and where it is held, the first stands for the others.
CAP_SYS_ADMIN = 21
CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}

REMEDIES = {
    "BTF": "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y",
    "ring buffer": "boot Linux 5.8 or newer",
    "tracefs": "boot a kernel built with CONFIG_FTRACE=y",
    "capabilities": "run as root, or give the process CAP_BPF and CAP_PERFMON",
    "lockdown": "boot without lockdown=confidentiality",
}


@dataclass(frozen=True)
class Fact:
    """One thing a source needs."""

    name: str
    met: bool
    detail: str

    @property
    def remedy(self) -> str:
        """What to do when it is not met."""
        return "" if self.met else REMEDIES[self.name]


def facts(root: Path = Path("/")) -> list[Fact]:
    """What the eBPF source needs of the host. `root`: where /proc and /sys are found."""
    btf = _read(root / "sys/kernel/btf/vmlinux", MAX_BTF)
    ring = b"\0BPF_MAP_TYPE_RINGBUF\0" in btf
    file_systems = _read(root / "proc/filesystems").split()
    missing = missing_capabilities(_read(root / "proc/self/status"))
    locked = b"[confidentiality]" in _read(root / "sys/kernel/security/lockdown")
    return [
        Fact("BTF", bool(btf), "/sys/kernel/btf/vmlinux" if btf else "missing"),
        Fact("ring buffer", ring, "known to the kernel" if ring else "unknown to the kernel"),
        Fact("tracefs", b"tracefs" in file_systems, _tracefs(root)),
        Fact("capabilities", not missing, ", ".join(missing) + " missing" if missing else "all"),
        Fact("lockdown", not locked, "confidentiality" if locked else "does not forbid eBPF"),
    ]


def missing_capabilities(status: bytes) -> list[str]:
    """Names of the capabilities that the process of a /proc/PID/status lacks for eBPF."""
    fields = (line.split() for line in status.splitlines() if line.startswith(b"CapEff:"))
    held = next((int(value, 16) for _, value in fields), 0)
    if held >> CAP_SYS_ADMIN & 1:
        return []
    return [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]


def kernel() -> str:
    """Release and machine of the running kernel."""
    name = os.uname()
    return f"{name.release} {name.machine}"


def _tracefs(root: Path) -> str:
    for mount in _read(root / "proc/self/mounts").splitlines():
        words = mount.split()
        if len(words) > 2 and words[2] == b"tracefs":
            return "mounted on " + words[1].decode("utf-8", "replace")
    return "not mounted: the agent mounts it for itself"


def _read(path: Path, limit: int = 1_048_576) -> bytes:
    """The first `limit` bytes of a file; nothing when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError:
        return b""
