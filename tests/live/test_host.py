"""What a host has to offer, what it may withhold, and what the agent leaves on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from endpoint_agent.config import DEFAULT_PATH, Settings

from .audit import audit_client
from .capture import KERNEL, PATIENCE
from .daemon import COMMAND, NOWHERE, Agent

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="eBPF needs root"),
]

WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all"]

# What remains lets it find the interpreter, wherever that is, and gives it nothing to write.
PLAIN_USER = [
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
]

# The acts of a muted process and of its children, before and after one of a process beside it.
MUTED = """
import subprocess, sys
from pathlib import Path
from tests.live.capture import capturing

with capturing(Path(sys.argv[1]), mute=True) as capture:
    subprocess.run(["/bin/true", "marker-of-a-child"])
    subprocess.run(["sh", "-c", "/bin/true marker-of-a-grandchild; :"])
    print("ready", flush=True)
    sys.stdin.readline()
    capture.exec_of("/bin/true", "marker-from-outside")
arguments = [event.get("process", {}).get("args", ["", ""]) for event in capture.events]
print([args[-1] for args in arguments if args[-1].startswith("marker-")])
"""


def done(*command: str) -> subprocess.CompletedProcess[str]:
    """A command that has ended."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)


def tracefs_mounts() -> list[str]:
    """The mounts of tracefs that everybody here sees."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if " tracefs " in line]


@pytest.mark.parametrize(
    ("confined", "named"),
    [
        (WITHOUT_CAPABILITIES, "CAP_BPF"),
        (["unshare", "--pid", "--fork", "--mount-proc"], "--pid=host"),
    ],
)
def test_a_host_that_cannot_work_is_told_in_one_line_and_left_alone(
    tmp_path: Path, confined: list[str], named: str
) -> None:
    agent = Agent(tmp_path)
    agent.configure(NOWHERE)

    run = done(*confined, *COMMAND, "run", "--config", str(agent.config))

    assert run.returncode == 3
    assert named in run.stderr
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""
    assert list(tmp_path.iterdir()) == [agent.config]


def test_a_plain_user_is_told_of_rights_and_not_of_files() -> None:
    places = Settings().state_directory, Settings().log_file.parent, DEFAULT_PATH.parent
    before = [place.exists() for place in places]

    run = done(*PLAIN_USER, *COMMAND, "run")

    assert run.returncode == 3
    assert run.stderr == (
        "endpoint-agent: capabilities: CAP_PERFMON, CAP_BPF missing: "
        "run as root, or give the process CAP_BPF and CAP_PERFMON\n"
    )
    assert [place.exists() for place in places] == before


def test_check_names_what_is_missing_beside_what_it_found() -> None:
    check = done(*WITHOUT_CAPABILITIES, *COMMAND, "check")

    assert check.returncode == 3
    assert "--  capabilities" in check.stdout
    assert "CAP_BPF" in check.stderr
    assert check.stderr.count("\n") == 1


def test_check_proves_the_coverage_of_this_host(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("CaptureTier: auto\n")
    check = done(*COMMAND, "check", "--json", "--config", str(config))
    answer = json.loads(check.stdout)

    assert [fact["name"] for fact in answer["facts"] if not fact["met"]] == []
    assert [name for name, seen in answer["proof"].items() if not seen] == []
    assert (check.returncode, answer["passed"], answer["error"]) == (0, True, None)
    hooks = {hook: (state, reason) for hook, state, reason in answer["coverage"]}
    assert any(state == "attached" for state, _ in hooks.values())
    # Files are seen by the best tier, or it is said what is missing for it.
    state, reason = hooks.get("files by fentry", ("", ""))
    assert "fentry/d_delete" in hooks or (state == "replaced" and "setting" not in reason)


def test_check_proves_the_audit_source_where_ebpf_cannot_be() -> None:
    hide = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"'
    with audit_client() as audit:
        before = audit.state()
        check = done("unshare", "--mount", "sh", "-c", hide, "sh", *COMMAND, "check", "--json")
        assert audit.state() == before
    answer = json.loads(check.stdout)

    assert answer["source"] == "audit"
    assert answer["fallback"].startswith("BTF: missing: boot Linux")
    assert [answer["fallback"] in warning for warning in answer["warnings"]] == [True]
    assert [name for name, seen in answer["proof"].items() if not seen] == []
    assert (check.returncode, answer["passed"], answer["error"]) == (0, True, None)
    # Before 5.16 the audit system does not tell datagrams from other data.
    missing = {hook for hook, state, _ in answer["coverage"] if state != "attached"}
    assert missing == ({"audit rule datagrams"} if KERNEL < (5, 16) else set())


def test_tracefs_that_nobody_mounted_is_mounted_for_the_agent_alone() -> None:
    before = tracefs_mounts()
    script = """
        for place in /sys/kernel/debug /sys/kernel/tracing; do
            while umount --lazy $place 2>/dev/null; do :; done
        done
        grep -c tracefs /proc/self/mounts
        "$@"
        grep tracefs /proc/self/mounts
    """

    check = done("unshare", "--mount", "sh", "-c", script, "sh", *COMMAND, "check")

    assert check.stdout.startswith("0\n")
    assert "ok  tracefs                    not mounted" in check.stdout
    assert check.stdout.endswith("This host is covered.\n")
    assert tracefs_mounts() == before


@pytest.mark.skipif(
    KERNEL < (5, 11),
    reason="before Linux 5.11 maps are locked memory, of which the limit has to be raised",
)
def test_a_limit_on_locked_memory_that_cannot_be_raised_is_no_error() -> None:
    confined = ["setpriv", "--bounding-set=-sys_resource", "prlimit", "--memlock=65536:65536"]

    check = done(*confined, *COMMAND, "check")

    assert (check.returncode, check.stderr) == (0, "")
    assert check.stdout.endswith("This host is covered.\n")


def test_what_the_agent_starts_is_not_reported(tmp_path: Path) -> None:
    muted = subprocess.Popen(
        [sys.executable, "-c", MUTED, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert muted.stdout is not None
    assert muted.stdout.readline() == "ready\n"
    subprocess.run(["/bin/true", "marker-from-outside"], check=True)

    told, _ = muted.communicate("go\n", timeout=30 * PATIENCE)

    assert muted.returncode == 0
    assert set(json.loads(told.replace("'", '"'))) == {"marker-from-outside"}
