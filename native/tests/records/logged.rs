//! Records of Windows' event log, made by hand.

use endpoint_agent_native::ecs::windows::providers;
use endpoint_agent_native::event::LogRecord;
use serde_json::{Value, json};

/// A record with these values.
pub fn record(provider: &str, guid: &str, id: u32, data: &[(&str, &str)]) -> LogRecord {
    LogRecord {
        provider: provider.to_owned().into(),
        provider_guid: guid.to_owned().into(),
        id,
        number: 4711,
        process: 644,
        thread: 8248,
        channel: "Some/Channel".into(),
        computer: "SRV-FOO.my-domain.example".into(),
        data: data.iter().copied().collect(),
        ..LogRecord::default()
    }
}

const SECURITY: &str = "{54849625-5478-4994-A5BA-3E3B0328C30D}";

/// One of the Security log, of what was done or failed.
pub fn security(id: u32, success: bool, data: &[(&str, &str)]) -> LogRecord {
    LogRecord {
        keywords: if success {
            0x8020_0000_0000_0000
        } else {
            0x8010_0000_0000_0000
        },
        ..record(providers::SECURITY, SECURITY, id, data)
    }
}

/// Records, and the fields that the original agent gives them, taken from its published samples.
pub fn samples() -> Vec<(LogRecord, Value)> {
    vec![
        (
            security(
                5156,
                true,
                &[
                    ("ProcessID", "2184"),
                    ("Application", r"\device\harddisk\windows\system32\test.exe"),
                    ("Direction", "%%14593"),
                    ("SourceAddress", "5.6.7.8"),
                    ("SourcePort", "2"),
                    ("DestAddress", "1.2.3.4"),
                    ("DestPort", "1"),
                    ("Protocol", "6"),
                    ("FilterRTID", "72760"),
                    ("LayerName", "%%14611"),
                    ("LayerRTID", "48"),
                    ("RemoteUserID", "S-1-0-0"),
                    ("RemoteMachineID", "S-1-0-0"),
                ],
            ),
            json!({
                "action": {"id": 5156, "properties": {
                    "Application": r"\device\harddisk\windows\system32\test.exe",
                    "Direction": "%%14593", "EventType": "AUDIT_SUCCESS", "FilterRTID": "72760",
                    "Keywords": "0x8020000000000000", "LayerName": "%%14611", "LayerRTID": "48",
                    "ProviderGuid": SECURITY, "RemoteMachineID": "S-1-0-0",
                    "RemoteUserID": "S-1-0-0", "Severity": "LOG_ALWAYS",
                    "SourceName": "Microsoft-Windows-Security-Auditing"}},
                "destination": {"address": "1.2.3.4", "ip": "1.2.3.4", "port": 1},
                "event": {"provider": "Microsoft-Windows-Security-Auditing", "code": 5156},
                "network": {"transport": "tcp"},
                "process": {"pid": 2184},
                "source": {"address": "5.6.7.8", "ip": "5.6.7.8", "port": 2},
            }),
        ),
        (
            security(
                4624,
                true,
                &[
                    ("SubjectUserSid", "S-1-5-18"),
                    ("SubjectUserName", "SRV-FOO"),
                    ("SubjectDomainName", "MY-DOMAIN"),
                    ("SubjectLogonId", "0x3E7"),
                    ("TargetUserSid", "S-1-5-18"),
                    ("TargetUserName", "Syst\u{e8}me"),
                    ("TargetDomainName", "AUTORITE NT"),
                    ("TargetLogonId", "0x3E7"),
                    ("LogonType", "5"),
                    ("LogonProcessName", "Advapi  "),
                    ("WorkstationName", "-"),
                    ("LogonGuid", "{00000000-0000-0000-0000-000000000000}"),
                    ("ProcessId", "0x2A4"),
                    ("ProcessName", r"C:\Windows\System32\services.exe"),
                    ("IpAddress", "-"),
                    ("IpPort", "-"),
                ],
            ),
            json!({
                "user": {"target": {"id": "S-1-5-18", "name": "Syst\u{e8}me", "domain": "AUTORITE NT"},
                    "id": "S-1-5-18", "name": "SRV-FOO", "domain": "MY-DOMAIN"},
                "action": {"id": 4624, "properties": {
                    "EventType": "AUDIT_SUCCESS", "IpAddress": "-", "IpPort": "-",
                    "Keywords": "0x8020000000000000",
                    "LogonGuid": "{00000000-0000-0000-0000-000000000000}",
                    "LogonProcessName": "Advapi  ", "LogonType": "5",
                    "ProcessName": r"C:\Windows\System32\services.exe",
                    "ProviderGuid": SECURITY, "Severity": "LOG_ALWAYS",
                    "SourceName": "Microsoft-Windows-Security-Auditing",
                    "SubjectDomainName": "MY-DOMAIN", "SubjectLogonId": "0x3E7",
                    "SubjectUserName": "SRV-FOO", "SubjectUserSid": "S-1-5-18",
                    "TargetDomainName": "AUTORITE NT", "TargetLogonId": "0x3E7",
                    "TargetUserName": "Syst\u{e8}me", "TargetUserSid": "S-1-5-18",
                    "WorkstationName": "-"}},
                "event": {"provider": "Microsoft-Windows-Security-Auditing", "code": 4624},
                "process": {"executable": r"C:\Windows\System32\services.exe",
                    "name": "services.exe", "pid": 676},
            }),
        ),
        (
            security(
                4625,
                false,
                &[
                    ("SubjectUserSid", "S-1-0-0"),
                    ("SubjectUserName", "-"),
                    ("SubjectDomainName", "-"),
                    ("TargetUserSid", "S-1-0-0"),
                    ("TargetUserName", "foo-vm"),
                    ("TargetDomainName", "foo-vm"),
                    ("Status", "0xC000006D"),
                    ("LogonType", "3"),
                    ("WorkstationName", "WIN-FOO"),
                    ("ProcessId", "0x0"),
                    ("ProcessName", "-"),
                    ("IpAddress", "1.1.1.1"),
                    ("IpPort", "0"),
                ],
            ),
            json!({
                "user": {"target": {"id": "S-1-0-0", "name": "foo-vm", "domain": "foo-vm"},
                    "id": "S-1-0-0"},
                "action": {"id": 4625, "properties": {
                    "EventType": "AUDIT_FAILURE", "IpAddress": "1.1.1.1", "IpPort": "0",
                    "Keywords": "0x8010000000000000", "LogonType": "3", "ProcessName": "-",
                    "ProviderGuid": SECURITY, "Severity": "LOG_ALWAYS",
                    "SourceName": "Microsoft-Windows-Security-Auditing", "Status": "0xC000006D",
                    "SubjectDomainName": "-", "SubjectUserName": "-", "SubjectUserSid": "S-1-0-0",
                    "TargetDomainName": "foo-vm", "TargetUserName": "foo-vm",
                    "TargetUserSid": "S-1-0-0", "WorkstationName": "WIN-FOO"}},
                "event": {"provider": "Microsoft-Windows-Security-Auditing", "code": 4625},
                "source": {"address": "1.1.1.1", "ip": "1.1.1.1"},
            }),
        ),
        (
            security(
                4769,
                true,
                &[
                    ("TargetUserName", "VM-1111@EXAMPLE.LOCAL"),
                    ("TargetDomainName", "EXAMPLE.LOCAL"),
                    ("ServiceSid", "S-1-5-21-2222222-111111111-1197373316-51000"),
                    ("TicketOptions", "0x40810000"),
                    ("IpAddress", "::ffff:10.0.11.12"),
                    ("IpPort", "57111"),
                    ("LogonGuid", "{345a31bc-e0d8-4d9b-98e7-d7c27a2404f2}"),
                ],
            ),
            json!({
                "user": {"target": {"name": "VM-1111@EXAMPLE.LOCAL", "domain": "EXAMPLE.LOCAL"}},
                "action": {"id": 4769, "properties": {
                    "EventType": "AUDIT_SUCCESS", "IpAddress": "::ffff:10.0.11.12",
                    "IpPort": "57111", "Keywords": "0x8020000000000000",
                    "LogonGuid": "{345a31bc-e0d8-4d9b-98e7-d7c27a2404f2}",
                    "ProviderGuid": SECURITY,
                    "ServiceSid": "S-1-5-21-2222222-111111111-1197373316-51000",
                    "Severity": "LOG_ALWAYS", "SourceName": "Microsoft-Windows-Security-Auditing",
                    "TargetDomainName": "EXAMPLE.LOCAL", "TargetUserName": "VM-1111@EXAMPLE.LOCAL",
                    "TicketOptions": "0x40810000"}},
                "event": {"provider": "Microsoft-Windows-Security-Auditing", "code": 4769},
                "source": {"address": "10.0.11.12", "ip": "10.0.11.12"},
            }),
        ),
        (
            security(
                4698,
                true,
                &[
                    ("SubjectUserSid", "S-1-5-18"),
                    ("SubjectUserName", "EXPL111$"),
                    ("SubjectDomainName", "EXAMPLE"),
                    ("TaskName", r"\Agent Sysmon"),
                    ("ClientProcessStartKey", "14918173765668009"),
                    ("ClientProcessId", "10704"),
                    ("ParentProcessId", "1188"),
                    ("RpcCallClientLocality", "0"),
                    ("FQDN", "EXPL111.example.org"),
                ],
            ),
            json!({
                "user": {"id": "S-1-5-18", "name": "EXPL111$", "domain": "EXAMPLE"},
                "action": {"id": 4698, "properties": {
                    "ClientProcessId": "10704", "ClientProcessStartKey": "14918173765668009",
                    "EventType": "AUDIT_SUCCESS", "FQDN": "EXPL111.example.org",
                    "Keywords": "0x8020000000000000", "ProviderGuid": SECURITY,
                    "RpcCallClientLocality": "0", "Severity": "LOG_ALWAYS",
                    "SourceName": "Microsoft-Windows-Security-Auditing",
                    "SubjectDomainName": "EXAMPLE", "SubjectUserName": "EXPL111$",
                    "SubjectUserSid": "S-1-5-18", "TaskName": r"\Agent Sysmon"}},
                "event": {"provider": "Microsoft-Windows-Security-Auditing", "code": 4698},
                "process": {"parent": {"pid": 1188}},
            }),
        ),
        (
            LogRecord {
                level: 5,
                process: 9144,
                ..record(
                    providers::POWERSHELL,
                    "{A0C1853B-5C40-4B15-8766-3CF1C58F985A}",
                    4104,
                    &[
                        ("MessageNumber", "1"),
                        ("MessageTotal", "1"),
                        ("ScriptBlockText", "Write-Host \"Setting up Proxy\"\r\n"),
                        ("ScriptBlockId", "9472ba11-b266-49b9-88f9-7650d9f33cb1"),
                        ("Path", r"C:\Packages\script0.ps1"),
                    ],
                )
            },
            json!({
                "action": {"id": 4104, "properties": {
                    "Keywords": "0x0", "MessageNumber": "1", "MessageTotal": "1",
                    "Path": r"C:\Packages\script0.ps1",
                    "ProviderGuid": "{A0C1853B-5C40-4B15-8766-3CF1C58F985A}",
                    "ScriptBlockId": "9472ba11-b266-49b9-88f9-7650d9f33cb1",
                    "ScriptBlockText": "Write-Host \"Setting up Proxy\"\r\n",
                    "Severity": "VERBOSE", "SourceName": "Microsoft-Windows-PowerShell"}},
                "event": {"provider": "Microsoft-Windows-PowerShell", "code": 4104},
                "process": {"pid": 9144, "thread": {"id": 8248}},
            }),
        ),
        (
            LogRecord {
                level: 4,
                keywords: 1 << 63,
                ..record(
                    providers::DEFENDER,
                    "{11CD958A-C507-4EF3-B3F2-5FD9DFBD2C78}",
                    1151,
                    &[
                        ("Product Name", "Antivirus Microsoft Defender"),
                        ("Unused", ""),
                        ("RTP state", "Activ\u{e9}"),
                        ("Last full scan age", "4294967295"),
                        ("Product status", "0x00080000"),
                    ],
                )
            },
            json!({
                "action": {"id": 1151, "properties": {
                    "Keywords": "0x8000000000000000", "Last full scan age": "4294967295",
                    "Product Name": "Antivirus Microsoft Defender",
                    "Product status": "0x00080000",
                    "ProviderGuid": "{11CD958A-C507-4EF3-B3F2-5FD9DFBD2C78}",
                    "RTP state": "Activ\u{e9}", "Severity": "INFO",
                    "SourceName": "Microsoft-Windows-Windows Defender", "Unused": ""}},
                "event": {"provider": "Microsoft-Windows-Windows Defender", "code": 1151},
            }),
        ),
        (
            LogRecord {
                level: 4,
                keywords: 1 << 63,
                ..record(
                    providers::SYSMON,
                    "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
                    22,
                    &[
                        ("RuleName", "-"),
                        ("UtcTime", "2022-06-02 12:23:18.607"),
                        ("ProcessGuid", "{033fb112-653e-6298-8301-000000001000}"),
                        ("ProcessId", "6440"),
                        ("QueryName", "connect.facebook.net"),
                        ("QueryStatus", "0"),
                        (
                            "QueryResults",
                            "type:  5 scontent.xx.fbcdn.net;::ffff:157.240.21.20;2a03:2880:f1fd:b:face:b00c:0:99;",
                        ),
                        (
                            "Image",
                            r"C:\Program Files\Google\Chrome\Application\chrome.exe",
                        ),
                        ("User", r"TEST-PC\test"),
                    ],
                )
            },
            json!({
                "action": {"id": 22, "properties": {
                    "Image": r"C:\Program Files\Google\Chrome\Application\chrome.exe",
                    "Keywords": "0x8000000000000000",
                    "ProcessGuid": "{033fb112-653e-6298-8301-000000001000}",
                    "ProviderGuid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}", "RuleName": "-",
                    "Severity": "INFO", "SourceName": "Microsoft-Windows-Sysmon",
                    "User": r"TEST-PC\test", "UtcTime": "2022-06-02 12:23:18.607"}},
                "dns": {"answers": [
                        {"name": "scontent.xx.fbcdn.net", "type": "CNAME"},
                        {"data": "157.240.21.20", "type": "A"},
                        {"data": "2a03:2880:f1fd:b:face:b00c:0:99", "type": "AAAA"}],
                    "resolved_ip": ["157.240.21.20", "2a03:2880:f1fd:b:face:b00c:0:99"],
                    "question": {"name": "connect.facebook.net", "size_in_char": 20},
                    "response_code": "0"},
                "event": {"code": 22, "provider": "Microsoft-Windows-Sysmon"},
                "process": {
                    "executable": r"C:\Program Files\Google\Chrome\Application\chrome.exe",
                    "name": "chrome.exe", "pid": 6440},
                "user": {"name": "test", "domain": "TEST-PC"},
            }),
        ),
    ]
}
