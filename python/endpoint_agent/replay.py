"""`endpoint-agent replay`: a recording, or a Windows event log, becomes events.

They go to standard output or to an intake.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from endpoint_agent import _native, identity, log, state_folder, watches
from endpoint_agent.config import DEFAULT_PATH, Settings
from endpoint_agent.deliver import Deliverer, Pace
from endpoint_agent.envelope import Envelope
from endpoint_agent.errors import AgentError, RecordingError

# A recording does not say which agent made it, and standard output belongs to none.
UNKNOWN_AGENT = "0" * 64

# Somebody waits for the end.
PACE = Pace(batch=0.5, first_retry=0.5, last_retry=4.0, slow_retry=2.0)
MAX_FAILURES = 6
TICK = 0.05


def replay(path: Path, settings: Settings | None, config_path: Path = DEFAULT_PATH) -> int:
    """Replays to standard output, or to the intake of the settings; the exit status.

    The watches are those beside the configuration, the drop rules those of the settings.

    Raises:
        RecordingError: the file is no recording, or a part of it cannot be read. The rest is told.
        AgentError: the events cannot be written, or the intake does not take them.
    """
    found = watches.load(config_path.parent)
    for complaint in found.complaints:
        print(f"endpoint-agent: warning: {complaint}", file=sys.stderr)
    rules = _native.Rules(found.watches, settings.optimization_rules if settings else ())
    if settings is None:
        return _print(_events(path, UNKNOWN_AGENT, rules))
    state = settings.state_directory
    state_folder.prepare(state)
    log.start(msgspec.structs.replace(settings, log_file=Path("-")))
    events = _events(path, identity.load(state), rules)
    # A queue of its own: the agent's may be in use, and the recording stays if this one goes.
    with TemporaryDirectory(prefix="replay-", dir=state) as folder:
        return _deliver(events, folder, settings)


def _events(path: Path, agent_id: str, rules: _native.Rules) -> Iterable[bytes]:
    envelope = Envelope(agent_id).members()
    return _native.replay(str(path), agent_id=agent_id, envelope=envelope, rules=rules)


def _print(events: Iterable[bytes]) -> int:
    output = sys.stdout.buffer
    try:
        for event in events:
            output.write(event + b"\n")
        output.flush()
    except OSError as error:
        # Python flushes what is left once more at exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise AgentError(
                f"cannot write to standard output: {error.strerror}; write elsewhere"
            ) from error
        # The reader, such as `head`, has had enough.
    return 0


def _deliver(events: Iterable[bytes], folder: str, settings: Settings) -> int:
    max_bytes = settings.event_buffer_cache_size * 1_000_000
    spool = _native.Spool(folder, max_bytes=max_bytes)
    delivery = _Delivery(spool, settings)
    try:
        count, damage = 0, None
        try:
            for event in events:
                delivery.wait(lambda: spool.counters()["queued_bytes"] <= max_bytes // 4)
                if not spool.append(event):
                    raise AgentError(f"the queue in {folder} takes no more; make room on the disk")
                count += 1
        except RecordingError as error:
            damage = error  # What was before it is delivered first.
        delivery.wait(lambda: spool.counters()["queued"] == 0)
        delivered = spool.counters()["delivered"]
    finally:
        delivery.stop()
        spool.close()
    print(f"{delivered} of {count} events delivered", file=sys.stderr)
    if damage is not None:
        raise damage
    return 0 if delivered == count else 1


class _Delivery:
    """The delivery loop in a thread, given up when the intake keeps refusing."""

    def __init__(self, spool: _native.Spool, settings: Settings) -> None:
        self._deliverer = Deliverer(spool, settings, pace=PACE)
        self._thread = threading.Thread(target=self._deliverer.run, name="deliver", daemon=True)
        self._thread.start()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Waits until the condition holds.

        Raises:
            AgentError: the intake does not take events.
        """
        while not condition():
            state = self._deliverer.state()
            if state.key_refused or state.consecutive_failures >= MAX_FAILURES:
                raise AgentError(
                    f"the intake does not take events: {state.last_error}; "
                    "correct the configuration and replay again"
                )
            if not self._thread.is_alive():
                raise AgentError("the delivery failed because of a fault in it")
            time.sleep(TICK)

    def stop(self) -> None:
        """Ends the loop. What it still holds is given up with the queue."""
        self._deliverer.stop(drain=1.0)
