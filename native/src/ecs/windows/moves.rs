//! Which values of the event log's records are fields of ECS, one row each.
//!
//! Rows with numbers of events stand in place of those without, for these events. What is `taken`
//! is not in `action.properties` as well.

use super::convert::{self, How};
use super::providers::{
    APPLOCKER, BITS, DEFENDER, DNS, EVENTLOG, FIREWALL, NTLM, POWERSHELL, POWERSHELL_CLASSIC,
    POWERSHELL_CORE, REMOTE_DESKTOP, REMOTE_SESSIONS, SECURITY, SERVICES, SQL_SERVER, SYSMON,
    TASKS, WMI,
};
use crate::capture::etw::templates;

/// A row.
#[derive(Debug)]
pub struct Move {
    /// Who writes the record.
    pub provider: &'static str,
    /// Of which events; of all if empty.
    pub ids: &'static [u32],
    /// Another value that has to be this one.
    pub when: Option<(&'static str, &'static str)>,
    /// Name of the value.
    pub from: &'static str,
    /// Dotted name of the field.
    pub to: &'static str,
    /// What makes one of the other.
    pub how: How,
    /// The value is not told twice.
    pub is_taken: bool,
}

/// Whose rows are of what the agent knows of an event of event tracing besides.
pub const FOUND: &str = "*";
const KERNEL_PROCESS: &str = templates::KERNEL_PROCESS.name;
const PROCESS_CLASS: &str = templates::PROCESS_CLASS.name;
const KERNEL_REGISTRY: &str = templates::KERNEL_REGISTRY.name;
const KERNEL_NETWORK: &str = templates::KERNEL_NETWORK.name;

/// Events about groups, whose target is one.
const GROUPS: &[u32] = &[
    4727, 4728, 4729, 4730, 4731, 4732, 4733, 4734, 4735, 4737, 4744, 4745, 4746, 4747, 4748, 4749,
    4750, 4751, 4752, 4753, 4754, 4755, 4756, 4757, 4758, 4759, 4760, 4761, 4762, 4763, 4764, 4799,
];
/// Events of the filtering platform.
const PACKETS: &[u32] = &[5152, 5154, 5155, 5156, 5157, 5158, 5159];
/// Events of objects with a name.
const OBJECTS: &[u32] = &[4656, 4663, 4670];

macro_rules! moves {
    ($($provider:ident {$(
        $ids:tt $(if $name:literal $value:literal)? $from:literal => $to:literal
        $how:ident $($taken:ident)?;
    )+})+) => {
        /// Every row.
        pub const ALL: &[Move] = &[$($(Move {
            provider: $provider,
            ids: moves!(@ids $ids),
            when: moves!(@when $($name $value)?),
            from: $from,
            to: $to,
            how: How { name: stringify!($how), make: convert::$how },
            is_taken: moves!(@is $($taken)?),
        },)+)+];
    };
    (@ids all) => { &[] };
    (@ids ($list:ident)) => { $list };
    (@ids [$($id:literal),+]) => { &[$($id),+] };
    (@when) => { None };
    (@when $name:literal $value:literal) => { Some(($name, $value)) };
    (@is) => { false };
    (@is taken) => { true };
}

