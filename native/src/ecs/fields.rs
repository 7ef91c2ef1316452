//! The one table of all fields that a record may have. Tests check every record against it, and
//! `docs/events.md` is made of it.
//!
//! A list of a type is of that type, as in ECS.

use Type::{Boolean, Date, Float, Ip, Keyword, Long};

/// A field of a record.
#[derive(Debug)]
pub struct Field {
    /// Dotted name. In `action.properties.COUNTER` the last part stands for each counter's name.
    pub name: &'static str,
    /// Type of its value, or of each member of its list.
    pub kind: Type,
    /// ECS defines it; else it is the original agent's or this agent's own.
    pub ecs: bool,
    /// What it says.
    pub meaning: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text.
    Keyword,
    /// A whole number.
    Long,
    /// A number.
    Float,
    /// True or false.
    Boolean,
    /// An address of IPv4 or IPv6, as text.
    Ip,
    /// A time in UTC with milliseconds, as text: `2026-01-19T12:50:54.116Z`.
    Date,
}

impl Type {
    /// The name in ECS.
    pub fn name(self) -> &'static str {
        match self {
            Keyword => "keyword",
            Long => "long",
            Float => "float",
            Boolean => "boolean",
            Ip => "ip",
            Date => "date",
        }
    }
}

/// The field of a dotted name.
pub fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

const fn ecs(name: &'static str, kind: Type, meaning: &'static str) -> Field {
    Field {
        name,
        kind,
        ecs: true,
        meaning,
    }
}

const fn own(name: &'static str, kind: Type, meaning: &'static str) -> Field {
    Field {
        name,
        kind,
        ecs: false,
        meaning,
    }
}

