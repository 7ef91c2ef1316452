//! What this host is asked of itself: its name, its drives, whose SIDs are whose, when a process was
//! created, whether Sysmon runs.

use std::collections::HashSet;
use std::ptr::{null, null_mut};
use std::sync::mpsc::{Receiver, Sender, channel};

use windows_sys::Win32::Foundation::{CloseHandle, FILETIME, LocalFree};
use windows_sys::Win32::Security::Authorization::ConvertStringSidToSidW;
use windows_sys::Win32::Security::{LookupAccountSidW, PSID, SidTypeUnknown};
use windows_sys::Win32::Storage::FileSystem::QueryDosDeviceW;
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, OpenSCManagerW, OpenServiceW, QueryServiceStatus, SC_MANAGER_CONNECT,
    SERVICE_QUERY_STATUS, SERVICE_RUNNING, SERVICE_STATUS,
};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, GetComputerNameExW,
};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::host::Host;

/// Units of a name or a path.
const MAX_TEXT: usize = 1024;
/// SIDs that are remembered as nobody's.
const MAX_NOBODY: usize = 4096;
/// Sysmon's service has the name of its program, which may be another.
const SYSMON: [&str; 3] = ["Sysmon64", "Sysmon", "Sysmon64a"];

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Text up to its NUL.
fn text(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0);
    String::from_utf16_lossy(&units[..end.unwrap_or(units.len())])
}

/// The name of this host, without its domain.
pub fn name() -> String {
    let mut units = [0; MAX_TEXT];
    let mut size = units.len() as u32;
    // SAFETY: there is room for as many units as it is told.
    let done = unsafe {
        GetComputerNameExW(
            ComputerNamePhysicalDnsHostname,
            units.as_mut_ptr(),
            &raw mut size,
        )
    };
    if done == 0 {
        String::new()
    } else {
        text(&units)
    }
}

/// Tells which device each drive is now.
pub fn drives(host: &mut Host) {
    for letter in 'A'..='Z' {
        let drive = format!("{letter}:");
        let mut units = [0; MAX_TEXT];
        // SAFETY: the name ends with a NUL, and there is room for as many units as it is told.
        let count = unsafe {
            QueryDosDeviceW(
                wide(&drive).as_ptr(),
                units.as_mut_ptr(),
                units.len() as u32,
            )
        };
        if count > 0 {
            host.learn_drive(&text(&units), &drive);
        }
    }
}

/// When the process that has a number now was created, 100 ns since 1601.
pub fn created(pid: u32) -> Option<u64> {
    let mut times = [FILETIME::default(); 4];
    let [created, ended, kernel, user] = &mut times;
    // SAFETY: the process is closed once, and all times have room.
    let done = unsafe {
        let process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
        if process.is_null() {
            return None;
        }
        let done = GetProcessTimes(process, created, ended, kernel, user);
        CloseHandle(process);
        done
    };
    let time = u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime);
    (done != 0 && time != 0).then_some(time)
}

/// Sysmon's service runs.
pub fn has_sysmon() -> bool {
    // SAFETY: the names end with a NUL, the status has the room that it needs, and what was opened is
    // closed.
    unsafe {
        let manager = OpenSCManagerW(null(), null(), SC_MANAGER_CONNECT);
        if manager.is_null() {
            return false;
        }
        let runs = SYSMON.iter().any(|name| {
            let service = OpenServiceW(manager, wide(name).as_ptr(), SERVICE_QUERY_STATUS);
            if service.is_null() {
                return false;
            }
            let mut status = SERVICE_STATUS::default();
            let told = QueryServiceStatus(service, &raw mut status);
            CloseServiceHandle(service);
            told != 0 && status.dwCurrentState == SERVICE_RUNNING
        });
        CloseServiceHandle(manager);
        runs
    }
}

/// Finds out whose SIDs are whose, on a thread of its own: a domain may take seconds to answer.
pub struct Accounts {
    questions: Sender<String>,
    answers: Receiver<(String, String)>,
    asked: HashSet<String>,
}

impl Accounts {
    /// Starts the thread. It ends with this.
    pub fn start() -> std::io::Result<Self> {
        let (questions, incoming) = channel::<String>();
        let (outgoing, answers) = channel();
        let thread = std::thread::Builder::new().name("accounts".into());
        thread.spawn(move || {
            for sid in incoming {
                let Some(account) = account(&sid) else {
                    continue;
                };
                if outgoing.send((sid, account)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            questions,
            answers,
            asked: HashSet::new(),
        })
    }

    /// Asks for those that a host has missed, and tells it those that were found, which it returns.
    pub fn settle(&mut self, host: &mut Host) -> Vec<(String, String)> {
        let found: Vec<_> = self.answers.try_iter().collect();
        for (sid, account) in &found {
            host.learn_account(sid, account);
        }
        if self.asked.len() > MAX_NOBODY {
            self.asked.clear();
        }
        for sid in host.missed.get_or_insert_default().drain(..) {
            if self.asked.insert(sid.clone()) {
                // Without the thread nobody is found.
                let _ = self.questions.send(sid);
            }
        }
        found
    }
}

/// The account of a SID: `DOMAIN\name`.
fn account(sid: &str) -> Option<String> {
    let mut parsed: PSID = null_mut();
    // SAFETY: the text ends with a NUL.
    if unsafe { ConvertStringSidToSidW(wide(sid).as_ptr(), &raw mut parsed) } == 0 {
        return None;
    }
    let (mut name, mut domain) = ([0; 256], [0; 256]);
    let (mut name_size, mut domain_size) = (name.len() as u32, domain.len() as u32);
    let mut kind = SidTypeUnknown;
    // SAFETY: there is room for as many units as it is told, and the SID is freed once.
    let done = unsafe {
        let done = LookupAccountSidW(
            null(),
            parsed,
            name.as_mut_ptr(),
            &raw mut name_size,
            domain.as_mut_ptr(),
            &raw mut domain_size,
            &raw mut kind,
        );
        LocalFree(parsed);
        done
    };
    (done != 0).then(|| format!("{}\\{}", text(&domain), text(&name)))
}
