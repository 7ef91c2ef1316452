from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from endpoint_agent import agent, envelope, handover, log, support
from endpoint_agent._native import Rules, Spool
from endpoint_agent.agent import Task
from endpoint_agent.config import Settings, load
from endpoint_agent.errors import AgentError, HandoverError, RecordingError, UnsupportedError
from endpoint_agent.status import SOCKET_NAME, ask
from endpoint_agent.update import schedule
from endpoint_agent.update import state as update_state

# Nothing listens on the discard port, so that the queue keeps what the agent reports.
CONFIGURATION = """
IntakeKey: secret
IntakeURL: http://127.0.0.1:9
StateDirectory: {state}
LogFile: {folder}/agent.log
"""


class Manager:
    """A service manager, which hears what the agent tells it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "30000")

    def hears(self, words: str) -> None:
        """Waits until it hears the words."""
        while self.socket.recv(4096).decode() != words:
            pass


class MockPipeline:
    """A mock of the native pipeline: it captures one event, while it is being stopped."""

    refused: ClassVar[tuple[str, ...]] = ()
    """Sources that cannot be opened."""
    fails: ClassVar[bool] = False
    envelopes: ClassVar[list[bytes]] = []
    rules: ClassVar[list[Rules]] = []

    def __init__(self, spool: Spool, **given: Any) -> None:
        if given["source"] in self.refused:
            raise UnsupportedError(f"no {given['source']}; boot a newer kernel")
        assert (
            b"{" + given["envelope"] + b"}"
            == json.dumps(
                json.loads(b"{" + given["envelope"] + b"}"), separators=(",", ":")
            ).encode()
        )
        self._spool = spool
        self._notices = [("warning", "a hook is missing")]

    def start(self) -> None:
        pass

    def ready(self, timeout: float) -> bool:
        return True

    def finished(self) -> bool:
        return self.fails

    def coverage(self) -> list[tuple[str, str, str]]:
        return [("exec", "attached", ""), ("openat2", "missing", "no such tracepoint")]

    def set_envelope(self, members: bytes) -> None:
        self.envelopes.append(members)

    def set_rules(self, rules: Rules) -> None:
        self.rules.append(rules)

    def notices(self) -> list[tuple[str, str]]:
        told, self._notices = self._notices, []
        return told

    @staticmethod
    def take_over(stand_by: MockStandBy, spool: Spool, **given: Any) -> MockPipeline:
        stand_by.taken = True
        return MockPipeline(spool, source="ebpf", **given)

    def tell_until(self, cut: tuple[int, int] | None) -> bool:
        return True

    def stop(self) -> None:
        self._spool.append(b'{"event":{"action":"captured-at-the-end"}}')
        self._notices.append(("error", "told at the end"))


class MockStandBy:
    """A mock of a capture that waits for its turn."""

    made: ClassVar[list[MockStandBy]] = []

    def __init__(self, *, before: int, **given: Any) -> None:
        self.before = before
        self.taken = False
        self.made.append(self)

    def tell_from(self, boot: int, wall: int) -> bool:
        return True


class MockSuccessor:
    """A mock of the next agent."""

    fails: ClassVar[str] = ""
    heard: ClassVar[list[str]] = []
    pid = 4711

    def __init__(self, notifier: object) -> None:
        self.has_agreed = False
        self.heard.append("start")

    def is_ready(self) -> bool:
        if self.fails:
            raise HandoverError(self.fails)
        return True

    def agree(self, tell_until: Callable[[tuple[int, int] | None], bool]) -> None:
        assert tell_until((1, 2))
        self.has_agreed = True

    def done(self, is_to_stop: bool) -> None:
        self.heard.append("stop" if is_to_stop else "done")

    def abort(self) -> None:
        self.heard.append("abort")


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIGURATION.format(state=tmp_path / "state", folder=tmp_path))
    path.chmod(0o600)
    return path


@pytest.fixture(autouse=True)
def around(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Puts the mock in place, ticks fast, and puts the log back."""
    monkeypatch.setattr(agent, "Pipeline", MockPipeline)
    monkeypatch.setattr(agent, "StandBy", MockStandBy)
    monkeypatch.setattr(agent, "Successor", MockSuccessor)
    monkeypatch.setattr(MockStandBy, "made", [])
    monkeypatch.setattr(MockSuccessor, "heard", [])
    monkeypatch.setattr(support, "facts", list)
    monkeypatch.setattr(support, "audit_facts", list)
    monkeypatch.setattr(agent, "TICK", 0.01)
    before = list(log.LOGGER.handlers), log.LOGGER.level, log.LOGGER.propagate
    yield
    for handler in log.LOGGER.handlers:
        handler.close()
    log.LOGGER.handlers, log.LOGGER.level, log.LOGGER.propagate = before


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_answering(settings: Settings) -> bool:
    """Whether the agent runs. Its socket is there a moment before it listens."""
    try:
        ask(settings.state_directory)
    except AgentError:
        return False
    return True


