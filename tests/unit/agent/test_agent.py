from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpoint_agent import agent, envelope
from endpoint_agent.agent import Task
from endpoint_agent.config import Settings, load
from endpoint_agent.errors import RecordingError, UnsupportedError
from endpoint_agent.status import ask
from endpoint_agent.status_socket import SOCKET_NAME
from endpoint_agent.update import schedule
from endpoint_agent.update import state as update_state

from .running import (
    Manager,
    MockPipeline,
    left,
    run,
    wait_for,
    words,
)


def test_the_service_manager_hears_how_it_goes(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Manager(tmp_path, monkeypatch)
    heard: list[str] = []

    def listen(_: Settings) -> None:
        for said in ("READY=1\nSTATUS=it captures by ebpf", "WATCHDOG=1", "WATCHDOG=1"):
            manager.hears(said)
            heard.append(said)

    assert run(config_path, listen) == 0
    manager.hears("STOPPING=1")
    assert len(heard) == 3
    assert "NOTIFY_SOCKET" not in os.environ


def test_a_signal_ends_the_agent_in_order(tmp_path: Path, config_path: Path) -> None:
    assert run(config_path) == 0

    records = [words(record) for record in left(tmp_path)]
    assert records[0] == "stats"
    assert records[-1] == "stats"
    between = {"captured-at-the-end", "a hook is missing", "told at the end", "stopped-service"}
    # The first heartbeat does not wait, and the intake may be found to be none by then.
    assert between == set(records[1:-1]) - {"the intake does not take events"}
    assert records.index("captured-at-the-end") < records.index("told at the end")
    assert not (tmp_path / "state" / SOCKET_NAME).exists()


def test_every_record_of_the_agent_has_a_sequence_without_gaps(
    tmp_path: Path, config_path: Path
) -> None:
    run(config_path)

    sequences = [record["event"].get("sequence") for record in left(tmp_path)]
    own = sorted(number for number in sequences if number is not None)
    assert own == list(range(1, len(own) + 1))


def test_a_part_that_cannot_start_undoes_the_earlier_ones(
    tmp_path: Path, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockPipeline, "refused", ("ebpf", "audit"))
    handlers = signal.getsignal(signal.SIGTERM)

    with pytest.raises(UnsupportedError):
        agent.run(load(config_path), config_path, None)

    assert "deliver" not in {thread.name for thread in threading.enumerate()}
    assert signal.getsignal(signal.SIGTERM) == handlers
    records = left(tmp_path)
    reasons = {record["event"].get("reason") for record in records}
    assert (
        "the agent ends: no ebpf; boot a newer kernel; "
        "and instead of eBPF: no audit; boot a newer kernel"
    ) in reasons
    assert words(records[-1]) == "stats"


def test_a_capture_that_ends_by_itself_is_a_failure(
    tmp_path: Path, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockPipeline, "fails", True)

    assert agent.run(load(config_path), config_path, None) == 1
    assert "the agent ends" in [words(record) for record in left(tmp_path)]


def test_a_fault_is_logged_and_a_failure(
    tmp_path: Path, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(agent.Agent, "_failure", fault)

    assert agent.run(load(config_path), config_path, None) == 1
    assert "RuntimeError: a bug" in (tmp_path / "agent.log").read_text()
    assert words(left(tmp_path)[-1]) == "stats"


def test_where_ebpf_cannot_be_the_audit_system_is_captured(
    config_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(MockPipeline, "refused", ("ebpf",))
    answers: list[dict[str, Any]] = []

    run(config_path, lambda settings: answers.append(ask(settings.state_directory)))

    assert answers[0]["source"] == "audit"
    assert answers[0]["fallback"] == "no ebpf; boot a newer kernel"
    line = "the audit system is captured, and not by eBPF: no ebpf; boot a newer kernel"
    assert line in {record["event"].get("reason") for record in left(tmp_path)}


def test_a_source_that_is_wanted_is_not_replaced(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_path.write_text(config_path.read_text() + "CaptureSource: ebpf\n")
    monkeypatch.setattr(MockPipeline, "refused", ("ebpf",))

    with pytest.raises(UnsupportedError, match=r"^no ebpf; boot a newer kernel$"):
        agent.run(load(config_path), config_path, None)


def test_status_tells_how_the_agent_fares(config_path: Path) -> None:
    answers: list[dict[str, Any]] = []

    run(config_path, lambda settings: answers.append(ask(settings.state_directory)))

    (answer,) = answers
    assert answer["pid"] == os.getpid()
    assert (answer["source"], answer["fallback"]) == ("ebpf", "")
    assert ["openat2", "missing", "no such tracepoint"] in answer["coverage"]
    assert answer["queued"] == answer["counters"]["queued"]
    assert answer["delivery"]["requests"] >= 0
    assert answer["agent"].keys() == {"cpu_seconds", "memory_bytes"}
    assert "secret" not in json.dumps(answer)


def test_a_change_of_address_reaches_the_pipeline(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = iter(range(1, 1_000_000))
    monkeypatch.setattr(envelope, "addresses", lambda: [f"10.0.0.{next(addresses)}"])
    monkeypatch.setattr(agent, "REFRESH", 0.0)
    monkeypatch.setattr(MockPipeline, "envelopes", [])

    run(config_path, lambda _: wait_for(lambda: len(MockPipeline.envelopes) > 1))

    assert b'"ip":["10.0.0.2"]' in MockPipeline.envelopes[0]


def reload_with(config_path: Path, text: str, expected: str) -> Callable[[Settings], None]:
    """Changes the configuration, signals, and waits for a line in the log."""

    def act(settings: Settings) -> None:
        config_path.write_text(config_path.read_text() + text)
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: expected in settings.log_file.read_text())

    return act


def test_a_reload_applies_what_it_can(tmp_path: Path, config_path: Path) -> None:
    text = "LogLevel: debug\nEventBufferCacheSize: 50\n"
    run(config_path, reload_with(config_path, text, "EventBufferCacheSize takes effect at the ne"))

    assert logging.getLogger("endpoint_agent").level == logging.DEBUG


def test_a_reload_reads_the_rules_and_the_watches_again(tmp_path: Path, config_path: Path) -> None:
    uuid = "6d7d1b3e-0f1c-4a7b-9a64-1f6f7a1f9a01"
    rule = f"{{uuid: {uuid}, action: 1, filters: [{{field: user.id, operator: ==, value: '7'}}]}}"
    MockPipeline.rules.clear()

    def rewrite(settings: Settings) -> None:
        with config_path.open("a") as file:
            file.write(f"OptimizationRules:\n- {rule}\n- {{uuid: bad}}\n")
        watches = tmp_path / "watches.yaml"
        watches.write_text("watches:\n- {tag: mine, paths: [/x]}\n- {tag: bad}\n")
        watches.chmod(0o644)
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: bool(MockPipeline.rules))
        assert ask(settings.state_directory)["rules"] == {uuid: 0}

    assert run(config_path, rewrite) == 0

    (rules,) = MockPipeline.rules
    assert rules.counts() == [(uuid, 0)]
    text = (tmp_path / "agent.log").read_text()
    assert f"1 watches of {tmp_path}/watches.yaml and 1 drop rules" in text
    assert f"{tmp_path}/watches.yaml:3: this watch is ignored: it says nothing" in text
    assert "config.yaml:8: OptimizationRules: this rule is ignored: action is missing" in text


def test_a_reload_that_fails_changes_nothing(tmp_path: Path, config_path: Path) -> None:
    run(config_path, reload_with(config_path, "LogLevel: loud\n", "LogLevel: found 'loud'"))

    assert logging.getLogger("endpoint_agent").level == logging.INFO
    reasons = [words(record) for record in left(tmp_path)]
    assert "the configuration stays as it was" in reasons


def test_a_reload_whose_intake_cannot_be_used_changes_nothing(
    tmp_path: Path, config_path: Path
) -> None:
    text = f"LogLevel: debug\nIntakeURL: https://127.0.0.1:9\nCABundlePath: {tmp_path}/none.pem\n"
    config_path.write_text(config_path.read_text().replace("IntakeURL: http://127.0.0.1:9\n", ""))
    run(config_path, reload_with(config_path, text, "stays as it was: CABundlePath: "))

    assert logging.getLogger("endpoint_agent").level == logging.INFO


def test_what_needs_a_restart_is_told_against_the_settings_of_the_start(config_path: Path) -> None:
    before = config_path.read_text()
    told: list[str] = []

    def reload(settings: Settings, extra: str) -> None:
        config_path.write_text(before + extra)
        seen = settings.log_file.read_text().count("is read again")
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: settings.log_file.read_text().count("is read again") > seen)
        time.sleep(0.05)
        told.append(settings.log_file.read_text().rpartition("is read again")[2])

    changed = "EventBufferCacheSize: 50\n"
    run(
        config_path,
        lambda settings: reload(settings, changed),
        # The same file again: the change still waits for the start.
        lambda settings: reload(settings, changed),
        # What was there at the start: nothing waits any more.
        lambda settings: reload(settings, ""),
    )

    assert ["EventBufferCacheSize takes effect" in line for line in told] == [True, True, False]


def test_an_existing_recording_is_refused_before_anything_starts(
    tmp_path: Path, config_path: Path
) -> None:
    record = tmp_path / "recording"
    record.symlink_to("nowhere")

    with pytest.raises(RecordingError, match="it exists; name a new file") as raised:
        agent.run(load(config_path), config_path, record)

    assert raised.value.exit_status == 1
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "recording"}


def test_a_task_that_fails_is_logged_once_a_minute_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[float] = []

    def fail() -> None:
        tries.append(now)
        raise OSError(24, "Too many open files")

    task = Task(1.0, fail)
    with caplog.at_level(logging.ERROR):
        for now in range(62):
            task.run_if_due(float(now))

    assert len(tries) == 62
    assert [record.message for record in caplog.records] == [
        "a periodic task failed; it is tried again"
    ] * 2


def test_a_host_short_of_descriptors_does_not_end_the_agent(
    tmp_path: Path, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[str]:
        raise OSError(24, "Too many open files")

    def shortage(settings: Settings) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(envelope, "addresses", fail)
            wait_for(lambda: "Too many open files" in settings.log_file.read_text())

    monkeypatch.setattr(agent, "REFRESH", 0.0)

    assert run(config_path, shortage) == 0
    assert words(left(tmp_path)[-1]) == "stats"


def test_a_task_is_done_when_due_and_not_made_up_for() -> None:
    done: list[float] = []
    task = Task(10.0, lambda: done.append(now))
    for now in (0.0, 5.0, 10.0, 35.0, 36.0, 45.0):
        task.run_if_due(now)

    assert done == [0.0, 10.0, 35.0, 45.0]


def test_what_an_update_left_is_reported_and_told(config_path: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    update_state.tell(state, update_state.DONE, "0.0.9", "0.1.0", "it works")
    update_state.save(state, update_state.State(offered="0.2.0", waits="it is not for this host"))
    answers = []

    def look(settings: Settings) -> None:
        wait_for(lambda: not any((state / "update/events").iterdir()))
        answers.append(ask(state)["update"])

    assert run(config_path, look) == 0
    assert answers[0]["offered"] == "0.2.0"
    (event,) = (record for record in left(tmp_path) if words(record) == "updated")
    assert event["event"]["reason"] == "it works"


@pytest.mark.parametrize("managed", [True, False], ids=["by-systemd", "by-another"])
def test_who_looks_for_updates(
    managed: bool, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon, where its program is installed and no timer of systemd does."""
    calls: list[None] = []
    manager = Manager(tmp_path, monkeypatch)
    if not managed:
        monkeypatch.delenv("NOTIFY_SOCKET")
    monkeypatch.setattr(schedule, "first", lambda: 0.0)
    monkeypatch.setattr(schedule, "start", lambda: calls.append(None))
    assert run(config_path) == 0
    assert calls == []
    if managed:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setattr(schedule, "is_installed", lambda: True)
    ticks: list[None] = []
    monkeypatch.setattr(agent.EventHandler, "tick", lambda handler: ticks.append(None))
    assert run(config_path, lambda settings: wait_for(lambda: len(ticks) > 2)) == 0
    assert calls == ([] if managed else [None])
    manager.socket.close()
