from __future__ import annotations

from pathlib import Path

import pytest

from endpoint_agent import support
from endpoint_agent.errors import NotPermittedError, UnsupportedError

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


def in_pid_namespace(root: Path, number: int) -> None:
    link = root / "proc/self/ns/pid"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"pid:[{number}]")


def told(root: Path, name: str) -> support.Fact:
    """The fact of a name."""
    return next(fact for fact in support.facts(root) if fact.name == name)


def test_a_host_with_everything(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        sys__kernel__btf__vmlinux=b"\x9f\xeb\0BPF_MAP_TYPE_RINGBUF\0",
        sys__kernel__security__lockdown="[none] integrity confidentiality",
        proc__filesystems="nodev\ttracefs\n\text4\n",
        proc__self__status=NEW,
        proc__self__mounts="tracefs /sys/kernel/tracing tracefs rw 0 0\n",
    )
    in_pid_namespace(root, 4_026_531_836)

    facts = {fact.name: fact for fact in support.facts(root)}

    assert all(fact.met and not fact.remedy for fact in facts.values())
    assert facts.keys() <= support.REMEDIES.keys()
    assert facts["tracefs"].detail == "mounted on /sys/kernel/tracing"


def test_an_empty_host_lacks_everything_and_each_has_a_remedy(tmp_path: Path) -> None:
    unmet = {fact.name: fact for fact in support.facts(tmp_path) if fact.met is False}

    assert unmet.keys() == {"BTF", "tracefs", "capabilities"}
    assert all(fact.remedy for fact in unmet.values())
    assert unmet["capabilities"].detail == "CAP_PERFMON, CAP_BPF missing"


def test_what_is_read_from_btf_is_not_known_without_it(tmp_path: Path) -> None:
    fact = told(tmp_path, "kernel 5.8")

    assert (fact.met, fact.detail, fact.remedy) == (None, "not known without BTF", "")
    with pytest.raises(UnsupportedError) as raised:
        support.require([fact, support.Fact("BTF", False, "missing")])
    assert str(raised.value).startswith("BTF: missing: boot Linux 5.8 or newer, built with ")


def test_a_kernel_without_ring_buffers_is_too_old(tmp_path: Path) -> None:
    write(tmp_path, sys__kernel__btf__vmlinux=b"\x9f\xeb\0BPF_MAP_TYPE_HASH\0")
    fact = told(tmp_path, "kernel 5.8")

    assert (fact.met, fact.remedy) == (False, "boot Linux 5.8 or newer")


def test_a_container_of_its_own_processes_is_refused(tmp_path: Path) -> None:
    in_pid_namespace(tmp_path, 4_026_532_201)
    fact = told(tmp_path, "PID namespace")

    assert fact.met is False
    assert fact.remedy.endswith("(--pid=host)")


def test_a_host_that_lacks_rights_only_is_not_permitted() -> None:
    found = [support.Fact("BTF", True, "here"), support.Fact("capabilities", False, "missing")]
    with pytest.raises(NotPermittedError, match="capabilities: missing: run as root") as raised:
        support.require(found)
    assert raised.value.exit_status == 3


def test_a_host_that_lacks_a_feature_is_unsupported_and_told_all() -> None:
    found = [support.Fact("BTF", False, "missing"), support.Fact("capabilities", False, "missing")]
    with pytest.raises(UnsupportedError, match=r"BTF: missing: boot .*; capabilities: missing: ru"):
        support.require(found)


def test_lockdown_is_told(tmp_path: Path) -> None:
    root = write(tmp_path, sys__kernel__security__lockdown="none integrity [confidentiality]")

    assert told(root, "lockdown").met is False


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


def test_the_audit_source_needs_other_things(tmp_path: Path) -> None:
    held = 1 << 12 | 1 << 30 | 1 << 37
    root = write(tmp_path, proc__self__loginuid="0", proc__self__status=f"CapEff:\t{held:016x}\n")
    assert [fact.met for fact in support.audit_facts(root)] == [True, True, None]

    root = write(tmp_path / "other", proc__self__status=f"CapEff:\t{1 << 30:016x}\n")
    unmet = [fact for fact in support.audit_facts(root) if fact.met is False]
    assert [fact.detail for fact in unmet] == ["missing", "CAP_NET_ADMIN, CAP_AUDIT_READ missing"]
    assert all(fact.remedy for fact in unmet)


def test_one_source_is_enough() -> None:
    unmet = [support.Fact("BTF", False, "missing")]
    support.require(unmet, otherwise=[support.Fact("audit system", True, "built in")])
    with pytest.raises(UnsupportedError, match="BTF"):
        support.require(unmet, otherwise=[support.Fact("audit system", False, "missing")])
