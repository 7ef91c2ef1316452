//! Who writes records of the event log, by the names that are in these.

#![allow(missing_docs)]

pub const SECURITY: &str = "Microsoft-Windows-Security-Auditing";
pub const EVENTLOG: &str = "Microsoft-Windows-Eventlog";
pub const SYSMON: &str = "Microsoft-Windows-Sysmon";
pub const POWERSHELL: &str = "Microsoft-Windows-PowerShell";
/// PowerShell 6 and later.
pub const POWERSHELL_CORE: &str = "PowerShellCore";
/// The log "Windows PowerShell".
pub const POWERSHELL_CLASSIC: &str = "PowerShell";
pub const DEFENDER: &str = "Microsoft-Windows-Windows Defender";
pub const WMI: &str = "Microsoft-Windows-WMI-Activity";
pub const NTLM: &str = "Microsoft-Windows-NTLM";
pub const TASKS: &str = "Microsoft-Windows-TaskScheduler";
pub const SERVICES: &str = "Service Control Manager";
pub const FIREWALL: &str = "Microsoft-Windows-Windows Firewall With Advanced Security";
pub const APPLOCKER: &str = "Microsoft-Windows-AppLocker";
pub const DNS: &str = "Microsoft-Windows-DNS-Client";
/// Remote desktop: who may connect, and the sessions.
pub const REMOTE_DESKTOP: &str = "Microsoft-Windows-TerminalServices-RemoteConnectionManager";
pub const REMOTE_SESSIONS: &str = "Microsoft-Windows-TerminalServices-LocalSessionManager";
/// Transfers in the background.
pub const BITS: &str = "Microsoft-Windows-Bits-Client";
/// Microsoft's SQL server; another instance of it has its name behind `MSSQL$`.
pub const SQL_SERVER: &str = "MSSQLSERVER";

/// The provider under which the tables have what one writes.
pub fn common(provider: &str) -> &str {
    if provider.starts_with("MSSQL$") {
        SQL_SERVER
    } else {
        provider
    }
}
