//! docs/windows.md is made of the tables of Windows.

use endpoint_agent_native::ecs::windows::kinds::{self, LogKind};
use endpoint_agent_native::ecs::windows::moves::{self, Move};

use crate::assert_file;

const BEGIN: &str = "\
<!-- Written by `UPDATE_GOLDEN=1 cargo test --test records`. Do not edit. -->

# Windows

`endpoint-agent replay FILE.evtx` turns a file of the Windows event log into ECS events, on Linux:
one JSON line each, oldest first, on standard output, or with `--config` at an intake. What of the file is
damaged costs itself alone: the rest is told, with an `events-lost` event, and the command ends
with status 1 and says on standard error how much could not be read.

The agent does not run on Windows yet. What is told of a record here is what it will tell there.

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

`user.*` is who did something, not whose rights the log was written with; that is `winlog.user.identifier`.
A value that is empty, `-` or a GUID of zeros is no field. Command lines are split as
`CommandLineToArgvW` does it.

## What happened

A record that is not in this table has no action, category and type.

| provider | event.code | event.action | event.category | event.type | event.outcome |
|---|---|---|---|---|---|
";

const MOVES: &str = "
## Fields

What makes a field of a value: `text` takes it as it is. Rows with numbers of events stand in
place of those without, for these events. A value that is *moved* is not among `action.properties` as
well. `winlog` knows the process that wrote a record; of PowerShell and the DNS client it is the one
the event is about, `process.pid` and `process.thread.id`.

| provider | events | value | field | made by | |
|---|---|---|---|---|---|
";

#[test]
fn the_page_is_current() {
    let page = [BEGIN.into(), kinds(), MOVES.into(), moves()].concat();
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
