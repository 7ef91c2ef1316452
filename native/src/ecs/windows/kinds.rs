//! What the events of the event log mean, one row each.
//!
//! The actions of the Security log are Winlogbeat's, those of Sysmon its manual's. Where neither
//! has a word, it is this agent's.

use std::sync::LazyLock;

use hashbrown::HashMap;

use super::providers::{
    APPLOCKER, BITS, DEFENDER, DNS, EVENTLOG, FIREWALL, NTLM, POWERSHELL, POWERSHELL_CLASSIC,
    POWERSHELL_CORE, REMOTE_DESKTOP, REMOTE_SESSIONS, SECURITY, SERVICES, SQL_SERVER, SYSMON,
    TASKS, WMI, common,
};

/// What an event of a provider means.
#[derive(Debug)]
pub struct LogKind {
    /// Who writes it.
    pub provider: &'static str,
    /// The provider's number of it.
    pub id: u32,
    /// `event.action`.
    pub action: &'static str,
    /// The members of `event.category`, separated by spaces; there may be none.
    pub category: &'static str,
    /// The members of `event.type`, likewise.
    pub class: &'static str,
    /// `event.outcome`, unless the record's keywords say it.
    pub outcome: Outcome,
    /// `event.kind` is `alert`.
    pub is_alert: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody says.
    Untold,
    /// It was done.
    Success,
    /// It was tried in vain, or is an error.
    Failure,
}

impl Outcome {
    /// The word of ECS.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Outcome::Untold => None,
            Outcome::Success => Some("success"),
            Outcome::Failure => Some("failure"),
        }
    }
}

macro_rules! kinds {
    ($($provider:ident: $($id:literal $action:literal $category:literal / $class:literal $outcome:ident $($alert:ident)?;)+)+) => {
        /// Every row.
        pub const ALL: &[LogKind] = &[$($(LogKind {
            provider: $provider,
            id: $id,
            action: $action,
            category: $category,
            class: $class,
            outcome: Outcome::$outcome,
            is_alert: kinds!(@is $($alert)?),
        },)+)+];
    };
    (@is) => { false };
    (@is alert) => { true };
}

