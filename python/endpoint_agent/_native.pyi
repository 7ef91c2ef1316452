"""The typed boundary to the Rust core: everything Python may call there."""

import sys
from collections.abc import Sequence
from typing import Literal, Self, final

from endpoint_agent.rules import Rule
from endpoint_agent.watches import Watch

__all__ = [
    "Batch",
    "Pipeline",
    "Replay",
    "Rules",
    "Spool",
    "StandBy",
    "__version__",
    "counter_names",
    "event_actions",
    "event_details",
    "event_syscalls",
    "exchange",
    "last_sender",
    "note_sender",
    "replay",
    "rule_fields",
    "sync_file_system",
]

__version__: str

def counter_names() -> list[tuple[str, str]]:
    """Every counter as (name, what it counts), in the order of reports."""

def event_actions() -> list[str]:
    """Every `event.action` of what a process does."""

def event_details() -> list[str]:
    """Every request of ptrace(2), and every `file.type` of a node and `network.type`."""

def event_syscalls() -> list[str]:
    """Every `action.properties.syscall` of what is no act on files, mounts or sockets."""

def exchange(one: bytes, other: bytes) -> int:
    """Has two paths change places at once: renameat2(2). 0, or the number of the error."""

def sync_file_system(descriptor: int) -> int:
    """Has all of the file system of an open file on the disk: syncfs(2).

    0, or the number of the error.
    """

if sys.platform == "win32":
    def private_folder(path: str) -> None:
        """Makes a folder and those above it where they are missing, for the system, administrators
        and its owner alone.

        Raises:
            OSError: it cannot be made.
        """

def note_sender(number: int) -> None:
    """Has the senders of a signal noted from now on, before the handler it has by now is run.

    Raises:
        OSError: it has no handler, or is no signal.
    """

def last_sender(number: int) -> tuple[int, int] | None:
    """The process id, 0 outside this PID namespace, and the user id that sent a signal last.

    None where it has not come since `note_sender`, or came of the kernel, as by a terminal.
    """

def rule_fields() -> list[tuple[str, str]]:
    """Every field that a rule may name, as (dotted name, ECS type)."""

@final
class Rules:
    """Watches and drop rules, compiled. Immutable but for the counts."""

    def __new__(
        cls,
        watches: Sequence[Watch] = ...,
        drops: Sequence[Rule] = ...,
        before: Rules | None = None,
    ) -> Self:
        """Compiles what `watches` and `rules` have checked.

        Args:
            before: rules whose counts go on where the uuid is the same.
        """
    def counts(self) -> list[tuple[str, int]]:
        """(uuid, occurrences dropped) of every drop rule, in their order."""

@final
class Batch:
    """Consecutive records of the queue, ready to be sent. Immutable."""

    @property
    def id(self) -> str:
        """UUID of exactly these records: the same after a restart of the agent."""
    @property
    def count(self) -> int:
        """How many records, at least 1."""
    @property
    def body(self) -> bytes:
        """The records, one JSON object a line (LF), gzip-compressed."""
    @property
    def size(self) -> int:
        """Bytes of the body before compression."""

