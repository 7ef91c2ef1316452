//! docs/events.md is made of the catalogue, the field table and the counters.

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::ecs::catalogue::{self, Kind};
use endpoint_agent_native::ecs::fields::{FIELDS, Field, Origin};

use crate::assert_file;

const BEGIN: &str = "\
<!-- Written by `UPDATE_GOLDEN=1 cargo test --test records`. Do not edit. -->

# Events

Every event is one JSON object of at most 250,000 bytes, in UTF-8, in the terms of the
[Elastic Common Schema](https://www.elastic.co/guide/en/ecs/current/index.html) (ECS).

| event.action | event.code | event.category | event.type | what has happened |
|---|---|---|---|---|
";

const FIELDS_BEGIN: &str = "
The agent itself writes some more, and besides the warnings and errors of its log (category `host`, no
action). All but `stats` have one sentence in `event.reason`.

| event.action | event.code | event.category | event.type | what has happened |
|---|---|---|---|---|
| `stats` |  | host | info | A heartbeat, with the counters (kind `metric`). |
| `stopped-service` |  | process | end | A signal has the agent end; `process` and `user` sent it, the agent is `sekoiaio.target_process`. |
| `crashed-program` |  | process | end | The last run of the agent (`process`) did not end by itself: it was killed, or failed. From `event.start` to `event.end` it was alive. |
| `booted-system` |  | host | start | The host was booted since the last run of the agent, which had not ended before where the outcome is `failure`; then it was alive from `event.start` to `event.end`. |
| `changed-configuration` |  | configuration | change | A file of the agent's configuration was changed or removed (type `deletion`), while the agent ran or since its last run. |
| `checked-integrity-of` |  | file | change | The program is not what was installed (kind `alert`): it is compared with its MANIFEST at the start and daily. |
| `changed-system-time` |  | host | change | The clock was set by ten seconds or more, from `event.start` to `event.end`. |
| `update-started` |  | host | start | An update of the agent begins, from one version to another. |
| `updated` |  | host | change | The new version of the agent works, and stays. |
| `update-failed` |  | host | change | An update came to nothing, and why; the version of before runs. |

An event may stand for several equal acts of one process: `sekoiaio.repeat.count` then says how
many, `event.start` and `event.end` when the first and the last of them happened.

The records of one run of the agent (`agent.ephemeral_id`) are numbered by `event.sequence`. A gap
is a record that was lost, and an `events-lost` record says why. That record may be lost as well, as
when the queue is full for long; `stats` records therefore carry counters that only ever grow.

## Fields

A field that is not known is left out. The type of a field that holds a list is that of its members.
Bytes that are no UTF-8 are replaced by U+FFFD. A value that is too long is cut, and
`action.properties.truncated` names its field. *own* fields are the original agent's, or stand where
ECS has none.

`process.args` is whole up to the 32 KiB that the kernel programs take; the command lines, which
every event of a process and of its children has, are cut at 4 KiB, escapes included. A path whose
begin the kernel could not tell, as it was too deep or outside every mount, begins with `…/`.

/proc shows ` (deleted)` behind the path of what has no name any more. The agent takes it off the
paths of the processes that it knows from there, even where a file is really called so.

| field | type | from | meaning |
|---|---|---|---|
";

const COUNTERS_BEGIN: &str = "
## Counters

`stats` events have each of them as `action.properties.COUNTER`.

| counter | what it counts |
|---|---|
";

#[test]
fn the_page_is_current() {
    assert_file("docs/events.md", page().as_bytes());
}

fn page() -> String {
    [
        BEGIN.into(),
        kinds(),
        FIELDS_BEGIN.into(),
        fields(),
        COUNTERS_BEGIN.into(),
        counters(),
    ]
    .concat()
}

fn kinds() -> String {
    let row = |kind: &Kind| {
        let code = kind.code.map(|code| code.to_string()).unwrap_or_default();
        let Kind {
            action,
            category,
            class,
            meaning,
            ..
        } = kind;
        let class = class.replace(' ', ", ");
        format!("| `{action}` | {code} | {category} | {class} | {meaning} |\n")
    };
    catalogue::ALL.iter().map(row).collect()
}

fn fields() -> String {
    let row = |field: &Field| {
        let origin = if field.origin == Origin::Ecs {
            "ECS"
        } else {
            "own"
        };
        let kind = field.kind.name();
        format!(
            "| `{}` | {kind} | {origin} | {} |\n",
            field.name, field.meaning
        )
    };
    FIELDS.iter().map(row).collect()
}

fn counters() -> String {
    let row = |counter: &Counter| format!("| `{}` | {} |\n", counter.name(), counter.doc());
    Counter::ALL.iter().map(row).collect()
}

#[test]
fn the_table_names_each_field_once() {
    for (index, field) in FIELDS.iter().enumerate() {
        assert!(
            FIELDS[..index].iter().all(|other| other.name != field.name),
            "{}",
            field.name
        );
    }
}