kinds! {
    SYSMON:
    1 "Process creation" "process" / "start" Success;
    2 "A process changed a file creation time" "file" / "change" Success;
    3 "Network connection" "network" / "start connection protocol" Success;
    4 "Sysmon service state changed" "process" / "change" Success;
    5 "Process terminated" "process" / "end" Success;
    6 "Driver loaded" "driver" / "start" Success;
    7 "Image loaded" "process" / "change" Success;
    8 "CreateRemoteThread" "process" / "change" Success;
    9 "RawAccessRead" "process" / "access" Success;
    10 "ProcessAccess" "process" / "access" Success;
    11 "FileCreate" "file" / "creation" Success;
    12 "RegistryEvent (Object create and delete)" "configuration registry" / "change" Success;
    13 "RegistryEvent (Value Set)" "configuration registry" / "change" Success;
    14 "RegistryEvent (Key and Value Rename)" "configuration registry" / "change" Success;
    15 "FileCreateStreamHash" "file" / "access" Success;
    16 "ServiceConfigurationChange" "configuration" / "change" Success;
    17 "PipeEvent (Pipe Created)" "file" / "creation" Success;
    18 "PipeEvent (Pipe Connected)" "file" / "access" Success;
    19 "WmiEvent (WmiEventFilter activity detected)" "process" / "info" Success;
    20 "WmiEvent (WmiEventConsumer activity detected)" "process" / "change" Success;
    21 "WmiEvent (WmiEventConsumerToFilter activity detected)" "process" / "access" Success;
    22 "DNSEvent (DNS query)" "network" / "connection protocol info" Untold;
    23 "FileDelete (File Delete archived)" "file" / "deletion" Success;
    24 "ClipboardChange (New content in the clipboard)" "" / "change" Success;
    25 "ProcessTampering (Process image change)" "process" / "change" Success;
    26 "FileDeleteDetected (File Delete logged)" "file" / "deletion" Success;
    27 "FileBlockExecutable" "file" / "creation" Failure;
    28 "FileBlockShredding" "file" / "deletion" Failure;
    29 "FileExecutableDetected" "file" / "creation" Success;
    255 "Error" "process" / "error" Failure;

    EVENTLOG:
    104 "log-cleared" "configuration" / "deletion" Success;
    1100 "logging-service-shutdown" "process" / "end" Success;
    1101 "audit-events-dropped" "iam" / "admin error" Failure;
    1102 "audit-log-cleared" "iam" / "admin change" Success;
    1104 "logging-full" "iam" / "admin" Failure;
    1105 "auditlog-archived" "iam" / "admin" Success;
    1108 "logging-processing-error" "iam" / "admin error" Failure;

    SECURITY:
    4608 "system-started" "host" / "start" Untold;
    4610 "authentication-package-loaded" "configuration" / "access" Untold;
    4611 "trusted-logon-process-registered" "configuration" / "change" Untold;
    4614 "notification-package-loaded" "configuration" / "access" Untold;
    4616 "system-time-changed" "configuration" / "change" Untold;
    4622 "security-package-loaded" "configuration" / "access" Untold;
    4624 "logged-in" "authentication" / "start" Untold;
    4625 "logon-failed" "authentication" / "start" Untold;
    4634 "logged-out" "authentication" / "end" Untold;
    4647 "logged-out" "authentication" / "end" Untold;
    4648 "logged-in-explicit" "authentication" / "start" Untold;
    4656 "object-handle-requested" "file" / "access" Untold;
    4657 "registry-value-modified" "registry configuration" / "change" Untold;
    4658 "object-handle-closed" "file" / "info" Untold;
    4660 "object-deleted" "file" / "deletion" Untold;
    4661 "object-handle-requested" "iam" / "admin access" Untold;
    4662 "object-operation-performed" "iam configuration" / "admin change" Untold;
    4663 "object-accessed" "file" / "access" Untold;
    4670 "permissions-changed" "iam configuration" / "admin change" Untold;
    4672 "logged-in-special" "iam" / "admin" Untold;
    4673 "privileged-service-called" "iam" / "admin" Untold;
    4674 "privileged-operation" "iam" / "admin" Untold;
    4688 "created-process" "process" / "start" Untold;
    4689 "exited-process" "process" / "end" Untold;
    4697 "service-installed" "iam configuration" / "admin change" Untold;
    4698 "scheduled-task-created" "iam configuration" / "creation admin" Untold;
    4699 "scheduled-task-deleted" "iam configuration" / "deletion admin" Untold;
    4700 "scheduled-task-enabled" "iam configuration" / "change admin" Untold;
    4701 "scheduled-task-disabled" "iam configuration" / "change admin" Untold;
    4702 "scheduled-task-updated" "iam configuration" / "change admin" Untold;
    4706 "domain-trust-added" "configuration" / "creation" Untold;
    4707 "domain-trust-removed" "configuration" / "deletion" Untold;
    4713 "kerberos-policy-changed" "configuration" / "change" Untold;
    4714 "encrypted-data-recovery-policy-changed" "configuration" / "change" Untold;
    4715 "object-audit-policy-changed" "configuration" / "change" Untold;
    4716 "trusted-domain-information-changed" "configuration" / "change" Untold;
    4717 "system-security-access-granted" "iam configuration" / "admin change" Untold;
    4718 "system-security-access-removed" "iam configuration" / "admin deletion" Untold;
    4719 "changed-audit-config" "iam configuration" / "admin change" Untold;
    4720 "added-user-account" "iam" / "user creation" Untold;
    4722 "enabled-user-account" "iam" / "user change" Untold;
    4723 "changed-password" "iam" / "user change" Untold;
    4724 "reset-password" "iam" / "user change" Untold;
    4725 "disabled-user-account" "iam" / "user deletion" Untold;
    4726 "deleted-user-account" "iam" / "user deletion" Untold;
    4727 "added-group-account" "iam" / "group creation" Untold;
    4728 "added-member-to-group" "iam" / "group change" Untold;
    4729 "removed-member-from-group" "iam" / "group change" Untold;
    4730 "deleted-group-account" "iam" / "group deletion" Untold;
    4731 "added-group-account" "iam" / "group creation" Untold;
    4732 "added-member-to-group" "iam" / "group change" Untold;
    4733 "removed-member-from-group" "iam" / "group change" Untold;
    4734 "deleted-group-account" "iam" / "group deletion" Untold;
    4735 "modified-group-account" "iam" / "group change" Untold;
    4737 "modified-group-account" "iam" / "group change" Untold;
    4738 "modified-user-account" "iam" / "user change" Untold;
    4739 "domain-policy-changed" "configuration" / "change" Untold;
    4740 "locked-out-user-account" "iam" / "user change" Untold;
    4741 "added-computer-account" "iam" / "creation admin" Untold;
    4742 "changed-computer-account" "iam" / "change admin" Untold;
    4743 "deleted-computer-account" "iam" / "deletion admin" Untold;
    4744 "added-distribution-group-account" "iam" / "group creation" Untold;
    4745 "changed-distribution-group-account" "iam" / "group change" Untold;
    4746 "added-member-to-distribution-group" "iam" / "group change" Untold;
    4747 "removed-member-from-distribution-group" "iam" / "group change" Untold;
    4748 "deleted-distribution-group-account" "iam" / "group deletion" Untold;
    4749 "added-distribution-group-account" "iam" / "group creation" Untold;
    4750 "changed-distribution-group-account" "iam" / "group change" Untold;
    4751 "added-member-to-distribution-group" "iam" / "group change" Untold;
    4752 "removed-member-from-distribution-group" "iam" / "group change" Untold;
    4753 "deleted-distribution-group-account" "iam" / "group deletion" Untold;
    4754 "added-group-account" "iam" / "group creation" Untold;
    4755 "modified-group-account" "iam" / "group change" Untold;
    4756 "added-member-to-group" "iam" / "group change" Untold;
    4757 "removed-member-from-group" "iam" / "group change" Untold;
    4758 "deleted-group-account" "iam" / "group deletion" Untold;
    4759 "added-distribution-group-account" "iam" / "group creation" Untold;
    4760 "changed-distribution-group-account" "iam" / "group change" Untold;
    4761 "added-member-to-distribution-group" "iam" / "group change" Untold;
    4762 "removed-member-from-distribution-group" "iam" / "group change" Untold;
    4763 "deleted-distribution-group-account" "iam" / "group deletion" Untold;
    4764 "type-changed-group-account" "iam" / "group change" Untold;
    4767 "unlocked-user-account" "iam" / "user change" Untold;
    4768 "kerberos-authentication-ticket-requested" "authentication" / "start" Untold;
    4769 "kerberos-service-ticket-requested" "authentication" / "start" Untold;
    4770 "kerberos-service-ticket-renewed" "authentication" / "start" Untold;
    4771 "kerberos-preauth-failed" "authentication" / "start" Untold;
    4776 "credential-validated" "authentication" / "start" Untold;
    4778 "session-reconnected" "authentication session" / "start" Untold;
    4779 "session-disconnected" "authentication session" / "end" Untold;
    4781 "renamed-user-account" "iam" / "user change" Untold;
    4797 "query-existence-of-blank-password" "iam" / "user info" Untold;
    4798 "group-membership-enumerated" "iam" / "user info" Untold;
    4799 "user-member-enumerated" "iam" / "group info" Untold;
    4817 "object-audit-changed" "iam configuration" / "admin change" Untold;
    4902 "user-audit-policy-created" "iam configuration" / "admin creation" Untold;
    4904 "security-event-source-added" "iam configuration" / "admin change" Untold;
    4905 "security-event-source-removed" "iam configuration" / "admin deletion" Untold;
    4906 "crash-on-audit-changed" "iam configuration" / "admin change" Untold;
    4907 "audit-setting-changed" "iam configuration" / "admin change" Untold;
    4908 "special-group-table-changed" "iam configuration" / "admin change" Untold;
    4912 "per-user-audit-policy-changed" "iam configuration" / "admin change" Untold;
    4946 "windows-firewall-rule-added" "configuration" / "creation" Untold;
    4947 "windows-firewall-rule-modified" "configuration" / "change" Untold;
    4948 "windows-firewall-rule-deleted" "configuration" / "deletion" Untold;
    4950 "windows-firewall-setting-changed" "configuration" / "change" Untold;
    4954 "windows-firewall-group-policy-changed" "configuration" / "change" Untold;
    4964 "logged-in-special" "iam" / "admin group" Untold;
    5024 "windows-firewall-service-started" "process" / "start" Untold;
    5025 "windows-firewall-service-stopped" "process" / "end" Untold;
    5033 "windows-firewall-driver-started" "driver" / "start" Untold;
    5034 "windows-firewall-driver-stopped" "driver" / "end" Untold;
    5037 "windows-firewall-driver-error" "driver" / "end" Untold;
    5136 "directory-service-object-modified" "iam configuration" / "admin change" Untold;
    5137 "directory-service-object-created" "iam configuration" / "admin creation" Untold;
    5141 "directory-service-object-deleted" "iam configuration" / "admin deletion" Untold;
    5140 "network-share-object-accessed" "network file" / "info access" Untold;
    5142 "network-share-added" "network configuration" / "creation" Untold;
    5143 "network-share-modified" "network configuration" / "change" Untold;
    5144 "network-share-deleted" "network configuration" / "deletion" Untold;
    5145 "network-share-object-access-checked" "network file" / "info access" Untold;
    5152 "windows-firewall-packet-dropped" "network" / "connection denied" Untold;
    5154 "windows-firewall-listen-allowed" "network" / "start allowed" Untold;
    5155 "windows-firewall-listen-blocked" "network" / "start denied" Untold;
    5156 "windows-firewall-connection-allowed" "network" / "connection start allowed" Untold;
    5157 "windows-firewall-connection-blocked" "network" / "connection start denied" Untold;
    5158 "windows-firewall-bind-allowed" "network" / "start allowed" Untold;
    5159 "windows-firewall-bind-blocked" "network" / "start denied" Untold;
    5379 "credential-manager-credentials-were-read" "iam" / "user info" Untold;
    5380 "vault-credential-find" "iam" / "user info" Untold;
    5381 "vault-credentials-were-read" "iam" / "user info" Untold;
    5382 "vault-credentials-were-read" "iam" / "user info" Untold;

    POWERSHELL:
    4103 "powershell-pipeline-executed" "process" / "info" Untold;
    4104 "powershell-script-block-logged" "process" / "info" Untold;
    4105 "powershell-script-block-started" "process" / "start" Untold;
    4106 "powershell-script-block-completed" "process" / "end" Untold;

    POWERSHELL_CORE:
    4103 "powershell-pipeline-executed" "process" / "info" Untold;
    4104 "powershell-script-block-logged" "process" / "info" Untold;
    4105 "powershell-script-block-started" "process" / "start" Untold;
    4106 "powershell-script-block-completed" "process" / "end" Untold;

    POWERSHELL_CLASSIC:
    400 "powershell-engine-started" "process" / "start" Untold;
    403 "powershell-engine-stopped" "process" / "end" Untold;
    600 "powershell-provider-started" "process" / "info" Untold;
    800 "powershell-pipeline-executed" "process" / "info" Untold;

    DEFENDER:
    1006 "malware-found" "malware" / "info" Untold alert;
    1007 "malware-action-taken" "malware" / "info" Success alert;
    1008 "malware-action-failed" "malware" / "info" Failure alert;
    1015 "suspicious-behavior-detected" "malware" / "info" Untold alert;
    1116 "malware-detected" "malware" / "info" Untold alert;
    1117 "malware-action-taken" "malware" / "info" Success alert;
    1118 "malware-action-failed" "malware" / "info" Failure alert;
    1119 "malware-action-failed" "malware" / "info" Failure alert;
    1121 "attack-surface-reduction-blocked" "intrusion_detection" / "denied" Success alert;
    1122 "attack-surface-reduction-audited" "intrusion_detection" / "info" Success alert;
    1123 "controlled-folder-access-blocked" "intrusion_detection" / "denied" Success alert;
    1124 "controlled-folder-access-audited" "intrusion_detection" / "info" Success alert;
    1125 "network-protection-audited" "intrusion_detection" / "info" Success alert;
    1126 "network-protection-blocked" "intrusion_detection" / "denied" Success alert;
    1150 "malware-protection-health" "host" / "info" Success;
    1151 "malware-protection-health" "host" / "info" Success;
    2001 "malware-protection-update-failed" "configuration" / "change" Failure;
    5001 "real-time-protection-disabled" "configuration" / "change" Success;
    5004 "real-time-protection-changed" "configuration" / "change" Success;
    5007 "malware-protection-configuration-changed" "configuration" / "change" Success;
    5010 "malware-scan-disabled" "configuration" / "change" Success;
    5012 "virus-scan-disabled" "configuration" / "change" Success;
    5013 "tamper-protection-blocked" "configuration" / "denied" Success;

    WMI:
    5857 "wmi-provider-loaded" "library" / "start" Untold;
    5858 "wmi-operation-failed" "process" / "error" Failure;
    5859 "wmi-subscription-started" "configuration" / "creation" Success;
    5860 "wmi-temporary-subscription-created" "configuration" / "creation" Success;
    5861 "wmi-permanent-subscription-created" "configuration" / "creation" Success;

    NTLM:
    4001 "ntlm-outgoing-blocked" "authentication" / "start denied" Failure;
    4002 "ntlm-incoming-blocked" "authentication" / "start denied" Failure;
    4003 "ntlm-domain-blocked" "authentication" / "start denied" Failure;
    4020 "ntlm-client-used" "authentication" / "start" Untold;
    4021 "ntlm-client-used" "authentication" / "start" Untold;
    4022 "ntlm-server-used" "authentication" / "start" Untold;
    4023 "ntlm-server-used" "authentication" / "start" Untold;
    8001 "ntlm-outgoing-audited" "authentication" / "start" Untold;
    8002 "ntlm-incoming-audited" "authentication" / "start" Untold;
    8003 "ntlm-domain-audited" "authentication" / "start" Untold;
    8004 "ntlm-domain-controller-audited" "authentication" / "start" Untold;

    TASKS:
    100 "scheduled-task-started" "process" / "start" Success;
    102 "scheduled-task-completed" "process" / "end" Success;
    106 "scheduled-task-created" "configuration" / "creation" Success;
    110 "scheduled-task-triggered" "process" / "info" Success;
    129 "scheduled-task-process-created" "process" / "start" Success;
    140 "scheduled-task-updated" "configuration" / "change" Success;
    141 "scheduled-task-deleted" "configuration" / "deletion" Success;
    142 "scheduled-task-disabled" "configuration" / "change" Success;
    200 "scheduled-task-action-started" "process" / "start" Success;
    201 "scheduled-task-action-completed" "process" / "end" Success;

    SERVICES:
    7036 "service-state-changed" "process" / "change" Success;
    7040 "service-start-type-changed" "configuration" / "change" Success;
    7045 "service-installed" "configuration" / "creation" Success;

    FIREWALL:
    2002 "windows-firewall-setting-changed" "configuration" / "change" Success;
    2003 "windows-firewall-setting-changed" "configuration" / "change" Success;
    2004 "windows-firewall-rule-added" "configuration" / "creation" Success;
    2005 "windows-firewall-rule-modified" "configuration" / "change" Success;
    2006 "windows-firewall-rule-deleted" "configuration" / "deletion" Success;
    2033 "windows-firewall-rules-deleted" "configuration" / "deletion" Success;

    APPLOCKER:
    8002 "applocker-allowed" "process" / "start allowed" Success;
    8003 "applocker-would-block" "process" / "start allowed" Success;
    8004 "applocker-blocked" "process" / "start denied" Failure;
    8005 "applocker-allowed" "process" / "start allowed" Success;
    8006 "applocker-would-block" "process" / "start allowed" Success;
    8007 "applocker-blocked" "process" / "start denied" Failure;

    REMOTE_DESKTOP:
    1149 "remote-desktop-user-authenticated" "authentication" / "start" Success;

    REMOTE_SESSIONS:
    21 "remote-desktop-session-started" "authentication session" / "start" Success;
    23 "remote-desktop-session-ended" "authentication session" / "end" Success;
    24 "remote-desktop-disconnected" "session" / "end" Success;
    25 "remote-desktop-reconnected" "session" / "start" Success;

    BITS:
    3 "transfer-job-created" "network" / "info" Success;
    4 "transfer-job-completed" "network" / "info" Success;
    5 "transfer-job-cancelled" "network" / "info" Success;
    59 "transfer-started" "network" / "start" Success;
    60 "transfer-stopped" "network" / "end" Untold;
    61 "transfer-stopped" "network" / "end" Failure;

    SQL_SERVER:
    18453 "database-logged-in" "authentication database" / "start" Success;
    18454 "database-logged-in" "authentication database" / "start" Success;
    18456 "database-logon-failed" "authentication database" / "start" Failure;
    33205 "database-audited" "database" / "info" Untold;

    DNS:
    3006 "dns-query" "network" / "protocol" Untold;
    3008 "dns-query-result" "network" / "protocol info" Untold;
}

static KINDS: LazyLock<HashMap<(&str, u32), &LogKind>> = LazyLock::new(|| {
    ALL.iter()
        .map(|kind| ((kind.provider, kind.id), kind))
        .collect()
});

/// The row of a provider's event, if there is one.
pub fn find(provider: &str, id: u32) -> Option<&'static LogKind> {
    let provider = common(provider);
    KINDS.get(&(provider, id)).copied()
}