@final
class Spool:
    """The durable queue. Every method may be called from any thread and releases the GIL."""

    def __new__(
        cls,
        directory: str,
        *,
        max_bytes: int = 100_000_000,
        sync_interval: float = 1.0,
    ) -> Self:
        """Opens or creates the queue, repairs it, and takes its lock.

        Args:
            directory: created with mode 0700 when missing.
            max_bytes: size of all its segments; beyond it the oldest records are evicted.
            sync_interval: seconds between two fsyncs; 0 syncs with every write.

        Raises:
            SpoolError: it cannot be opened, or another process holds it.
        """

    def next_sequence(self) -> int:
        """A number for the `event.sequence` of the next record: 1, 2, … in a run of the agent."""
    def append(self, record: bytes) -> bool:
        """Queues one record the agent wrote about itself: one JSON object without line feed.

        False when it could not be kept; it is then counted as lost.

        Raises:
            ValueError: the record is empty, holds a line feed, or is longer than 250,000 bytes,
                which an intake drops.
        """
    def next_batch(
        self,
        timeout: float,
        *,
        enough: int = 250,
        max_records: int = 1000,
        max_wait: float = 5.0,
        max_bytes: int = 10_485_760,
    ) -> Batch | None:
        """The oldest records not yet acknowledged, the same ones until `ack` or `reject`.

        Waits up to `timeout` seconds for a first record, then up to `max_wait` seconds from the
        time that record was queued for `enough` of them; where more stand in the queue, it takes
        up to `max_records`. None if there was no record, or
        when `wake` was called before a first record came.
        """
    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """Halves of a batch of two records or more, oldest first. Ack or reject them in order.

        Raises:
            ValueError: the batch holds one record, or is not at the queue's head.
        """
    def ack(self, batch: Batch) -> None:
        """The intake has the batch: the cursor moves behind it.

        Raises:
            ValueError: the batch is not at the queue's head.
        """
    def reject(self, batch: Batch) -> None:
        """The intake refused the batch for good: it goes to `quarantine.ndjson` in the queue's
        folder (at most 10 MB, beyond which only the count is kept) and the cursor moves on.

        Raises:
            ValueError: the batch is not at the queue's head.
        """
    def wake(self) -> None:
        """Ends the wait of a `next_batch` at once, of the next one when none waits: it returns
        what there is."""
    def counters(self) -> dict[str, int]:
        """Every counter by name, `queued` (records), and `queued_bytes` (of all segments)."""
    def close(self) -> None:
        """Writes, syncs and unlocks. Appends, batches and what is done with them raise SpoolError
        after this."""

@final
class Pipeline:
    """Source, enrichment, filter, ECS and queue, on one native thread."""

    def __new__(
        cls,
        spool: Spool,
        *,
        source: str,
        agent_id: str,
        envelope: bytes,
        state_directory: str,
        rules: Rules | None = None,
        record: str | None = None,
        root: str = "/",
        mute: bool = True,
        logins: bool = True,
        dns: bool = True,
        hash_max_size: int = 0,
        hash_excluded: list[str] = ...,
        tier: Literal["auto", "kprobe", "tracepoint"] = "auto",
        channels: list[tuple[str, list[tuple[int, int]]]] = ...,
    ) -> Self:
        """Prepares a source; nothing runs yet.

        Args:
            source: `ebpf`, `audit`, on Windows `windows` (the event log and event tracing) or
                `eventlog`, or `replay:PATH` for a recording or a file of the Windows event log.
            agent_id: 64 hex digits.
            envelope: JSON members common to all events, without the outer braces:
                `"agent":{…},"host":{…}`.
            rules: what is tagged and what is dropped; nothing by default.
            record: path of a new file that receives the raw kernel records, with `ebpf` or `audit`.
            root: where /proc and /etc are found.
            mute: leave out what this process and its descendants do.
            logins: with `ebpf`, read logins and changes of accounts from the audit system as
                well, which is turned on for that while it runs if it is off.
            dns: report questions and answers of DNS.
            hash_max_size: bytes of the largest executed or written file that is hashed; 0 for none.
            hash_excluded: files, and folders with all below them, that are not hashed.
            tier: with `ebpf`, the best tier of programs that is tried.
            channels: on Windows, names of channels of the event log, and the numbers of events
                that are read of each, from and to; all where there are none.
            state_directory: where it is kept how far each channel was read.

        Raises:
            UnsupportedError: the kernel lacks what the source needs.
            NotPermittedError: the process lacks a capability.
            RecordingError: the file to replay or record cannot be used.
        """

    @staticmethod
    def take_over(
        stand_by: StandBy,
        spool: Spool,
        *,
        agent_id: str,
        envelope: bytes,
        rules: Rules | None = None,
    ) -> Pipeline:
        """The same of a capture that has waited, which cannot be used any more. The agent before
        has ended, or is about to.

        Raises:
            UnsupportedError: the capture has failed meanwhile.
            ValueError: another pipeline has taken it over.
        """
    def start(self) -> None:
        """Starts the thread and, for a live source, fills the process table from /proc."""
    def ready(self, timeout: float) -> bool:
        """Waits until the source captures."""
    def finished(self) -> bool:
        """The source has ended (a replay) or the thread has failed (see `notices`)."""
    def set_envelope(self, envelope: bytes) -> None:
        """Changes the members common to all events from now on."""
    def set_rules(self, rules: Rules) -> None:
        """Changes what is tagged and what is dropped, within a second."""
    def tell_until(self, cut: tuple[int, int] | None) -> bool:
        """Ends at a moment, in ns since boot and since the epoch, what is told, if that is still to
        come; whether it is. None takes that back.

        Raises:
            UnsupportedError: the source is another than `ebpf`.
        """
    def coverage(self) -> list[tuple[str, str, str]]:
        """(hook, state, reason) of every hook: state is `attached`, `missing` or `failed`.

        A tier of programs that others stand in for is `replaced`.
        """
    def notices(self) -> list[tuple[str, str]]:
        """(level, message) lines for the log since the last call: `warning`, `error`."""
    def stop(self) -> None:
        """Detaches the source, drains what it holds, and joins the thread.

        After the moment of `tell_until` it does not wait for the source to be detached.
        """

