"""The daemon: starts the parts, watches over them, and stops them in order."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from endpoint_agent import (
    config,
    deliver,
    handover,
    identity,
    log,
    source,
    state_folder,
    support,
    watches,
)
from endpoint_agent._native import Pipeline, Rules, Spool
from endpoint_agent.config import Settings
from endpoint_agent.deliver import Deliverer
from endpoint_agent.envelope import VERSION, Envelope, Reporter
from endpoint_agent.errors import AgentError, RecordingError
from endpoint_agent.handover import Predecessor
from endpoint_agent.heartbeat import Coverage, Heartbeat
from endpoint_agent.log_events import EventHandler
from endpoint_agent.service.notify import Notifier
from endpoint_agent.service.sysv import take_place
from endpoint_agent.signals import HAND_OVER, RELOAD, STOP, Requests, requests
from endpoint_agent.status import StatusServer
from endpoint_agent.trust.guard import Guard
from endpoint_agent.update import schedule, state

if TYPE_CHECKING:
    from endpoint_agent._native import StandBy

QUEUE = "queue"

# Seconds.
READY = 10.0
DRAIN = 5.0
TICK = 1.0
REFRESH = 60.0
QUIET = 60.0
DAY = 86_400.0

# Added to that of the agent's other threads; Linux keeps it thread by thread.
DELIVERY_NICENESS = 5

# Bytes. The default of 8 MiB is not all used, but what a deep call touches stays resident.
STACK = 262_144

# What a running agent cannot change.
FIXED = (
    "state_directory",
    "capture_source",
    "capture_tier",
    "event_buffer_cache_size",
    "event_buffer_sync_interval",
    "hashes_max_size",
    "hashes_excluded_paths",
    "event_log_channels",
)

_LOGGER = logging.getLogger(__name__)


def run(
    settings: Settings,
    config_path: Path,
    record: Path | None = None,
    *,
    stop: threading.Event | None = None,
    ready: Callable[[], None] | None = None,
) -> int:
    """Runs the agent in this process until a signal, or a flag, ends it; the exit status.

    Args:
        settings: as read from `config_path`, which SIGHUP reads again.
        record: path of a new file that receives the raw kernel records.
        stop: ends the agent within a second once it is set. Signals are not touched then, and any
            thread may call this, as that of a service of Windows.
        ready: called once, on this thread, when the agent captures.

    Raises:
        RecordingError: `record` exists; nothing has started.
        AgentError: a part cannot start. Those that had started are stopped again.
    """
    if record is not None and os.path.lexists(record):
        raise RecordingError(f"cannot record to {record}: it exists; name a new file")
    threading.stack_size(STACK)
    log.start(settings)
    before = Predecessor.found()
    with requests(stop) as signals, ExitStack() as parts:
        try:
            agent = Agent(settings, config_path, parts)
            if not agent.start(record, before, signals):
                return 0
            if ready is not None:
                ready()
            return agent.watch(signals, Notifier())
        except AgentError as error:
            _LOGGER.error("the agent ends: %s", error)
            if before is not None:
                before.failed(str(error))
            raise
        except Exception:
            _LOGGER.exception("the agent ends because of a fault in it")
            return 1


@dataclass
class Task:
    """Something the main thread does every so many seconds."""

    interval: float
    action: Callable[[], None]
    due: float = 0.0
    quiet_until: float = 0.0

    def run_if_due(self, now: float) -> None:
        """Does it when its time has come. What was missed is not made up for."""
        if now >= self.due:
            self.due = now + self.interval
            self.run(now)

    def run(self, now: float) -> None:
        """Does it. That it fails, as where memory is short, is logged and ends nothing."""
        try:
            self.action()
        except Exception:
            if now >= self.quiet_until:
                self.quiet_until = now + QUIET
                _LOGGER.exception("a periodic task failed; it is tried again")


class Agent:
    """The parts of a running agent. They stop in the reverse order of their start."""

    def __init__(self, settings: Settings, config_path: Path, parts: ExitStack) -> None:
        """Starts nothing yet. `parts` takes what ends each part."""
        # As the agent started with them, whatever a reload has changed since.
        self._settings = settings
        self._config_path = config_path
        self._parts = parts
        self._started = time.monotonic()
        self._process = psutil.Process()
        self._pipeline: Pipeline | None = None
        self._rules = Rules()
        self._source = ""
        self._fallback = ""
        self._is_recording = False
        self._handover = handover.Change()
        # How many records have left the queue when the first heartbeat of this run has.
        self._first_beat: int | None = None

    def start(
        self,
        record: Path | None,
        before: Predecessor | None = None,
        signals: Requests | None = None,
    ) -> bool:
        """Starts every part, of which the capture waits for its turn where an agent is `before`.

        False: a signal has ended it before its turn.

        Raises:
            AgentError: one cannot start.
        """
        # The last to end: then all that only one agent can have is free.
        self._parts.callback(self._handover.end, signals)
        self._start_log()
        state_folder.prepare(self._settings.state_directory)
        stand_by = None
        if before is not None and signals is not None:
            stand_by = handover.stand_by(before, self._settings)
            if not before.take_turn(stand_by, signals):
                return False
            take_place(before.pid)
        self._open_queue()
        self._start_delivery()
        self._start_heartbeat()
        self._start_capture(record, stand_by)
        server = StatusServer(self._settings.state_directory, self.snapshot)
        self._parts.callback(server.stop)
        if before is not None:
            before.taken()
        return True

    def watch(self, signals: Requests, notifier: Notifier) -> int:
        """Works until a signal or another agent ends it (0), or a part has failed (1)."""
        self._stats.run_if_due(time.monotonic())
        counters = self._spool.counters()
        self._first_beat = counters["recovered"] + counters["spooled"]
        # Whoever installs or updates waits until it has arrived.
        self._spool.wake()
        notifier.ready(f"it captures by {self._source}")
        tasks = [
            self._stats,
            Task(REFRESH, self._refresh),
            Task(TICK, self._log_notices),
            Task(TICK, self._events.tick),
            Task(TICK, self._report_updates),
            Task(TICK, self._guard.tick),
            Task(REFRESH, self._guard.alive),
            Task(DAY, self._guard.verify),
        ]
        if not notifier.is_heard and schedule.is_installed():
            due = time.monotonic() + schedule.first()
            tasks.append(Task(schedule.day(), schedule.start, due))
        if notifier.interval:
            tasks.append(Task(notifier.interval / 3, notifier.alive))
        while (failure := self._failure()) is None:
            arrived = signals.wait(TICK)
            if stop := arrived & set(STOP):
                notifier.stopping()
                self._guard.stopped(min(stop))
                return 0
            if RELOAD in arrived:
                self.reload()
            if HAND_OVER in arrived:
                self._handover.begin(notifier, is_possible=self._can_hand_over())
            if self._handover.is_made(self._tell_until):
                return 0
            for task in tasks:
                task.run_if_due(time.monotonic())
        self._log_notices()
        _LOGGER.error("the agent ends: %s", failure)
        return 1

    def reload(self) -> None:
        """Reads the configuration again and applies what a running agent can change.

        Either all of it or, with an error in the log, nothing.
        """
        try:
            settings = config.load(self._config_path)
            deliver.check(settings)
            # The last that can fail, and then changes nothing itself.
            log.start(settings)
        except AgentError as error:
            _LOGGER.error("the configuration stays as it was: %s", error)
            return
        self._deliverer.reconfigure(settings)
        self._compile_rules(settings)
        if self._pipeline:
            self._pipeline.set_rules(self._rules)
        self._stats.interval = settings.stats_interval
        self._stats.due = time.monotonic() + settings.stats_interval
        _LOGGER.info("%s is read again", self._config_path)
        for warning in (*settings.warnings, *self._fixed(settings)):
            _LOGGER.warning("%s", warning)

    def _tell_until(self, cut: tuple[int, int] | None) -> bool:
        return self._pipeline is not None and self._pipeline.tell_until(cut)

    def _can_hand_over(self) -> bool:
        # The end of the first process is that of all in its PID namespace.
        return self._source == source.EBPF and not self._is_recording and os.getpid() != 1

    def _fixed(self, settings: Settings) -> Iterator[str]:
        """What of other settings a running agent cannot change."""
        for setting in config.SETTINGS:
            name = setting.attribute
            if name in FIXED and getattr(self._settings, name) != getattr(settings, name):
                yield f"{setting.key} takes effect at the next start of the agent"

    def snapshot(self) -> dict[str, Any]:
        """What `status` tells."""
        times = self._process.cpu_times()
        counters = self._spool.counters()
        delivery = self._deliverer.state()
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._started, 3),
            "source": self._source,
            "fallback": self._fallback,
            "coverage": self._coverage(),
            "counters": counters,
            "queued": counters["queued"],
            "rules": self._rule_counts(),
            "heartbeat_delivered": delivery.last_delivery is not None and self._beaten(counters),
            "delivery": asdict(delivery),
            "program": asdict(self._guard.verdict()),
            "handover": {"possible": self._can_hand_over(), **self._handover.told()},
            "update": msgspec.to_builtins(state.load(self._settings.state_directory)),
            "agent": {
                "cpu_seconds": times.user + times.system,
                "memory_bytes": self._process.memory_info().rss,
            },
        }

    def _beaten(self, counters: Mapping[str, int]) -> bool:
        """Whether the first heartbeat of this run has left the queue."""
        gone = sum(counters[name] for name in ("delivered", "evicted", "rejected", "damaged"))
        return self._first_beat is not None and gone >= self._first_beat

    def _start_log(self) -> None:
        self._events = EventHandler()
        log.LOGGER.addHandler(self._events)
        self._parts.callback(log.LOGGER.removeHandler, self._events)
        _LOGGER.info("endpoint-agent %s starts, pid %d", VERSION, os.getpid())
        for warning in self._settings.warnings:
            _LOGGER.warning("%s", warning)

    def _open_queue(self) -> None:
        state = self._settings.state_directory
        self._guard = Guard(state, state / QUEUE, self._config_path)
        self._spool = Spool(
            str(state / QUEUE),
            max_bytes=self._settings.event_buffer_cache_size * 1_000_000,
            sync_interval=self._settings.event_buffer_sync_interval,
        )
        self._parts.callback(self._spool.close)
        self._agent_id = identity.load(state)
        self._envelope = Envelope(self._agent_id)
        self._reporter = Reporter(self._spool, self._envelope)
        self._events.attach(self._reporter)
        self._guard.begin(self._reporter)
        self._parts.callback(self._guard.end)

    def _start_delivery(self) -> None:
        self._deliverer = Deliverer(self._spool, self._settings)
        self._delivery = threading.Thread(target=self._deliver, name="deliver", daemon=True)
        self._delivery.start()
        self._parts.callback(self._stop_delivery)

    def _deliver(self) -> None:
        # What waits in the queue is safe there: the host's own work goes first.
        if sys.platform != "win32":
            os.nice(DELIVERY_NICENESS)
        try:
            self._deliverer.run()
        except Exception:
            _LOGGER.exception("the delivery failed because of a fault in it")

    def _stop_delivery(self) -> None:
        # Where another agent waits, it delivers what is left.
        self._deliverer.stop(0.0 if self._handover.has_agreed else DRAIN)
        self._delivery.join(TICK)

    def _start_heartbeat(self) -> None:
        heartbeat = Heartbeat(self._reporter, self._spool, self._coverage, self._rule_counts)
        self._stats = Task(self._settings.stats_interval, heartbeat.beat)
        # The last record of a run: what follows it, the log's file alone tells.
        self._parts.callback(lambda: self._stats.run(time.monotonic()))
        self._parts.callback(self._events.detach)

    def _compile_rules(self, settings: Settings) -> None:
        found = watches.load(self._config_path.parent)
        self._rules = Rules(found.watches, settings.optimization_rules, self._rules)
        _LOGGER.info(
            "%d watches of %s and %d drop rules",
            len(found.watches),
            found.path,
            len(settings.optimization_rules),
        )
        for complaint in found.complaints:
            _LOGGER.warning("%s", complaint)

    def _rule_counts(self) -> dict[str, int]:
        return dict(self._rules.counts())

    def _start_capture(self, record: Path | None, stand_by: StandBy | None) -> None:
        self._compile_rules(self._settings)
        self._is_recording = record is not None

        def make(name: str) -> Pipeline:
            return Pipeline(
                self._spool,
                source=name,
                agent_id=self._agent_id,
                envelope=self._envelope.members(),
                state_directory=str(self._settings.state_directory),
                rules=self._rules,
                record=str(record) if record else None,
                dns=self._settings.enable_dns_resolutions,
                hash_max_size=self._settings.hashes_max_size * 1_000_000,
                hash_excluded=list(self._settings.hashes_excluded_paths),
                tier=self._settings.capture_tier,
                root=str(support.host_root()),
                channels=[
                    (channel.name, list(channel.event_ids))
                    for channel in self._settings.event_log_channels
                ],
            )

        if stand_by is None:
            chosen = source.open_pipeline(self._settings.capture_source, make)
        else:
            pipeline = Pipeline.take_over(
                stand_by,
                self._spool,
                agent_id=self._agent_id,
                envelope=self._envelope.members(),
                rules=self._rules,
            )
            chosen = source.Chosen(pipeline, source.EBPF)
        self._pipeline = pipeline = chosen.pipeline
        self._source, self._fallback = chosen.source, chosen.reason
        if chosen.reason:
            _LOGGER.warning("the audit system is captured, and not by eBPF: %s", chosen.reason)
        self._parts.callback(self._log_notices)
        self._parts.callback(pipeline.stop)
        pipeline.start()
        if not pipeline.ready(READY):
            _LOGGER.warning("the capture is not ready after %g s", READY)
        in_force = "attached", "replaced"
        missing = [hook for hook, state, _ in self._coverage() if state not in in_force]
        hooks = ", ".join(missing) or "none"
        _LOGGER.info("the capture by %s runs; hooks missing: %s", self._source, hooks)

    def _coverage(self) -> Coverage:
        return self._pipeline.coverage() if self._pipeline else []

    def _failure(self) -> str | None:
        """Which part has ended by itself."""
        if self._pipeline is None or self._pipeline.finished():
            return "the capture has failed"
        return None if self._delivery.is_alive() else "the delivery has failed"

    def _refresh(self) -> None:
        if self._envelope.refresh() and self._pipeline:
            self._pipeline.set_envelope(self._envelope.members())

    def _report_updates(self) -> None:
        state.report(self._settings.state_directory, self._reporter)

    def _log_notices(self) -> None:
        for level, message in self._pipeline.notices() if self._pipeline else []:
            _LOGGER.log(logging.getLevelNamesMapping().get(level.upper(), logging.ERROR), message)
