//! docs/windows.md is made of the tables of Windows.

use endpoint_agent_native::capture::etw::classes::{CLASSES, Class, Other};
use endpoint_agent_native::capture::etw::template::Provider;
use endpoint_agent_native::capture::etw::templates;
use endpoint_agent_native::ecs::windows::kinds::{self, LogKind};
use endpoint_agent_native::ecs::windows::moves::{self, Move};
use endpoint_agent_native::ecs::windows::traces::{self, TraceKind};

use crate::assert_file;

const BEGIN: &str = "\
<!-- Written by `UPDATE_GOLDEN=1 cargo test --test records`. Do not edit. -->

# Windows

`endpoint-agent replay FILE.evtx` turns a file of the Windows event log into ECS events, on Linux:
one JSON line each, oldest first, on standard output, or with `--config` at an intake. What of the file is
damaged costs itself alone: the rest is told, with an `events-lost` event, and the command ends
with status 1 and says on standard error how much could not be read.

On Windows, `agent.exe` does that without being installed, and installs a service: [install.md](install.md#on-windows).

A recording of events of Windows' event tracing (ETW) is replayed likewise; what is in one is in
`native/src/capture/etw/recording.rs`. `run --record FILE` makes one on Windows, of what event tracing tells.

So is a file of event tracing, `endpoint-agent replay FILE.etl`, as Windows' sessions write them: the
events of these providers, and of the kernel's logger those of processes and the names of files. All
others of the file are counted, in an `events-lost` event, as of unknown layout, and so are buffers that
are compressed. A file knows neither its host's name nor its drives and accounts.

`run` reads live event tracing (`capture/etw/live.rs`) beside the event log, unless `CaptureSource` is
`eventlog`. It was run under Wine against a mock of Windows' functions alone; what Wine itself has of it refuses
every session, as `check` and `status` then tell. It has sessions of its own, named `EndpointAgent-…`, and stops
those of the same names that it finds: processes with the classic logger's command lines, files, keys,
connections, and what DNS, PowerShell, WMI and AMSI say. Where Sysmon's channel is read and its service
runs, or a channel that tells the same, those events are not told twice (`capture/etw/plan.rs`).

The start of a process that event tracing tells has the MD5, SHA-1 and SHA-256 of its program, as `HashesMaxSize`
and `HashesExcludedPaths` say (`host/content/windows.rs`): the file is opened by its path so that nobody is kept
from writing, renaming or deleting it, and has no hash if it was changed since the process was created. What
that cannot see is in [limitations.md](limitations.md#windows).

`process.code_signature` is what Windows says of the same file (`host/content/windows/verify.rs`): of the signature
in it, or else of a catalog of the host that has its digest. It is asked once for each version of a file, on the
thread that reads them, never over the network, and with no revocations; where it takes longer than the event
waits, the event has the hashes alone. `status` is `Valid`, or Windows' name of what is wrong.

## The live event log

`endpoint-agent run` reads on Windows the channels of `EventLogChannels`. It was run in Windows' own Python
under Wine, against a mock of Windows' library of the event log; **on Windows itself it never ran**. What is
told of a record below is what it tells there.

```yaml
EventLogChannels:
  - System
  - channel: Security
    event_ids: [4624, 4625, 4720-4767]
```

Without the setting all events are read of these: `Security`, `System`, `Windows PowerShell`,
`ForwardedEvents`, `PowerShellCore/Operational`, `Microsoft-Windows-Sysmon/Operational`,
`Microsoft-Windows-PowerShell/Operational`, `Microsoft-Windows-Windows Defender/Operational`,
`Microsoft-Windows-WMI-Activity/Operational`, `Microsoft-Windows-NTLM/Operational`,
`Microsoft-Windows-TaskScheduler/Operational`, `Microsoft-Windows-AppLocker/EXE and DLL`,
`Microsoft-Windows-AppLocker/MSI and Script`, `Microsoft-Windows-AppLocker/Packaged app-Deployment`,
`Microsoft-Windows-AppLocker/Packaged app-Execution`,
`Microsoft-Windows-Windows Firewall With Advanced Security/Firewall`. The first time a channel is read from
its oldest record on.

A channel that the host does not have, or that this user may not read, is told in `status`, in every heartbeat
(`not_covered`) and by `check`, and is tried again, first after a second and at last every minute. So is
one whose service was stopped: it goes on after the last record that was read.

How far each channel was read is kept in `bookmarks` in the state folder, and saved once the queue has all up to
there on the disk itself. So after a kill or a power cut some records may come twice, and none is left out. What
the queue could not write is counted as lost, and read again a second later. While the queue is more than half
full, the channels wait. What a channel has overwritten meanwhile is told by an `events-lost` event, and how much
that was where all events of the channel are read.

`status` asks by a port of the host itself (127.0.0.1), which answers who says what stands in `agent.port` in the
state folder: Windows' Python has no Unix sockets, and a named pipe would need code of its own to be closed to
others. That folder, if the agent has made it, is for the system, administrators and its owner alone.

## Every record

| field | of the record |
|---|---|
| `@timestamp` | Its time, to 100 ns. |
| `host.hostname` | The name of its computer, up to the first dot. `host` says no more: nothing else is known of that host. |
| `event.code`, `action.id` | The number of the event. |
| `event.provider` | Its provider. |
| `event.outcome` | `success` or `failure` as its keywords say; else what the table below says. |
| `winlog.*` | Its channel, number, version, level, task, opcode, process, thread, user and activities. |
| `action.properties.NAME` | Each value of its `EventData` or `UserData` as text, `-` and empty ones too. A value without a name is `param1`, `param2`, …; of a name that occurs twice it is a list. |
| `action.properties.Keywords`, `ProviderGuid`, `Severity`, `SourceName`, `EventType` | The same of its head, as the original agent calls it, unless a value has that name. |

Live, and beside event tracing, a process that the record names by its number has `sekoiaio.process.guid`, its
program, its parent and `sekoiaio.process.parent_guid` as event tracing would tell them, as far as the record says
nothing else and it is sure which process had that number (`capture/etw/whose.rs`). Another that something is
done to has `sekoiaio.target_process.guid` likewise. For that a record is told two seconds after it was written,
until when event tracing has told of short processes, too.

`user.*` is who did something, not whose rights the log was written with; that is `winlog.user.identifier`.
A value that is empty, `-` or a GUID of zeros is no field. Command lines are split as
`CommandLineToArgvW` does it.

## What happened

A record that is not in this table has no action, category and type.

| provider | event.code | event.action | event.category | event.type | event.outcome |
|---|---|---|---|---|---|
";

const TRACES: &str = "
## Event tracing

Events of these providers and versions are read, each by its layout (`native/src/capture/etw/providers.txt`).
One of another version is counted, and told as lost: nobody knows how it is laid out. Live, Windows is asked
(`TdhGetEventInformation`), once for each version.

| provider | events and versions |
|---|---|
";

const ASKED: &str = "
## What is asked for

Live, each row is asked of its provider by these keywords, and nothing else of it comes. Where another
tells the same, as Sysmon's service with its channel, or a channel that is read, it is left out; processes
are asked for nonetheless, as others need them, and not told.

| of | provider | keywords | events | told by others as well |
|---|---|---|---|---|
";

const TRACE_KINDS: &str = "
What happened has the words of the original agent, `event.provider` `SEKOIA-IO-Endpoint`, and Sysmon's number
as `event.code`; `action.id` is the provider's. An event that is not here is told as the same
provider's record of the event log; those that only say what others mean (names of files, keys that
are opened, processes that were there) are not told.

* The start of a process is told by the kernel's provider, which knows its file, and by the classic
  logger, which knows its command line and user. One event tells both; where one of them does not
  come within a second, what the other says.
* The guid of a process is made of its number and of when it was created, as Windows itself counts that, so it is
  the same after a restart of the agent. Only the kernel's provider says when that was: of a process that the
  classic logger alone tells there is none. A start also tells up to five ancestors.
* `process.*` is the process that did it, with its parent, its user and the guid of both, as far as events
  before have told them; of a connection the one that the event names. A thread is remote if another
  process made it, but for the first one of a process, which its parent makes.
* A path is that of a drive where the recording says which device is which; a SID has its account likewise.
* A key is known by the events that opened it. Where those were missed, `registry.path` is missing.
* `source` and `destination` are what the provider calls so, of accepted connections as well.

| provider | number | event.code | event.action | event.category | event.type | event.outcome |
|---|---|---|---|---|---|---|
";

const MOVES: &str = "
## Fields

What makes a field of a value: `text` takes it as it is. Rows with numbers of events stand in
place of those without, for these events. A value that is *moved* is not among `action.properties` as
well. `winlog` knows the process that wrote a record; of PowerShell and the DNS client it is the one
the event is about, `process.pid` and `process.thread.id`. Rows of `*` are of what the agent knows of
an event of event tracing besides.

| provider | events | value | field | made by | |
|---|---|---|---|---|---|
";

#[test]
fn the_page_is_current() {
    let page = [
        BEGIN.into(),
        kinds(),
        TRACES.into(),
        providers(),
        TRACE_KINDS.into(),
        traces(),
        ASKED.into(),
        asked(),
        MOVES.into(),
        moves(),
    ]
    .concat();
    assert_file("docs/windows.md", page.as_bytes());
}

fn kinds() -> String {
    let row = |kind: &LogKind| {
        let LogKind {
            provider,
            id,
            action,
            category,
            class,
            outcome,
            ..
        } = kind;
        let (category, class) = (category.replace(' ', ", "), class.replace(' ', ", "));
        let alert = if kind.is_alert { " (alert)" } else { "" };
        let outcome = outcome.name().unwrap_or_default();
        format!("| {provider} | {id}{alert} | `{action}` | {category} | {class} | {outcome} |\n")
    };
    kinds::ALL.iter().map(row).collect()
}

fn providers() -> String {
    let row = |provider: &&Provider| {
        let events: Vec<_> = provider
            .templates
            .chunk_by(|one, other| one.id == other.id)
            .map(|same| {
                let versions: Vec<_> = same.iter().map(|it| it.version.to_string()).collect();
                format!("{} ({})", same[0].id, versions.join(" "))
            })
            .collect();
        format!("| {} | {} |\n", provider.name, events.join(", "))
    };
    templates::ALL.iter().map(row).collect()
}

fn traces() -> String {
    let row = |kind: &TraceKind| {
        let TraceKind {
            provider,
            id,
            action,
            category,
            class,
            outcome,
            ..
        } = kind;
        let code = kind.code.map(|code| code.to_string()).unwrap_or_default();
        let (category, class) = (category.replace(' ', ", "), class.replace(' ', ", "));
        let outcome = outcome.name().unwrap_or_default();
        format!("| {provider} | {id} | {code} | `{action}` | {category} | {class} | {outcome} |\n")
    };
    traces::ALL.iter().map(row).collect()
}

fn asked() -> String {
    let row = |class: &Class| {
        let others = class.others.iter().map(|other| match other {
            Other::Sysmon => "Sysmon",
            Other::Channel(name) => name,
        });
        let others: Vec<_> = others.collect();
        let ids: Vec<_> = class.told.iter().map(u16::to_string).collect();
        let (what, provider) = (class.what, class.provider.name);
        let (keywords, ids) = (class.keywords.join(", "), ids.join(" "));
        let others = others.join(", ");
        format!("| {what} | {provider} | {keywords} | {ids} | {others} |\n")
    };
    CLASSES.iter().map(row).collect()
}

fn moves() -> String {
    let row = |row: &Move| {
        let Move {
            provider,
            from,
            to,
            how,
            ..
        } = row;
        let ids: Vec<_> = row.ids.iter().map(u32::to_string).collect();
        let when = row
            .when
            .map(|(name, value)| format!(" if {name} is {value}"))
            .unwrap_or_default();
        let moved = if row.is_taken { "moved" } else { "" };
        let how = how.name;
        format!(
            "| {provider} | {}{when} | {from} | `{to}` | {how} | {moved} |\n",
            ids.join(" ")
        )
    };
    moves::ALL.iter().map(row).collect()
}
