//! The one table of all fields that a record may have. Tests check every record against it, and
//! `docs/events.md` is made of it.
//!
//! A list of a type is of that type, as in ECS.

use Type::{Boolean, Date, Float, Ip, Keyword, Long};

/// A field of a record.
#[derive(Debug)]
pub struct Field {
    /// Dotted name. In `action.properties.COUNTER` the last part stands for each counter's name, in
    /// `action.properties.filtered_by.UUID` for a rule's uuid.
    pub name: &'static str,
    /// Type of its value, or of each member of its list.
    pub kind: Type,
    /// Who defines it.
    pub origin: Origin,
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
    /// A time in UTC with milliseconds, as text: `2026-01-19T12:50:54.116Z`; of an event log with up
    /// to seven digits of a second.
    Date,
}

/// Who defines a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The Elastic Common Schema.
    Ecs,
    /// The original agent, or this one where neither has a field.
    Own,
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

macro_rules! fields {
    ($($name:literal $kind:ident $origin:ident $meaning:literal)+) => {
        /// The table, in the order of records.
        pub const FIELDS: &[Field] = &[$(
            Field { name: $name, kind: $kind, origin: Origin::$origin, meaning: $meaning },
        )+];
    };
}

fields! {
    "@timestamp" Date Ecs "When it happened."
    "agent.id" Keyword Ecs "The agent: 64 hexadecimal digits that stay the same."
    "agent.ephemeral_id" Keyword Ecs
        "A random id of this run of the agent; with `event.sequence` it proves completeness."
    "agent.version" Keyword Ecs "Version of the agent."
    "host.hostname" Keyword Ecs "Name of the host."
    "host.ip" Ip Ecs "Addresses of the host but loopback ones, at most 32."
    "host.os.type" Keyword Ecs "`linux`, or `windows` of the event log."
    "host.os.full" Keyword Ecs "Distribution and version; in `stats` only."
    "host.uptime" Long Ecs "Seconds since the boot; in `stats` only."
    "event.kind" Keyword Ecs "`event`, `metric` of `stats`, or `alert` of `checked-integrity-of`."
    "event.category" Keyword Ecs "ECS categories, a list."
    "event.type" Keyword Ecs "ECS types, a list."
    "event.action" Keyword Ecs "Which event; see above."
    // ECS has a keyword here; the original agent sends a number, which its parser turns into text.
    "event.code" Long Ecs "Sysmon's number of the event; of the event log, its provider's."
    "event.provider" Keyword Ecs "`SEKOIA-IO-Endpoint`; of the event log, its provider."
    "event.outcome" Keyword Ecs "`success`, `failure` of what was tried and refused, or `unknown` where io_uring never answered, or the audit source has seen a connection that nobody waited for."
    "event.reason" Keyword Ecs "One sentence: the line of the agent's log, what was lost, or what was done to the agent."
    "event.sequence" Long Ecs
        "Counts the records of one run of the agent: 1, 2, …; a gap is a record that was lost."
    "event.start" Date Ecs "First occurrence, where the event stands for several; see above of the agent's own."
    "event.end" Date Ecs "Last occurrence; the same."
    "event.duration" Long Ecs "Nanoseconds a connection lasted; of its end only."
    "process.pid" Long Ecs "Process id in the initial PID namespace."
    "process.name" Keyword Ecs "File name of the executable; else what the process calls itself."
    "process.executable" Keyword Ecs "Path of the executed file."
    "process.command_line" Keyword Ecs "Arguments joined by spaces, 4 KiB at most."
    "process.working_directory" Keyword Ecs "Working directory at the start of the program."
    "process.entity_id" Keyword Ecs "GUID of the process that Sysmon gives it."
    "process.parent.pid" Long Ecs "Process id of the parent."
    "process.parent.name" Keyword Ecs "As of the process."
    "process.parent.executable" Keyword Ecs "What the parent ran at the exec or fork."
    "process.parent.command_line" Keyword Ecs "As of the process."
    "process.parent.entity_id" Keyword Ecs "As of the process."
    "process.parent.args" Keyword Ecs "Arguments of the parent; of the event log."
    "process.parent.args_count" Long Ecs "How many there are."
    "process.thread.id" Long Ecs "Thread that acted, if it is not the first of its process."
    "process.args" Keyword Ecs "Arguments, empty ones included, 32 KiB of them; of exec only."
    "process.args_count" Long Ecs "How many arguments there were, cut ones included."
    "process.hash.md5" Keyword Ecs "Of the executed file; of exec only, and of the start of a process on Windows."
    "process.hash.sha1" Keyword Ecs "The same."
    "process.hash.sha256" Keyword Ecs "The same."
    "process.code_signature.exists" Boolean Ecs
        "The executed file is signed, by itself or by a catalog; of the start of a process on Windows, as what follows."
    "process.code_signature.status" Keyword Ecs
        "`Valid`, or what Windows calls that which is wrong with it: `CERT_E_UNTRUSTEDROOT`, …"
    "process.code_signature.subject_name" Keyword Ecs "Who signed it."
    "process.code_signature.trusted" Boolean Ecs "The host trusts who signed it; revocations are not asked for."
    "process.code_signature.valid" Boolean Ecs "It is a signature of this very content."
    "process.pe.company" Keyword Ecs "What the executed file says of itself; of the event log, as what follows."
    "process.pe.description" Keyword Ecs "The same."
    "process.pe.file_version" Keyword Ecs "The same."
    "process.pe.imphash" Keyword Ecs "Digest of the functions that it imports."
    "process.pe.original_file_name" Keyword Ecs "The same."
    "process.pe.product" Keyword Ecs "The same."
    "process.exit_code" Long Ecs "Exit code, or 128 and the signal's number; of exit only."
    "sekoiaio.process.guid" Keyword Own "UUID of the process, unique among all hosts and boots."
    "sekoiaio.process.parent_guid" Keyword Own "UUID of the parent."
    "sekoiaio.source_process.pid" Long Own "The process that acted, of `injected-into`."
    "sekoiaio.source_process.thread.id" Long Own "As of the process; of event tracing."
    "sekoiaio.source_process.args" Keyword Own "As of the process; of event tracing."
    "sekoiaio.source_process.name" Keyword Own "As of the process."
    "sekoiaio.source_process.executable" Keyword Own "As of the process."
    "sekoiaio.source_process.command_line" Keyword Own "As of the process."
    "sekoiaio.source_process.working_directory" Keyword Own "As of the process."
    "sekoiaio.source_process.parent.pid" Long Own "As of the process."
    "sekoiaio.source_process.parent.name" Keyword Own "As of the process."
    "sekoiaio.source_process.parent.executable" Keyword Own "As of the process."
    "sekoiaio.source_process.parent.command_line" Keyword Own "As of the process."
    "sekoiaio.source_process.guid" Keyword Own "As of the process."
    "sekoiaio.source_process.parent_guid" Keyword Own "As of the process."
    "sekoiaio.target_process.pid" Long Own
        "The process that it was done to, of `injected-into` and `killed-pid`."
    "sekoiaio.target_process.thread.id" Long Own "The thread that was made in it; of the event log."
    "sekoiaio.target_process.name" Keyword Own "As of the process."
    "sekoiaio.target_process.executable" Keyword Own "As of the process."
    "sekoiaio.target_process.command_line" Keyword Own "As of the process."
    "sekoiaio.target_process.working_directory" Keyword Own "As of the process."
    "sekoiaio.target_process.parent.pid" Long Own "As of the process."
    "sekoiaio.target_process.parent.name" Keyword Own "As of the process."
    "sekoiaio.target_process.parent.executable" Keyword Own "As of the process."
    "sekoiaio.target_process.parent.command_line" Keyword Own "As of the process."
    "sekoiaio.target_process.guid" Keyword Own "As of the process."
    "sekoiaio.target_process.parent_guid" Keyword Own "As of the process."
    "sekoiaio.repeat.count" Long Own "Occurrences that the event stands for, if several."
    "sekoiaio.agent.cpu_usage" Float Own "Of the agent, in percent of one core."
    "sekoiaio.agent.memory_usage" Long Own "Resident memory of the agent in bytes."
    "sekoiaio.agent.uptime" Long Own "Seconds since the start of the agent."
    "sekoiaio.host.cpu_usage" Float Own "Of all processes, in percent of all cores."
    "sekoiaio.host.memory_total" Long Own "Memory of the host in bytes."
    "sekoiaio.host.memory_available" Long Own "Memory of the host that is free in bytes."
    "sekoiaio.host.memory_usage" Float Own "Memory of the host in use, in percent."
    "sekoiaio.host.uptime" Long Own "Seconds since the boot."
    "container.id" Keyword Ecs
        "Container of the process: 64 hexadecimal digits, or its name for lxc and systemd-nspawn."
    "container.name" Keyword Ecs "Its name, where the runtime has written it down."
    "container.runtime" Keyword Ecs
        "`docker`, `containerd`, `cri-o`, `podman`, `lxc`, `systemd-nspawn`, where that is known."
    "container.image.name" Keyword Ecs "Image that it was made of, where that is written down."
    "user.id" Keyword Ecs "Real user id, `unset` for 4294967295."
    "user.name" Keyword Ecs "Its name in /etc/passwd."
    "user.domain" Keyword Ecs "Domain of the user; of the event log."
    "user.group.id" Keyword Ecs "Real group id."
    "user.group.name" Keyword Ecs "Its name in /etc/group."
    "user.effective.id" Keyword Ecs "Effective user id, if it or the group differs from the real."
    "user.effective.name" Keyword Ecs "Its name."
    "user.effective.domain" Keyword Ecs "Its domain; of the event log."
    "user.effective.group.id" Keyword Ecs "Effective group id, if it or the user differs."
    "user.effective.group.name" Keyword Ecs "Its name."
    "user.target.id" Keyword Ecs
        "Id of the account that was changed, or of the real user of the target process."
    "user.target.name" Keyword Ecs "Its name."
    "user.target.domain" Keyword Ecs "Its domain; of the event log."
    "user.changes.name" Keyword Ecs "The name that it got; of the event log."
    // Auditbeat's; ECS has none.
    "user.audit.id" Keyword Own
        "User who logged in, whoever the process has become since; `unset` where nobody did."
    "user.audit.name" Keyword Own "Its name."
    "group.id" Keyword Ecs "SID of the group that it was done to; of the event log."
    "group.name" Keyword Ecs "Its name."
    "group.domain" Keyword Ecs "Its domain."
    "file.path" Keyword Ecs "Absolute path; of a rename, the new one. `…/` where the begin is lost."
    "file.name" Keyword Ecs "Last part of the path."
    "file.directory" Keyword Ecs "The path without its last part."
    "file.extension" Keyword Ecs "What follows the last dot of the name."
    "file.target_path" Keyword Ecs "The text of a new symbolic link."
    "file.inode" Keyword Ecs "Inode number."
    "file.device" Keyword Ecs "Major and minor number of the device, hexadecimal: `08:01`."
    "file.mode" Keyword Ecs "Permission bits, octal: `0644`."
    "file.uid" Keyword Ecs "Owner's id."
    "file.gid" Keyword Ecs "Group's id."
    "file.owner" Keyword Ecs "Owner's name."
    "file.group" Keyword Ecs "Group's name."
    "file.size" Long Ecs "Bytes at the moment of the event, or that a file was cut or extended to."
    "file.type" Keyword Ecs
        "`file`, `dir`, `symlink`, and beyond ECS `fifo`, `socket`, `char`, `block`; where known."
    "file.accessed" Date Ecs "Time of the last access that was set."
    "file.mtime" Date Ecs "Time of the last change that was set."
    "file.created" Date Ecs "Time of the creation that was set; of the event log."
    "file.code_signature.exists" Boolean Ecs "It is signed; of the event log, as what follows."
    "file.code_signature.status" Keyword Ecs "What is known of the signature."
    "file.code_signature.subject_name" Keyword Ecs "Who signed it."
    "file.code_signature.valid" Boolean Ecs "The signature is valid."
    "file.pe.company" Keyword Ecs "What the file says of itself; of the event log, as what follows."
    "file.pe.description" Keyword Ecs "The same."
    "file.pe.file_version" Keyword Ecs "The same."
    "file.pe.imphash" Keyword Ecs "Digest of the functions that it imports."
    "file.pe.original_file_name" Keyword Ecs "The same."
    "file.pe.product" Keyword Ecs "The same."
    "file.hash.md5" Keyword Ecs "Of what was written, as of 50 to 150 ms after the opening."
    "file.hash.sha1" Keyword Ecs "The same."
    "file.hash.sha256" Keyword Ecs "The same."
    "registry.hive" Keyword Ecs "`HKLM`, `HKU`, …; of the event log, as what follows."
    "registry.key" Keyword Ecs "Path of the key below its hive."
    "registry.value" Keyword Ecs "Name of the value."
    "registry.path" Keyword Ecs "All of them, as they were told."
    "registry.data.type" Keyword Ecs "`REG_DWORD`, `REG_QWORD`, `REG_BINARY`, where it was told."
    "registry.data.strings" Keyword Ecs "What was written, as text."
    "service.name" Keyword Ecs "Service that it was done to or by; of the event log."
    "rule.id" Keyword Ecs "Rule of the program that reports it; of the event log."
    "rule.name" Keyword Ecs "Its name, or that of the threat."
    "source.address" Keyword Ecs "The end that opened the connection, or sent the message."
    "source.ip" Ip Ecs "The same."
    "source.port" Long Ecs "Its port."
    "source.domain" Keyword Ecs "Name of its host; of the event log."
    "source.bytes" Long Ecs "Bytes of data it sent, each counted once; of a connection's end only."
    "destination.address" Keyword Ecs "The end that accepts the connection, or the message."
    "destination.ip" Ip Ecs "The same."
    "destination.port" Long Ecs "Its port."
    "destination.domain" Keyword Ecs "Name of its host; of the event log."
    "destination.bytes" Long Ecs "As `source.bytes`."
    "network.community_id" Keyword Ecs "The Community ID of a connection, from either end; of Sysmon's alone."
    "network.direction" Keyword Ecs "`egress`: the process connected or sent; `ingress`: it accepted or received."
    "network.protocol" Keyword Ecs "`dns`; of its messages only."
    "network.transport" Keyword Ecs "`tcp` or `udp`."
    "network.type" Keyword Ecs "`ipv4` or `ipv6`; IPv4 in IPv6's notation is `ipv4`."
    "dns.type" Keyword Ecs "`query` or `answer`."
    // ECS has a keyword here; the original agent sends a number, which its parser turns into text.
    "dns.id" Long Ecs "Number of the message: that of an answer is its question's."
    "dns.op_code" Keyword Ecs "`Query`, or another operation."
    "dns.header_flags" Keyword Ecs "Of `AA`, `TC`, `RD`, `RA`, `AD`, `CD` those that are set."
    "dns.response_code" Keyword Ecs "`No Error`, `Non-Existent Domain`, …; of answers only."
    "dns.question.name" Keyword Ecs "Name that was asked for; odd bytes as in zone files: `\\007`."
    "dns.question.size_in_char" Long Own "Characters of the name; of the event log."
    "dns.question.type" Keyword Ecs "Type of records: `A`, `AAAA`, …; without a name, `TYPE65280`."
    "dns.question.class" Keyword Ecs "`IN`."
    "dns.answers.name" Keyword Ecs "Name of a record of the answer, of which 64 are told."
    "dns.answers.type" Keyword Ecs "Its type."
    "dns.answers.data" Keyword Ecs "Address, name, or what the type has, as in zone files."
    "dns.answers.ttl" Long Ecs "Seconds that the record may be remembered."
    "dns.resolved_ip" Ip Ecs "The addresses among the answers."
    "url.full" Keyword Ecs "What was fetched; of the event log."
    "related.hosts" Keyword Ecs "Name of the host."
    "related.user" Keyword Ecs "Names of the real and the effective user and of who logged in."
    "related.hash" Keyword Ecs "Digests of the file."
    "related.ip" Ip Ecs "Addresses of the ends, and those that were resolved."
    "log.level" Keyword Ecs "Level of the line of the agent's log."
    "log.logger" Keyword Ecs "`SEKOIA-IO-Endpoint`."
    "error.message" Keyword Ecs "The error behind a line of the agent's log."
    "winlog.channel" Keyword Own "Where the record was written to; this and what follows is Winlogbeat's."
    "winlog.computer_name" Keyword Own "Host that wrote it, with its domain."
    "winlog.record_id" Keyword Own "Number of the record in its channel."
    "winlog.version" Long Own "Version of the record's data."
    "winlog.level" Long Own "From 1, critical, to 5, verbose; 0 is always."
    "winlog.task" Long Own "A group of the provider's events."
    "winlog.opcode" Long Own "A step of a task."
    "winlog.activity_id" Keyword Own "What the event is a part of."
    "winlog.related_activity_id" Keyword Own "What that came from."
    "winlog.process.pid" Long Own "Process that wrote the record."
    "winlog.process.thread.id" Long Own "Its thread."
    "winlog.user.identifier" Keyword Own "SID of the user whose rights it had."
    "action.id" Long Own "The same as `event.code`; of the event log. Its values are `action.properties` under their own names, see windows.md."
    "action.name" Keyword Own "The same as `event.action`; of event tracing."
    "action.properties.old_path" Keyword Own
        "Path before a rename; of `linked`, the one that the file had. As `file.path`."
    "action.properties.rdev" Keyword Own "Device that a new device file stands for; as `file.device`."
    "action.properties.attribute" Keyword Own "Name of the extended attribute."
    "action.properties.removed" Boolean Own "The extended attribute was removed."
    "action.properties.source" Keyword Own "What was mounted: a folder's path, or a device's name."
    "action.properties.fstype" Keyword Own "Type of the file system that was mounted."
    "action.properties.put_old" Keyword Own "Where the old root of a mount namespace went."
    "action.properties.flags" Keyword Own
        "Flags of the call, by their names: all of a mount; `AT_SYMLINK_NOFOLLOW` where a symbolic \
         link itself was changed if the path is one; `RENAME_EXCHANGE`; those of `memfd_create`."
    "action.properties.script" Keyword Own
        "File that was executed, where the kernel ran its interpreter in its place; of exec only."
    "action.properties.deleted" Boolean Own
        "No name leads to the program or the opened file: it was removed, or only is in memory."
    "action.properties.hash_missing" Keyword Own "Why the event has no hash, where it should."
    "action.properties.acct" Keyword Own "Account that a login or its like was about."
    "action.properties.a0" Keyword Own
        "First argument of the system call, hexadecimal; from the audit source, as what follows."
    "action.properties.a1" Keyword Own "The second."
    "action.properties.a2" Keyword Own "The third."
    "action.properties.a3" Keyword Own "The fourth."
    "action.properties.arch" Keyword Own "`x86_64`, or `i386` for the call of a 32-bit program."
    "action.properties.cmd" Keyword Own "Command that sudo or its like was to run."
    "action.properties.grantors" Keyword Own "PAM modules that granted it."
    "action.properties.grp" Keyword Own "Group that was changed."
    "action.properties.key" Keyword Own
        "Key of somebody else's audit rule that asks for the call as well."
    "action.properties.hostname" Keyword Own "Host that the user came from, as the program knows it."
    "action.properties.id" Keyword Own "Id of the account."
    "action.properties.new_gid" Keyword Own "Group id that an account got."
    "action.properties.old-ses" Keyword Own "Login session before; 4294967295 for none."
    "action.properties.op" Keyword Own
        "What the program calls the act: `login`, `PAM:session_open`, …; of eBPF programs `LOAD`, \
         `ATTACH` (to stay with an object) or `LINK`."
    "action.properties.socket_addr" Keyword Own "Address that the call was given or gave back."
    "action.properties.socket_family" Keyword Own "`ipv4` or `ipv6`."
    "action.properties.socket_port" Keyword Own "Its port."
    "action.properties.terminal" Keyword Own "Terminal, or what the program gives as such."
    "action.properties.tty" Keyword Own "Terminal of the process."
    "action.properties.signal" Long Own "Signal that ended the process, or that it sent."
    "action.properties.syscall" Keyword Own "System call of x86-64 by which it was done."
    "action.properties.exit" Keyword Own
        "Why it failed, as errno(3) names it: `ECONNREFUSED`; absent where the process gave up. From \
         the audit source also what a call returned."
    "action.properties.args" Keyword Own
        "Arguments that a program was to be started with, 4 KiB of them; of `process-creation-failed`."
    "action.properties.old_uid" Keyword Own "Real user id before the change."
    "action.properties.old_euid" Keyword Own "Effective user id before the change."
    "action.properties.old_suid" Keyword Own "Saved user id before the change."
    "action.properties.old_fsuid" Keyword Own "User id for file systems before the change."
    "action.properties.old_gid" Keyword Own "Real group id before the change."
    "action.properties.old_egid" Keyword Own "Effective group id before the change."
    "action.properties.old_sgid" Keyword Own "Saved group id before the change."
    "action.properties.old_fsgid" Keyword Own "Group id for file systems before the change."
    "action.properties.old_groups" Keyword Own "Supplementary groups before the change, 32 of them."
    "action.properties.uid" Keyword Own "Real user id after the change."
    "action.properties.euid" Keyword Own "Effective user id after the change."
    "action.properties.suid" Keyword Own "Saved user id after the change."
    "action.properties.fsuid" Keyword Own "User id for file systems after the change."
    "action.properties.gid" Keyword Own "Real group id after the change."
    "action.properties.egid" Keyword Own "Effective group id after the change."
    "action.properties.sgid" Keyword Own "Saved group id after the change."
    "action.properties.fsgid" Keyword Own "Group id for file systems after the change."
    "action.properties.groups" Keyword Own "Supplementary groups after the change, 32 of them."
    "action.properties.old_pp" Keyword Own
        "Permitted capabilities before the change: a mask of 16 hexadecimal digits."
    "action.properties.old_pi" Keyword Own "Inheritable capabilities before the change."
    "action.properties.old_pe" Keyword Own "Effective capabilities before the change."
    "action.properties.old_pa" Keyword Own "Ambient capabilities before the change."
    "action.properties.pp" Keyword Own "Permitted capabilities after the change."
    "action.properties.pi" Keyword Own "Inheritable capabilities after the change."
    "action.properties.pe" Keyword Own "Effective capabilities after the change."
    "action.properties.pa" Keyword Own "Ambient capabilities after the change."
    "action.properties.namespaces" Keyword Own
        "The namespaces that are others now, as in /proc/PID/ns: `net:[4026532177]`."
    "action.properties.request" Keyword Own "What ptrace(2) was asked for: `PTRACE_ATTACH`."
    "action.properties.bytes" Long Own "Bytes written into the other process."
    "action.properties.name" Keyword Own "Name of the kernel module."
    "action.properties.prog-id" Keyword Own "Number of the eBPF program among the loaded ones."
    "action.properties.prog-type" Keyword Own "Its type: `kprobe`, `xdp`, …"
    "action.properties.prog-tag" Keyword Own "Hash of its instructions, 16 hexadecimal digits."
    "action.properties.prog-name" Keyword Own "Its name, 15 bytes at most."
    "action.properties.link-type" Keyword Own "Type of the link that attached it: `tracing`, …"
    "action.properties.ses" Keyword Own
        "Login session as the audit system numbers it, `unset` where nobody logged in."
    "action.properties.ancestors.pid" Long Own
        "Where a program starts: process ids of its parent, its parent, and so on, five at most."
    "action.properties.ancestors.executable" Keyword Own
        "What each of them ran, in the same order; empty where that is not known."
    "action.properties.ancestors.guid" Keyword Own
        "UUID of each of them, in the same order; on Windows empty where it is not known when it was created."
    "action.properties.container_id" Keyword Own "The same as `container.id`."
    "action.properties.ns_pid" Long Own
        "Number of the process's PID namespace, if it is not that of the host's first process."
    "action.properties.ns_mnt" Long Own "The same of its mount namespace."
    "action.properties.ns_net" Long Own "The same of its network namespace."
    "action.properties.ns_user" Long Own "The same of its user namespace."
    "action.properties.ns_uts" Long Own "The same of its UTS namespace."
    "action.properties.ns_ipc" Long Own "The same of its IPC namespace."
    "action.properties.process_inferred" Boolean Own
        "The agent missed the start of the process and read from /proc what it runs."
    "action.properties.truncated" Keyword Own "Names of the fields whose value is cut."
    "action.properties.count" Long Own "How many were lost, or are not as they were installed."
    "action.properties.differences" Keyword Own
        "Files of the agent and what is wrong with each: `bin/endpoint-agent: changed`; 64 of them."
    "action.properties.offset" Float Own "Seconds by which the clock was set forward, or back if below 0."
    "action.properties.what" Keyword Own "Of what: `exec`, `open`, …, `record`, or `buffer`, which has many."
    "action.properties.cause" Keyword Own "Why they were lost."
    "action.properties.place" Keyword Own "Where on the way of an event they were lost."
    "action.properties.queued" Long Own "Records in the queue; in `stats` only."
    "action.properties.queued_bytes" Long Own "Bytes of the queue; in `stats` only."
    "action.properties.not_covered" Keyword Own
        "Hooks that are not in place, and why; in `stats` only."
    "action.properties.COUNTER" Long Own "A counter of the agent; see below; in `stats` only."
    "action.properties.filtered_by.UUID" Long Own
        "Occurrences that the rule of this uuid has dropped in this run; in `stats` only."
    "tags" Keyword Ecs "Tags of the watches that the event matches; see rules.md."
}