moves! {
    SYSMON {
        all "RuleName" => "rule.name" text;
        all "ProcessGuid" => "process.entity_id" text;
        all "ProcessId" => "process.pid" positive taken;
        all "Image" => "process.executable" text;
        all "Image" => "process.name" file_name;
        all "CommandLine" => "process.command_line" text;
        all "CommandLine" => "process.args" arguments;
        all "CommandLine" => "process.args_count" arguments_count;
        all "CurrentDirectory" => "process.working_directory" text;
        all "User" => "user.domain" domain;
        all "User" => "user.name" account;
        all "ParentProcessGuid" => "process.parent.entity_id" text;
        all "ParentProcessId" => "process.parent.pid" positive taken;
        all "ParentImage" => "process.parent.executable" text;
        all "ParentImage" => "process.parent.name" file_name;
        all "ParentCommandLine" => "process.parent.command_line" text;
        all "ParentCommandLine" => "process.parent.args" arguments;
        all "ParentCommandLine" => "process.parent.args_count" arguments_count;
        [1] "FileVersion" => "process.pe.file_version" text;
        [1] "Description" => "process.pe.description" text;
        [1] "Product" => "process.pe.product" text;
        [1] "Company" => "process.pe.company" text;
        [1] "OriginalFileName" => "process.pe.original_file_name" text;
        [1] "Hashes" => "process.hash.md5" md5;
        [1] "Hashes" => "process.hash.sha1" sha1;
        [1] "Hashes" => "process.hash.sha256" sha256;
        [1] "Hashes" => "process.pe.imphash" imphash;
        all "Hashes" => "file.hash.md5" md5;
        all "Hashes" => "file.hash.sha1" sha1;
        all "Hashes" => "file.hash.sha256" sha256;
        all "Hashes" => "file.pe.imphash" imphash;
        all "Hash" => "file.hash.md5" md5;
        all "Hash" => "file.hash.sha1" sha1;
        all "Hash" => "file.hash.sha256" sha256;
        all "Hash" => "file.pe.imphash" imphash;
        all "TargetFilename" => "file.path" text;
        all "TargetFilename" => "file.name" file_name;
        all "TargetFilename" => "file.directory" directory;
        all "TargetFilename" => "file.extension" extension;
        [2, 11, 15] "CreationUtcTime" => "file.created" time;
        [3] "Protocol" => "network.transport" transport;
        [3] "Initiated" => "network.direction" initiated;
        [3] "SourceIsIpv6" => "network.type" internet_type;
        [3] "SourceIp" => "source.address" address;
        [3] "SourceIp" => "source.ip" ip;
        [3] "SourceHostname" => "source.domain" text;
        [3] "SourcePort" => "source.port" positive;
        [3] "DestinationIp" => "destination.address" address;
        [3] "DestinationIp" => "destination.ip" ip;
        [3] "DestinationHostname" => "destination.domain" text;
        [3] "DestinationPort" => "destination.port" positive;
        [3] "DestinationPortName" => "network.protocol" lower;
        [6, 7] "ImageLoaded" => "file.path" text;
        [6, 7] "ImageLoaded" => "file.name" file_name;
        [6, 7] "ImageLoaded" => "file.directory" directory;
        [6, 7] "ImageLoaded" => "file.extension" extension;
        [6, 7] "Signed" => "file.code_signature.exists" truth;
        [6, 7] "Signature" => "file.code_signature.subject_name" text;
        [6, 7] "SignatureStatus" => "file.code_signature.status" text;
        [6, 7] "SignatureStatus" => "file.code_signature.valid" is_valid;
        [7] "FileVersion" => "file.pe.file_version" text;
        [7] "Description" => "file.pe.description" text;
        [7] "Product" => "file.pe.product" text;
        [7] "Company" => "file.pe.company" text;
        [7] "OriginalFileName" => "file.pe.original_file_name" text;
        [8] "SourceProcessGuid" => "process.entity_id" text;
        [10] "SourceProcessGUID" => "process.entity_id" text;
        [8, 10] "SourceProcessId" => "process.pid" positive taken;
        [8, 10] "SourceImage" => "process.executable" text;
        [8, 10] "SourceImage" => "process.name" file_name;
        [10] "SourceThreadId" => "process.thread.id" positive taken;
        [8, 10] "SourceUser" => "user.domain" domain;
        [8, 10] "SourceUser" => "user.name" account;
        [8, 10] "TargetProcessId" => "sekoiaio.target_process.pid" positive taken;
        [8, 10] "TargetImage" => "sekoiaio.target_process.executable" text;
        [8, 10] "TargetImage" => "sekoiaio.target_process.name" file_name;
        [8] "NewThreadId" => "sekoiaio.target_process.thread.id" positive taken;
        [8, 10] "TargetUser" => "user.target.domain" domain;
        [8, 10] "TargetUser" => "user.target.name" account;
        [9] "Device" => "file.path" text;
        [12, 13, 14] "TargetObject" => "registry.path" text;
        [12, 13, 14] "TargetObject" => "registry.hive" hive;
        [12, 14] "TargetObject" => "registry.key" key;
        [13] "TargetObject" => "registry.key" key_of_value;
        [13] "TargetObject" => "registry.value" file_name;
        [13] "Details" => "registry.data.type" data_type;
        [13] "Details" => "registry.data.strings" data_strings;
        [17, 18] "PipeName" => "file.name" text;
        [22] "QueryName" => "dns.question.name" text taken;
        [22] "QueryName" => "dns.question.size_in_char" length;
        [22] "QueryStatus" => "dns.response_code" text taken;
        [22] "QueryResults" => "dns.answers.name" answers taken;
        [22] "QueryResults" => "dns.resolved_ip" resolved;
        [255] "Description" => "error.message" text;
    }
    EVENTLOG {
        all "SubjectUserSid" => "user.id" text;
        all "SubjectUserName" => "user.name" text;
        all "SubjectDomainName" => "user.domain" text;
    }
    SECURITY {
        all "SubjectUserSid" => "user.id" text;
        all "SubjectUserName" => "user.name" text;
        all "SubjectDomainName" => "user.domain" text;
        all "TargetUserSid" => "user.target.id" text;
        all "TargetSid" => "user.target.id" text;
        all "TargetUserName" => "user.target.name" text;
        all "TargetDomainName" => "user.target.domain" text;
        all "ProcessId" => "process.pid" positive taken;
        all "ProcessName" => "process.executable" text;
        all "ProcessName" => "process.name" file_name;
        all "CallerProcessId" => "process.pid" positive;
        all "CallerProcessName" => "process.executable" text;
        all "CallerProcessName" => "process.name" file_name;
        all "ParentProcessId" => "process.parent.pid" positive taken;
        all "IpAddress" => "source.address" ip;
        all "IpAddress" => "source.ip" ip;
        all "IpPort" => "source.port" positive;
        all "WorkstationName" => "source.domain" text;
        all "ServiceName" => "service.name" text;
        (OBJECTS) if "ObjectType" "File" "ObjectName" => "file.path" text;
        (OBJECTS) if "ObjectType" "File" "ObjectName" => "file.name" file_name;
        (OBJECTS) if "ObjectType" "File" "ObjectName" => "file.directory" directory;
        (OBJECTS) if "ObjectType" "File" "ObjectName" => "file.extension" extension;
        (OBJECTS) if "ObjectType" "Key" "ObjectName" => "registry.path" text;
        (OBJECTS) if "ObjectType" "Key" "ObjectName" => "registry.hive" hive;
        (OBJECTS) if "ObjectType" "Key" "ObjectName" => "registry.key" key;
        [4657] "ObjectName" => "registry.path" text;
        [4657] "ObjectName" => "registry.hive" hive;
        [4657] "ObjectName" => "registry.key" key;
        [4657] "ObjectValueName" => "registry.value" text;
        [4657] "NewValue" => "registry.data.strings" data_strings;
        [4688] "NewProcessId" => "process.pid" positive taken;
        [4688] "NewProcessName" => "process.executable" text;
        [4688] "NewProcessName" => "process.name" file_name;
        [4688] "CommandLine" => "process.command_line" text;
        [4688] "CommandLine" => "process.args" arguments;
        [4688] "CommandLine" => "process.args_count" arguments_count;
        [4688] "ProcessId" => "process.parent.pid" positive taken;
        [4688] "ParentProcessName" => "process.parent.executable" text;
        [4688] "ParentProcessName" => "process.parent.name" file_name;
        [4688] "TargetUserSid" => "user.effective.id" sid;
        [4688] "TargetUserName" => "user.effective.name" text;
        [4688] "TargetDomainName" => "user.effective.domain" text;
        [4689] "Status" => "process.exit_code" number;
        (GROUPS) "TargetSid" => "group.id" text;
        (GROUPS) "TargetUserName" => "group.name" text;
        (GROUPS) "TargetDomainName" => "group.domain" text;
        (GROUPS) "MemberSid" => "user.target.id" text;
        (GROUPS) "MemberName" => "user.target.name" common_name;
        [4776] "Workstation" => "source.domain" text;
        [4778, 4779] "AccountName" => "user.name" text;
        [4778, 4779] "AccountDomain" => "user.domain" text;
        [4778, 4779] "ClientAddress" => "source.address" ip;
        [4778, 4779] "ClientAddress" => "source.ip" ip;
        [4778, 4779] "ClientName" => "source.domain" text;
        [4781] "OldTargetUserName" => "user.target.name" text;
        [4781] "NewTargetUserName" => "user.changes.name" text;
        (PACKETS) "ProcessID" => "process.pid" positive taken;
        (PACKETS) "ProcessId" => "process.pid" positive taken;
        (PACKETS) "Application" => "process.name" file_name;
        (PACKETS) "Direction" => "network.direction" direction;
        (PACKETS) "SourceAddress" => "source.address" address taken;
        (PACKETS) "SourceAddress" => "source.ip" ip;
        (PACKETS) "SourcePort" => "source.port" positive taken;
        (PACKETS) "DestAddress" => "destination.address" address taken;
        (PACKETS) "DestAddress" => "destination.ip" ip;
        (PACKETS) "DestPort" => "destination.port" positive taken;
        (PACKETS) "Protocol" => "network.transport" transport taken;
    }
    POWERSHELL {
        [4103] "ContextInfo" => "process.command_line" host_application;
        [4103] "ContextInfo" => "process.args" host_arguments;
        [4103] "ContextInfo" => "process.args_count" host_arguments_count;
        [4103] "ContextInfo" => "user.domain" host_domain;
        [4103] "ContextInfo" => "user.name" host_account;
        [4104] "Path" => "file.path" text;
        [4104] "Path" => "file.name" file_name;
        [4104] "Path" => "file.directory" directory;
        [4104] "Path" => "file.extension" extension;
    }
    POWERSHELL_CORE {
        [4103] "ContextInfo" => "process.command_line" host_application;
        [4103] "ContextInfo" => "process.args" host_arguments;
        [4103] "ContextInfo" => "process.args_count" host_arguments_count;
        [4103] "ContextInfo" => "user.domain" host_domain;
        [4103] "ContextInfo" => "user.name" host_account;
        [4104] "Path" => "file.path" text;
        [4104] "Path" => "file.name" file_name;
        [4104] "Path" => "file.directory" directory;
        [4104] "Path" => "file.extension" extension;
    }
    POWERSHELL_CLASSIC {
        [400, 403, 600] "param3" => "process.command_line" host_application;
        [400, 403, 600] "param3" => "process.args" host_arguments;
        [400, 403, 600] "param3" => "process.args_count" host_arguments_count;
        [800] "param2" => "process.command_line" host_application;
        [800] "param2" => "process.args" host_arguments;
        [800] "param2" => "process.args_count" host_arguments_count;
        [800] "param2" => "user.domain" host_domain;
        [800] "param2" => "user.name" host_account;
    }
    DEFENDER {
        all "Detection User" => "user.domain" domain;
        all "Detection User" => "user.name" account;
        all "Threat Name" => "rule.name" text;
        all "Process Name" => "process.executable" known;
        all "Process Name" => "process.name" known_name;
        all "Path" => "file.path" found_path;
        all "Path" => "file.name" found_name;
        [1121, 1122, 1123, 1124, 1125, 1126] "User" => "user.domain" domain;
        [1121, 1122, 1123, 1124, 1125, 1126] "User" => "user.name" account;
        [1121, 1122, 1123, 1124, 1125, 1126] "ID" => "rule.id" text;
    }
    WMI {
        all "User" => "user.domain" domain;
        all "User" => "user.name" account;
        [5857] "HostProcess" => "process.name" file_name;
        [5857] "ProcessID" => "process.pid" positive taken;
        [5858] "ClientProcessId" => "process.pid" positive taken;
        [5858] "ClientMachine" => "source.domain" text;
        [5859, 5860] "processid" => "process.pid" positive taken;
        [5859, 5860] "Processid" => "process.pid" positive taken;
        [5860] "ClientMachine" => "source.domain" text;
    }
    NTLM {
        all "ProcessPID" => "process.pid" positive taken;
        all "CallerPID" => "process.pid" positive taken;
        all "ProcessName" => "process.name" file_name;
        all "Username" => "user.name" text;
        all "UserName" => "user.name" text;
        all "DomainName" => "user.domain" text;
        [4020, 4021] "TargetIP" => "destination.address" ip;
        [4020, 4021] "TargetIP" => "destination.ip" ip;
        [4020, 4021] "TargetMachine" => "destination.domain" text;
        [4022, 4023] "ClientIP" => "source.address" ip;
        [4022, 4023] "ClientIP" => "source.ip" ip;
        [4022, 4023] "RemoteClientMachine" => "source.domain" text;
        [4003, 8003] "Workstation" => "source.domain" text;
        [8004] "WorkstationName" => "source.domain" text;
    }
    TASKS {
        all "UserContext" => "user.domain" domain;
        all "UserContext" => "user.name" account;
        all "UserName" => "user.domain" domain;
        all "UserName" => "user.name" account;
        [129] "Path" => "process.executable" text;
        [129] "Path" => "process.name" file_name;
        [129] "ProcessID" => "process.pid" positive taken;
    }
    SERVICES {
        [7036] "param1" => "service.name" text;
        [7040] "param4" => "service.name" text;
        [7045] "ServiceName" => "service.name" text;
    }
    FIREWALL {
        all "RuleId" => "rule.id" text;
        all "RuleName" => "rule.name" text;
        all "ModifyingUser" => "user.id" text;
        all "ModifyingApplication" => "process.executable" text;
        all "ModifyingApplication" => "process.name" file_name;
    }
    APPLOCKER {
        all "RuleId" => "rule.id" text;
        all "RuleName" => "rule.name" text;
        all "TargetUser" => "user.id" text;
        all "TargetProcessId" => "process.pid" positive taken;
        all "FullFilePath" => "file.path" text;
        all "FullFilePath" => "file.name" file_name;
        all "FullFilePath" => "file.directory" directory;
        all "FullFilePath" => "file.extension" extension;
    }
    DNS {
        all "QueryName" => "dns.question.name" text taken;
        all "QueryName" => "dns.question.size_in_char" length;
        [3008] "QueryStatus" => "dns.response_code" text taken;
        [3008] "QueryResults" => "dns.answers.name" answers taken;
        [3008] "QueryResults" => "dns.resolved_ip" resolved;
    }
    REMOTE_DESKTOP {
        [1149] "Param1" => "user.name" text;
        [1149] "Param2" => "user.domain" text;
        [1149] "Param3" => "source.address" address;
        [1149] "Param3" => "source.ip" ip;
    }
    REMOTE_SESSIONS {
        all "User" => "user.domain" domain;
        all "User" => "user.name" account;
        // `LOCAL`, of the console, is no address.
        all "Address" => "source.address" ip;
        all "Address" => "source.ip" ip;
    }
    BITS {
        [3] "jobOwner" => "user.domain" domain;
        [3] "jobOwner" => "user.name" account;
        [3] "string2" => "user.domain" domain;
        [3] "string2" => "user.name" account;
        [3] "processPath" => "process.executable" text;
        [3] "processPath" => "process.name" file_name;
        [3] "processId" => "process.pid" positive;
        [4, 5] "User" => "user.domain" domain;
        [4, 5] "User" => "user.name" account;
        all "url" => "url.full" text;
    }
    SQL_SERVER {
        [18453, 18454, 18456] "param1" => "user.domain" domain;
        [18453, 18454, 18456] "param1" => "user.name" account;
        [18453, 18454] "param2" => "source.address" client;
        [18453, 18454] "param2" => "source.ip" client;
        [18456] "param3" => "source.address" client;
        [18456] "param3" => "source.ip" client;
        [33205] "param1" => "user.domain" audited_domain;
        [33205] "param1" => "user.name" audited_account;
    }
    FOUND {
        all "ProcessId" => "process.pid" positive;
        all "ThreadId" => "process.thread.id" positive;
        all "Image" => "process.executable" text;
        all "Image" => "process.name" file_name;
        all "CommandLine" => "process.command_line" text;
        all "Arguments" => "process.args" arguments;
        all "Arguments" => "process.args_count" arguments_count;
        all "ParentProcessId" => "process.parent.pid" positive;
        all "ParentImage" => "process.parent.executable" text;
        all "ParentImage" => "process.parent.name" file_name;
        all "ParentCommandLine" => "process.parent.command_line" text;
        all "ParentArguments" => "process.parent.args" arguments;
        all "ParentArguments" => "process.parent.args_count" arguments_count;
        all "SourceProcessId" => "sekoiaio.source_process.pid" positive;
        all "SourceThreadId" => "sekoiaio.source_process.thread.id" positive;
        all "SourceImage" => "sekoiaio.source_process.executable" text;
        all "SourceImage" => "sekoiaio.source_process.name" file_name;
        all "SourceCommandLine" => "sekoiaio.source_process.command_line" text;
        all "SourceArguments" => "sekoiaio.source_process.args" arguments;
        all "SourceParentProcessId" => "sekoiaio.source_process.parent.pid" positive;
        all "TargetProcessId" => "sekoiaio.target_process.pid" positive;
        all "TargetThreadId" => "sekoiaio.target_process.thread.id" positive;
        all "TargetImage" => "sekoiaio.target_process.executable" text;
        all "TargetImage" => "sekoiaio.target_process.name" file_name;
        all "TargetCommandLine" => "sekoiaio.target_process.command_line" text;
        all "TargetParentProcessId" => "sekoiaio.target_process.parent.pid" positive;
        all "User" => "user.domain" domain;
        all "User" => "user.name" account;
        all "UserSid" => "user.id" text;
        all "File" => "file.path" text;
        all "File" => "file.name" file_name;
        all "File" => "file.directory" directory;
        all "File" => "file.extension" extension;
        all "Key" => "registry.path" text;
        all "Key" => "registry.hive" hive;
        all "Key" => "registry.key" key;
        all "Value" => "registry.path" text;
        all "Value" => "registry.hive" hive;
        all "Value" => "registry.key" key_of_value;
        all "Data" => "registry.data.strings" texts;
        all "Direction" => "network.direction" text;
        all "Transport" => "network.transport" text;
        all "NetworkType" => "network.type" text;
    }
    PROCESS_CLASS {
        all "ProcessId" => "process.pid" positive taken;
        all "ParentId" => "process.parent.pid" positive taken;
        all "CommandLine" => "process.command_line" text taken;
        all "UserSID" => "user.id" text taken;
        all "ImageFileName" => "process.name" text;
        [2] "ExitStatus" => "process.exit_code" exit_code;
    }
    KERNEL_PROCESS {
        all "ProcessID" => "process.pid" positive taken;
        [3] "ProcessID" => "sekoiaio.target_process.pid" positive taken;
        [3] "ThreadID" => "sekoiaio.target_process.thread.id" positive taken;
        all "ParentProcessID" => "process.parent.pid" positive taken;
        [1] "ImageName" => "process.name" file_name;
        [2] "ImageName" => "process.name" file_name;
        [2] "ExitCode" => "process.exit_code" number;
    }
    KERNEL_REGISTRY {
        [5, 6] "ValueName" => "registry.value" text;
        [5] "Type" => "registry.data.type" registry_type;
    }
    KERNEL_NETWORK {
        all "PID" => "process.pid" positive taken;
        all "saddr" => "source.address" ip taken;
        all "saddr" => "source.ip" ip;
        all "sport" => "source.port" positive taken;
        all "daddr" => "destination.address" ip taken;
        all "daddr" => "destination.ip" ip;
        all "dport" => "destination.port" positive taken;
    }
}

/// Providers whose events are about the process that wrote them.
pub const OWN: &[&str] = &[POWERSHELL, POWERSHELL_CORE, DNS];

/// Which events are of connections that have a Community ID.
pub const COMMUNITY: &[(&str, &[u32])] = &[(SYSMON, &[3])];

/// Which list below `related` a field's values are also in.
pub const RELATED: &[(&str, &str)] = &[
    ("source.domain", "related.hosts"),
    ("destination.domain", "related.hosts"),
    ("user.name", "related.user"),
    ("user.effective.name", "related.user"),
    ("user.target.name", "related.user"),
    ("user.changes.name", "related.user"),
    ("process.hash.md5", "related.hash"),
    ("process.hash.sha1", "related.hash"),
    ("process.hash.sha256", "related.hash"),
    ("process.pe.imphash", "related.hash"),
    ("file.hash.md5", "related.hash"),
    ("file.hash.sha1", "related.hash"),
    ("file.hash.sha256", "related.hash"),
    ("file.pe.imphash", "related.hash"),
    ("source.ip", "related.ip"),
    ("destination.ip", "related.ip"),
    ("dns.resolved_ip", "related.ip"),
];