@final
class StandBy:
    """A capture by eBPF that is in place and tells nothing until another agent has handed over."""

    def __new__(
        cls,
        *,
        before: int,
        root: str = "/",
        dns: bool = True,
        hash_max_size: int = 0,
        hash_excluded: list[str] = ...,
        tier: Literal["auto", "kprobe", "tracepoint"] = "auto",
    ) -> Self:
        """Attaches it.

        Args:
            before: the process of the other agent, of which nothing is told, nor of this one.

        The others are those of `Pipeline`, as are the errors.
        """
    def tell_from(self, boot: int, wall: int) -> bool:
        """Has it tell, into memory, what happens from a moment on, in ns since boot and since the
        epoch; whether that is still to come. A later moment replaces one that was not.

        Raises:
            UnsupportedError: the capture has failed.
            ValueError: a pipeline has taken it over.
        """

def replay(
    path: str,
    *,
    agent_id: str,
    envelope: bytes,
    rules: Rules | None = None,
    root: str = "/",
) -> Replay:
    """Opens a recording, or a file of the Windows event log, as an iterator over ECS events.

    Which it is, its first bytes say.
    """

@final
class Replay:
    """ECS events of a file: one JSON object, as bytes, at a time.

    What of the file cannot be read is told at the end, as a RecordingError.
    """

    def __iter__(self) -> Replay: ...
    def __next__(self) -> bytes: ...

if sys.platform == "win32":
    @final
    class Service:
        """The service of Windows that this process is."""

        @staticmethod
        def begin(name: str) -> Service:
            """Connects to the service manager, which has started this process: it starts.

            Raises:
                OSError: the manager has not started it.
            """

        def running(self) -> None:
            """Says that it does its work."""

        def wait(self, timeout: float) -> bool:
            """Waits, at most so many seconds, until the manager or the host's end asks for its own.

            Whether they have. Any thread may wait.
            """

        def end(self, exit: int) -> None:
            """Says that it has ended, by an error where that is not 0. The last call: the manager
            may end this process then."""

    def service_install(
        name: str, title: str, description: str, program: str, arguments: Sequence[str]
    ) -> list[str]:
        """Makes a service that starts with the host and again when it fails, or changes that of the
        name; what of it this host's manager does not know.

        Raises:
            OSError: it cannot be made.
        """

    def service_known(name: str) -> tuple[str, bool, list[float] | None, bool] | None:
        """A service as the manager has it: the command line, whether it starts with the host, the
        seconds before each restart, if the manager tells, and whether an end by an error is a
        failure, too."""

    def service_status(name: str) -> tuple[str, int | None, int] | None:
        """`stopped`, `starting`, `running`, `stopping` or `paused`, the process, and the error that
        it has ended by; None where there is no such service."""

    def service_start(name: str) -> None:
        """Has a service started, if it does not run. It may be starting still then."""

    def service_stop(name: str, timeout: float) -> None:
        """Stops a service if it runs, and waits at most so many seconds until it has ended.

        Raises:
            OSError: it does not.
        """

    def service_delete(name: str) -> None:
        """Takes a service out of the books, if it is in them."""

    def make_private(path: str) -> None:
        """Lets the system and administrators alone open a file, or a folder and what lies in it."""

    def access_of(path: str) -> str:
        """Who may open a file or a folder, as SDDL."""

    def host_folders() -> tuple[str, str]:
        """`Program Files` and the system's folder."""

    def is_administrator() -> bool:
        """Whether this process has an administrator's rights, and not only the name."""
