"""Acts of which docs/limitations.md says that nothing tells of them."""

from __future__ import annotations

import pytest

from tests.live.acts import control_group, of
from tests.live.capture import Capture

from .conftest import Tricks

pytestmark = pytest.mark.live

# What is told of those who do it, besides their begins and ends.
ACTS = {
    "ask_to_be_traced": [],
    "read_memory": [],
    "drop_capabilities": [],
    "make_secret_memory": [],
    "attach_to_socket": ["loaded-bpf-program"],
    "attach_to_counter": ["loaded-bpf-program"],
    "change_mount": ["changed-namespace-of", "mounted", "mounted"],
    "send_raw": [],
    # By who sends.
    "receive_datagram": ["sent-to"],
    "ask_another_port": ["sent-to"],
    "end_with_parent": [],
    "end_with_timer": [],
    "signal_in_vain": ["changed-identity-of"],
    "open_devices": [],
    "call_as_x32": [],
}

# What the audit source is told all the same: of every call, whatever comes of it.
AUDITED = {"send_raw": ["sent-to"]}


def told(capture: Capture, pid: int) -> list[str]:
    """What is told of a process that has ended and of its children, but for begins and ends."""
    capture.wait_for(of(pid, "process-ended"))
    capture.collect()
    family = {pid}
    for event in capture.events:
        if event["process"].get("parent", {}).get("pid") in family:
            family.add(event["process"]["pid"])
    return sorted(
        event["event"]["action"]
        for event in capture.events
        if event["process"]["pid"] in family
        and event["event"]["action"] not in ("process-created", "process-ended")
    )


@pytest.mark.parametrize("act", ACTS)
def test_untold(watching: Capture, tricks: Tricks, act: str) -> None:
    played = tricks.play("untold", act)
    expected = [*ACTS[act], *(AUDITED.get(act, []) if watching.audits else [])]
    if not watching.sees_datagrams():
        expected = [action for action in expected if action != "sent-to"]
    assert told(watching, played.pid) == sorted(expected)


def test_signal_to_a_control_group(watching: Capture, tricks: Tricks) -> None:
    with control_group() as group:
        played = tricks.play("untold", "end_with_group", group)
    # The files that this is asked by, and no signal.
    assert told(watching, played.pid) == ["file-modified", "file-modified"]