/// The table, in the order of records.
pub const FIELDS: &[Field] = &[
    ecs("@timestamp", Date, "When it happened."),
    ecs(
        "agent.id",
        Keyword,
        "The agent: 64 hexadecimal digits that stay the same.",
    ),
    ecs("agent.version", Keyword, "Version of the agent."),
    ecs("host.hostname", Keyword, "Name of the host."),
    ecs(
        "host.ip",
        Ip,
        "Addresses of the host but loopback ones, at most 32.",
    ),
    ecs("host.os.type", Keyword, "`linux`."),
    ecs(
        "host.os.full",
        Keyword,
        "Distribution and version; in `stats` only.",
    ),
    ecs(
        "host.uptime",
        Long,
        "Seconds since the boot; in `stats` only.",
    ),
    ecs("event.kind", Keyword, "`event`, or `metric` for `stats`."),
    ecs("event.category", Keyword, "ECS category, a list of one."),
    ecs("event.type", Keyword, "ECS type, a list of one."),
    ecs("event.action", Keyword, "Which event; see above."),
    // ECS has a keyword here; the original agent sends a number, which its parser turns into text.
    ecs("event.code", Long, "Sysmon's number of the event."),
    ecs("event.provider", Keyword, "`SEKOIA-IO-Endpoint`."),
    ecs(
        "event.outcome",
        Keyword,
        "`success`: only acts that succeeded are reported.",
    ),
    ecs(
        "event.reason",
        Keyword,
        "One sentence: the line of the agent's log, or what was lost.",
    ),
    ecs(
        "event.sequence",
        Long,
        "Counts the records of one run of the agent: 1, 2, … without gap.",
    ),
    ecs(
        "event.start",
        Date,
        "First occurrence, where the event stands for several.",
    ),
    ecs(
        "event.end",
        Date,
        "Last occurrence, where the event stands for several.",
    ),
    ecs(
        "process.pid",
        Long,
        "Process id in the initial PID namespace.",
    ),
    ecs(
        "process.name",
        Keyword,
        "File name of the executable; else what the process calls itself.",
    ),
    ecs("process.executable", Keyword, "Path of the executed file."),
    ecs(
        "process.command_line",
        Keyword,
        "Arguments joined by spaces, of exec 32 KiB, else 4 KiB.",
    ),
    ecs(
        "process.working_directory",
        Keyword,
        "Working directory at the start of the program.",
    ),
    ecs("process.parent.pid", Long, "Process id of the parent."),
    ecs("process.parent.name", Keyword, "As of the process."),
    ecs(
        "process.parent.executable",
        Keyword,
        "What the parent ran at the exec or fork.",
    ),
    ecs(
        "process.parent.command_line",
        Keyword,
        "Its arguments, 4 KiB of them.",
    ),
    ecs(
        "process.thread.id",
        Long,
        "Thread that acted, if it is not the first of its process.",
    ),
    ecs(
        "process.args",
        Keyword,
        "Arguments, empty ones included; of exec only.",
    ),
    ecs(
        "process.args_count",
        Long,
        "How many arguments there were, cut ones included.",
    ),
    ecs(
        "process.exit_code",
        Long,
        "Exit code, or 128 and the signal's number; of exit only.",
    ),
    own(
        "sekoiaio.process.guid",
        Keyword,
        "UUID of the process, unique among all hosts and boots.",
    ),
    own(
        "sekoiaio.process.parent_guid",
        Keyword,
        "UUID of the parent.",
    ),
    own(
        "sekoiaio.repeat.count",
        Long,
        "Occurrences that the event stands for, if several.",
    ),
    own(
        "sekoiaio.agent.cpu_usage",
        Float,
        "Of the agent, in percent of one core.",
    ),
    own(
        "sekoiaio.agent.memory_usage",
        Long,
        "Resident memory of the agent in bytes.",
    ),
    own(
        "sekoiaio.agent.uptime",
        Long,
        "Seconds since the start of the agent.",
    ),
    own(
        "sekoiaio.host.cpu_usage",
        Float,
        "Of all processes, in percent of all cores.",
    ),
    own(
        "sekoiaio.host.memory_total",
        Long,
        "Memory of the host in bytes.",
    ),
    own(
        "sekoiaio.host.memory_available",
        Long,
        "Memory of the host that is free in bytes.",
    ),
    own(
        "sekoiaio.host.memory_usage",
        Float,
        "Memory of the host in use, in percent.",
    ),
    own("sekoiaio.host.uptime", Long, "Seconds since the boot."),
    ecs("user.id", Keyword, "Real user id, `unset` for 4294967295."),
    ecs("user.name", Keyword, "Its name in /etc/passwd."),
    ecs("user.group.id", Keyword, "Real group id."),
    ecs("user.group.name", Keyword, "Its name in /etc/group."),
    ecs(
        "user.effective.id",
        Keyword,
        "Effective user id, if it or the group differs from the real.",
    ),
    ecs("user.effective.name", Keyword, "Its name."),
    ecs(
        "user.effective.group.id",
        Keyword,
        "Effective group id, if it or the user differs.",
    ),
    ecs("user.effective.group.name", Keyword, "Its name."),
    ecs(
        "file.path",
        Keyword,
        "Absolute path; of a rename, the new one.",
    ),
    ecs("file.name", Keyword, "Last part of the path."),
    ecs("file.directory", Keyword, "The path without its last part."),
    ecs(
        "file.extension",
        Keyword,
        "What follows the last dot of the name.",
    ),
    ecs("file.inode", Keyword, "Inode number."),
    ecs(
        "file.device",
        Keyword,
        "Major and minor number of the device, hexadecimal: `08:01`.",
    ),
    ecs("file.mode", Keyword, "Permission bits, octal: `0644`."),
    ecs("file.uid", Keyword, "Owner's id."),
    ecs("file.gid", Keyword, "Group's id."),
    ecs("file.owner", Keyword, "Owner's name."),
    ecs("file.group", Keyword, "Group's name."),
    ecs("file.size", Long, "Bytes at the moment of the event."),
    ecs(
        "file.type",
        Keyword,
        "`file`, `dir` or `symlink`, where it is known.",
    ),
    ecs(
        "source.address",
        Keyword,
        "The end that opened the connection.",
    ),
    ecs("source.ip", Ip, "The same."),
    ecs("source.port", Long, "Its port."),
    ecs(
        "destination.address",
        Keyword,
        "The end that accepted the connection.",
    ),
    ecs("destination.ip", Ip, "The same."),
    ecs("destination.port", Long, "Its port."),
    ecs(
        "network.direction",
        Keyword,
        "`egress`: the process connected; `ingress`: it accepted.",
    ),
    ecs("network.transport", Keyword, "`tcp`."),
    ecs(
        "network.type",
        Keyword,
        "`ipv4` or `ipv6`; IPv4 in IPv6's notation is `ipv4`.",
    ),
    ecs("related.hosts", Keyword, "Name of the host."),
    ecs(
        "related.user",
        Keyword,
        "Names of the real and the effective user.",
    ),
    ecs("related.ip", Ip, "Addresses of the connection."),
    ecs(
        "log.level",
        Keyword,
        "Level of the line of the agent's log.",
    ),
    ecs("log.logger", Keyword, "`SEKOIA-IO-Endpoint`."),
    ecs(
        "error.message",
        Keyword,
        "The error behind a line of the agent's log.",
    ),
    own(
        "action.properties.old_path",
        Keyword,
        "Path before a rename.",
    ),
    own(
        "action.properties.signal",
        Long,
        "Signal that ended the process.",
    ),
    own(
        "action.properties.process_inferred",
        Boolean,
        "The agent missed the start of the process and read from /proc what it runs.",
    ),
    own(
        "action.properties.truncated",
        Keyword,
        "Names of the fields whose value is cut.",
    ),
    own("action.properties.count", Long, "How many were lost."),
    own(
        "action.properties.what",
        Keyword,
        "Of what: `exec`, `open`, …, or `record`.",
    ),
    own("action.properties.cause", Keyword, "Why they were lost."),
    own(
        "action.properties.place",
        Keyword,
        "Where on the way of an event they were lost.",
    ),
    own(
        "action.properties.queued",
        Long,
        "Records in the queue; in `stats` only.",
    ),
    own(
        "action.properties.queued_bytes",
        Long,
        "Bytes of the queue; in `stats` only.",
    ),
    own(
        "action.properties.not_covered",
        Keyword,
        "Hooks that are not in place, and why; in `stats` only.",
    ),
    own(
        "action.properties.COUNTER",
        Long,
        "A counter of the agent; see below; in `stats` only.",
    ),
];
