"""Acts of which docs/limitations.md says that nothing tells of them."""

from __future__ import annotations

import pytest

from tests.live.acts import of
from tests.live.capture import Capture

from .conftest import Tricks

pytestmark = pytest.mark.live

# What is told of the process that does it, besides its begin and its end.
ACTS = {
    "ask_to_be_traced": [],
    "read_memory": [],
    "drop_capabilities": [],
    "make_secret_memory": [],
    "attach_to_socket": ["loaded-bpf-program"],
    "change_mount": ["changed-namespace-of", "mounted", "mounted"],
    "connect_nowhere": ["changed-namespace-of"],
}


@pytest.mark.parametrize("act", ACTS)
def test_untold(watching: Capture, tricks: Tricks, act: str) -> None:
    played = tricks.play("untold", act)
    watching.wait_for(of(played.pid, "process-ended"))
    watching.collect()
    told = [
        event["event"]["action"]
        for event in watching.events
        if event["process"]["pid"] == played.pid
    ]
    begin_and_end = {"process-created", "process-ended"}
    # The audit source is told of every call, whatever comes of it.
    called = ["connected-to"] if watching.audits and act == "connect_nowhere" else []
    assert sorted(action for action in told if action not in begin_and_end) == [*ACTS[act], *called]