def run(config_path: Path, *actions: Callable[[Settings], object]) -> int:
    """Runs the agent; another thread does the actions once it answers, and then ends it."""
    settings = load(config_path)

    def act() -> None:
        try:
            wait_for(lambda: is_answering(settings))
            for action in actions:
                action(settings)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        return agent.run(settings, config_path, None)
    finally:
        thread.join()


def left(tmp_path: Path) -> list[dict[str, Any]]:
    """The records in the queue of an agent that has ended."""
    spool = Spool(str(tmp_path / "state" / agent.QUEUE))
    records = []
    while batch := spool.next_batch(0.0, max_wait=0.0):
        records += [json.loads(line) for line in gzip.decompress(batch.body).splitlines()]
        spool.ack(batch)
    spool.close()
    return records


def words(record: dict[str, Any]) -> str:
    """What a record is, in a word or two."""
    event = record["event"]
    return str(event.get("action") or event["reason"]).partition(":")[0]


def test_the_service_manager_hears_how_it_goes(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Manager(tmp_path, monkeypatch)
    heard: list[str] = []

    def listen(_: Settings) -> None:
        for words in ("READY=1\nSTATUS=it captures by ebpf", "WATCHDOG=1", "WATCHDOG=1"):
            manager.hears(words)
            heard.append(words)

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


def ask_for_change(settings: Settings) -> None:
    os.kill(os.getpid(), signal.SIGUSR2)


def test_another_agent_takes_over(tmp_path: Path, config_path: Path) -> None:
    settings = load(config_path)

    def act() -> None:
        wait_for(lambda: is_answering(settings))
        ask_for_change(settings)

    thread = threading.Thread(target=act)
    thread.start()
    assert agent.run(settings, config_path, None) == 0
    thread.join()

    assert MockSuccessor.heard == ["start", "done"]
    records = [words(record) for record in left(tmp_path)]
    assert "stopped-service" not in records
    assert records[-1] == "stats"
    # And the next one is not told that this one was killed.
    run(config_path)
    assert "crashed-program" not in [words(record) for record in left(tmp_path)]


def test_one_that_cannot_take_over_is_ended_and_told(
    tmp_path: Path, config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockSuccessor, "fails", "it hangs")
    answers: list[dict[str, Any]] = []

    def look(settings: Settings) -> None:
        wait_for(lambda: MockSuccessor.heard == ["start", "abort"])
        answers.append(ask(settings.state_directory)["handover"])

    assert run(config_path, ask_for_change, look) == 0

    assert answers == [{"possible": True, "failures": 1, "failed": "it hangs"}]
    assert "no other agent takes over, and this one goes on" in [
        words(record) for record in left(tmp_path)
    ]


def test_one_that_is_not_ready_ends_with_the_agent(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockSuccessor, "is_ready", lambda _: False)

    def wait(_: Settings) -> None:
        wait_for(lambda: MockSuccessor.heard == ["start"])

    assert run(config_path, ask_for_change, wait, ask_for_change) == 0

    assert MockSuccessor.heard == ["start", "abort"]


def test_the_audit_system_is_not_handed_over(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MockPipeline, "refused", ("ebpf",))
    answers: list[dict[str, Any]] = []

    def look(settings: Settings) -> None:
        wait_for(lambda: ask(settings.state_directory)["handover"]["failures"] == 1)
        answers.append(ask(settings.state_directory)["handover"])

    run(config_path, ask_for_change, look)

    assert not answers[0]["possible"]
    assert MockSuccessor.heard == []


def test_it_takes_over_when_it_is_its_turn(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    monkeypatch.setenv(handover.VARIABLE, str(theirs.detach()))
    settings = load(config_path)

    def act() -> None:
        try:
            assert ours.recv(100) == handover.READY
            # The queue is the other's until then.
            assert not (settings.state_directory / agent.QUEUE).exists()
            ours.send(b"cut 1 2")
            assert ours.recv(100) == handover.AGREED
            ours.send(handover.DONE)
            wait_for(lambda: is_answering(settings))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=act)
    thread.start()
    assert agent.run(settings, config_path, None) == 0
    thread.join()

    (stand_by,) = MockStandBy.made
    assert stand_by.before == os.getpid()
    assert stand_by.taken
    assert handover.VARIABLE not in os.environ


def test_one_whose_capture_cannot_be_says_why(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise UnsupportedError("no ebpf; boot a newer kernel")

    monkeypatch.setattr(agent, "StandBy", refuse)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    monkeypatch.setenv(handover.VARIABLE, str(theirs.detach()))

    with pytest.raises(UnsupportedError):
        agent.run(load(config_path), config_path, None)

    assert ours.recv(100) == b"failed no ebpf; boot a newer kernel"


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
