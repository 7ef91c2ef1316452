"""What this host offers to a source of kernel events, read from its files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from endpoint_agent.errors import NotPermittedError, UnsupportedError

# The first with ring buffers, by which the programs send.
MINIMUM_KERNEL = "5.8"

MAX_BTF = 67_108_864

# linux/capability.h. Before Linux 5.8, and where it is held, the first stands for the others.
CAP_SYS_ADMIN = 21
CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}

# Process events are part of the audit source, and they are the network administrator's.
AUDIT_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_AUDIT_CONTROL": 30, "CAP_AUDIT_READ": 37}

# linux/proc_ns.h: the number of the PID namespace that the kernel booted with.
INITIAL_PID_NAMESPACE = "pid:[4026531836]"

# As its first process sees the host.
FIRST_ROOT = Path("/proc/1/root")

BTF = "BTF"
KERNEL = f"kernel {MINIMUM_KERNEL}"
CAPABILITY = "capabilities"
AUDIT = "audit system"
AUDIT_CAPABILITY = "capabilities for audit"

REMEDIES = {
    BTF: f"boot Linux {MINIMUM_KERNEL} or newer, built with CONFIG_DEBUG_INFO_BTF=y",
    KERNEL: f"boot Linux {MINIMUM_KERNEL} or newer",
    "tracefs": "boot a kernel built with CONFIG_FTRACE=y",
    CAPABILITY: "run as root, or give the process CAP_BPF and CAP_PERFMON",
    AUDIT: "boot a kernel built with CONFIG_AUDITSYSCALL=y",
    AUDIT_CAPABILITY: "run as root, or give the process " + ", ".join(AUDIT_CAPABILITIES),
    "lockdown": "boot without lockdown=confidentiality",
    "PID namespace": "run the agent on the host, or its container with the host's PID namespace "
    "(--pid=host)",
}


@dataclass(frozen=True)
class Fact:
    """One thing a source needs."""

    name: str
    met: bool | None
    """None where it cannot be known before something else is met."""
    detail: str

    @property
    def remedy(self) -> str:
        """What to do when it is known not to be met."""
        return REMEDIES[self.name] if self.met is False else ""


def host_root() -> Path:
    """Where the files of the host are found, also by an agent in a container.

    That has the host's PID namespace, and so the host's first process, whose root is the host's.
    """
    try:
        is_own = (FIRST_ROOT / ".").samefile("/")
    except OSError:
        is_own = True  # It is not for this user to know, or there is no /proc.
    return Path("/") if is_own else FIRST_ROOT


def facts(root: Path = Path("/")) -> list[Fact]:
    """What the eBPF source needs of the host. `root`: where /proc and /sys are found."""
    btf = _read(root / "sys/kernel/btf/vmlinux", MAX_BTF)
    file_systems = _read(root / "proc/filesystems").split()
    missing = missing_capabilities(_read(root / "proc/self/status"))
    locked = b"[confidentiality]" in _read(root / "sys/kernel/security/lockdown")
    return [
        Fact(BTF, bool(btf), "/sys/kernel/btf/vmlinux" if btf else "missing"),
        _kernel_fact(btf),
        Fact("tracefs", b"tracefs" in file_systems, _tracefs(root)),
        Fact(CAPABILITY, not missing, ", ".join(missing) + " missing" if missing else "all"),
        Fact("lockdown", not locked, "confidentiality" if locked else "does not forbid eBPF"),
        _pid_namespace(root),
    ]


def audit_facts(root: Path = Path("/")) -> list[Fact]:
    """What the audit source needs of the host. `root`: where /proc is found."""
    there = (root / "proc/self/loginuid").exists()
    missing = _missing(_read(root / "proc/self/status"), AUDIT_CAPABILITIES)
    return [
        Fact(AUDIT, there, "built in" if there else "missing"),
        Fact(AUDIT_CAPABILITY, not missing, ", ".join(missing) + " missing" if missing else "all"),
        _pid_namespace(root),
    ]


def require(found: list[Fact], *, otherwise: Sequence[Fact] | None = None) -> None:
    """Refuses a host that cannot work, naming all it lacks at once.

    Args:
        found: what a source needs.
        otherwise: what another one needs that may be used as well.

    Raises:
        NotPermittedError: it lacks capabilities only.
        UnsupportedError: it lacks a feature.
    """
    unmet = [fact for fact in found if fact.met is False]
    if otherwise is not None and all(fact.met is not False for fact in otherwise):
        return
    if unmet:
        message = "; ".join(f"{fact.name}: {fact.detail}: {fact.remedy}" for fact in unmet)
        only_rights = all(fact.name in (CAPABILITY, AUDIT_CAPABILITY) for fact in unmet)
        raise (NotPermittedError if only_rights else UnsupportedError)(message)


def missing_capabilities(status: bytes) -> list[str]:
    """Names of the capabilities that the process of a /proc/PID/status lacks for eBPF."""
    if not _missing(status, {"CAP_SYS_ADMIN": CAP_SYS_ADMIN}):
        return []
    return _missing(status, CAPABILITIES)


def _missing(status: bytes, wanted: Mapping[str, int]) -> list[str]:
    fields = (line.split() for line in status.splitlines() if line.startswith(b"CapEff:"))
    held = next((int(value, 16) for _, value in fields), 0)
    return [name for name, bit in wanted.items() if not held >> bit & 1]


def kernel() -> str:
    """Release and machine of the running kernel."""
    if sys.platform == "win32":
        return ".".join(map(str, sys.getwindowsversion()[:3]))
    name = os.uname()
    return f"{name.release} {name.machine}"


def _kernel_fact(btf: bytes) -> Fact:
    """Decided by what the kernel says of itself: a distribution's version number may mislead."""
    if not btf:
        return Fact(KERNEL, None, "not known without BTF")
    rings = b"\0BPF_MAP_TYPE_RINGBUF\0" in btf
    return Fact(KERNEL, rings, "it has ring buffers" if rings else "it lacks ring buffers")


def _pid_namespace(root: Path) -> Fact:
    """The capture tells a process by its number in the initial namespace."""
    name = "PID namespace"
    try:
        own = str((root / "proc/self/ns/pid").readlink())
    except OSError:
        return Fact(name, None, "not told by /proc")
    initial = own == INITIAL_PID_NAMESPACE
    return Fact(name, initial, "the host's" if initial else "a container's")


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
