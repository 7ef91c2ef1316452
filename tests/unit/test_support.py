from __future__ import annotations

from pathlib import Path

import pytest

from endpoint_agent import support

ALL = f"Name:\tx\nCapEff:\t{1 << 21:016x}\n"
NEW = f"CapEff:\t{1 << 38 | 1 << 39:016x}\n"
HALF = f"CapEff:\t{1 << 38:016x}\n"
NONE = "CapEff:\t0000000000000000\n"


def write(root: Path, **files: str | bytes) -> Path:
    """A host whose files are named with `__` for `/`."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def test_a_host_with_everything(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        sys__kernel__btf__vmlinux=b"\x9f\xeb\0BPF_MAP_TYPE_RINGBUF\0",
        sys__kernel__security__lockdown="[none] integrity confidentiality",
        proc__filesystems="nodev\ttracefs\n\text4\n",
        proc__self__status=NEW,
        proc__self__mounts="tracefs /sys/kernel/tracing tracefs rw 0 0\n",
    )

    facts = {fact.name: fact for fact in support.facts(root)}

    assert all(fact.met and not fact.remedy for fact in facts.values())
    assert facts.keys() == support.REMEDIES.keys()
    assert facts["tracefs"].detail == "mounted on /sys/kernel/tracing"


def test_an_empty_host_lacks_everything_and_each_has_a_remedy(tmp_path: Path) -> None:
    unmet = {fact.name: fact for fact in support.facts(tmp_path) if not fact.met}

    assert unmet.keys() == {"BTF", "ring buffer", "tracefs", "capabilities"}
    assert all(fact.remedy for fact in unmet.values())
    assert unmet["capabilities"].detail == "CAP_PERFMON, CAP_BPF missing"


def test_lockdown_is_told(tmp_path: Path) -> None:
    root = write(tmp_path, sys__kernel__security__lockdown="none integrity [confidentiality]")

    assert not next(fact for fact in support.facts(root) if fact.name == "lockdown").met


@pytest.mark.parametrize(
    ("status", "missing"),
    [
        (ALL, []),
        (NEW, []),
        (HALF, ["CAP_BPF"]),
        (NONE, ["CAP_PERFMON", "CAP_BPF"]),
        ("", ["CAP_PERFMON", "CAP_BPF"]),
    ],
)
def test_capabilities(status: str, missing: list[str]) -> None:
    assert support.missing_capabilities(status.encode()) == missing
