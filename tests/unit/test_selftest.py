from __future__ import annotations

import json
import tempfile
from typing import Any

import pytest

from endpoint_agent import selftest, support
from endpoint_agent.config import Settings
from endpoint_agent.errors import AgentError
from endpoint_agent.selftest import acts, recognise

FOLDER = "endpoint-agent-check-x7"
PORT = 40_001


def event(action: str, **members: Any) -> dict[str, Any]:
    return {"event": {"action": action}, **members}


KNOWN = [
    event("process-created", process={"pid": 9, "args": ["python3", "-c", f"/tmp/{FOLDER}", "1"]}),
    event("file-created", file={"path": f"/tmp/{FOLDER}/made"}),
    event("file-modified", file={"path": f"/host/tmp/{FOLDER}/made"}),
    event("renamed", file={"path": f"/tmp/{FOLDER}/moved"}),
    event("file-deleted", file={"path": f"/tmp/{FOLDER}/moved"}),
    event("connected-to", destination={"ip": "127.0.0.1", "port": PORT}),
    event("accepted-connection-from", destination={"ip": "127.0.0.1", "port": PORT}),
    event("process-ended", process={"pid": 9}),
]
FOREIGN = [
    event("process-created", process={"pid": 8, "args": ["ls"]}),
    event("process-created", process={"pid": 8}),
    event("process-ended", process={"pid": 8}),
    event("file-created", file={"path": "/tmp/made"}),
    event("renamed", file={"path": f"/tmp/{FOLDER}/made"}),
    event("connected-to", destination={"port": 443}),
    event("stats"),
    {"event": {"reason": "a log line"}},
]


def body(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def fact(name: str, met: bool) -> support.Fact:
    return support.Fact(name, met, "here" if met else "missing")


def test_every_known_act_is_recognised_by_its_own_event() -> None:
    for number, one in enumerate(KNOWN[:-1]):
        expected = acts(FOLDER, PORT)
        recognise(body([*FOREIGN, one]), expected)

        assert [act.seen for act in expected] == [n == number for n in range(len(KNOWN))]


def test_all_acts_in_one_batch_or_several() -> None:
    expected = acts(FOLDER, PORT)
    recognise(body(KNOWN[:4]), expected)
    recognise(body(KNOWN[4:]), expected)

    assert all(act.seen for act in expected)


def test_a_refusal_is_reported_with_the_facts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(support, "facts", lambda: [fact("BTF", False)])
    monkeypatch.setattr(support, "audit_facts", lambda: [fact(support.AUDIT, False)])

    with pytest.raises(AgentError):
        selftest.check(Settings(), as_json=True)
    printed = json.loads(capsys.readouterr().out)
    with pytest.raises(AgentError):
        selftest.check(Settings(), as_json=False)

    assert printed["facts"] == [{"name": "BTF", "met": False, "detail": "missing"}]
    assert printed["passed"] is False
    assert "BTF" in printed["error"]
    assert "--  BTF                        missing" in capsys.readouterr().out


def test_without_a_temporary_folder_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(support, "facts", lambda: [fact("BTF", True)])
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")

    with pytest.raises(AgentError, match="No such file or directory; set TMPDIR"):
        selftest.check(Settings(), as_json=False)


def test_the_table_says_what_was_not_seen() -> None:
    result = selftest.Result(
        "3.10", [], "audit", "no BTF", [("exec", "failed", "why")], acts(FOLDER, PORT)
    )
    recognise(body(KNOWN[1:]), result.acts)
    lines = list(selftest._lines(result))

    assert not result.passed
    assert "Hooks of the source audit" in lines
    assert "  --  exec                       failed why" in lines
    assert "  --  program executed           not seen" in lines
    assert "  ok  file created               seen" in lines
    assert lines[-1] == "This host is NOT covered as listed."


def test_a_source_that_stands_in_for_ebpf_is_warned_of_where_the_verdict_is() -> None:
    refused = "BTF: missing: boot Linux 5.8 or newer"
    result = selftest.Result("3.10", [], "audit", refused, [], acts(FOLDER, PORT))
    recognise(body(KNOWN), result.acts)

    assert result.passed
    (warning,) = json.loads(selftest._as_json(result))["warnings"]
    assert warning.startswith("eBPF cannot be used here; events come from the audit system")
    assert warning.endswith(refused)
    assert list(selftest._lines(result))[-2:] == [
        f"Warning: {warning}",
        "This host is covered by the audit system alone.",
    ]
    result.fallback = ""
    assert json.loads(selftest._as_json(result))["warnings"] == []
    assert list(selftest._lines(result))[-2:] == ["", "This host is covered."]
