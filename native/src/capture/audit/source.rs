//! The audit system as a source of its own: what eBPF tells elsewhere, from the agent's own rules.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::calls::Abi;
use super::connector::{Connector, Outcome};
use super::digest::{Digest, PATIENCE, Time};
use super::host::Host;
use super::join::kind::SYSCALL;
use super::journal::Journal;
use super::loan::{CONFIG_CHANGE, Loan};
use super::losses::Losses;
use super::record;
use super::socket::{READ_LOG, Socket};
use crate::capture::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};
use crate::host::{clock, procfs};

/// Records, and process events, that are read before the caller gets its turn.
const STRIDE: usize = 8192;

/// Bytes of records that may wait in the socket, with the kernel's own of 2 KiB each. When it is
/// full for half a second, the kernel takes the daemon for dead.
const BUFFER: libc::c_int = 64 << 20;

/// How long the end is waited for: other processes, and rules of others, go on.
const END: Duration = Duration::from_secs(3);

/// Time between two looks at the processes: it takes a while where there are many.
const PAUSE: Duration = Duration::from_secs(5);

/// `AUDIT_REPLACE`: another audit daemon wants to start.
const REPLACE: u16 = 1329;

/// What the source is told when it is opened.
#[derive(Debug)]
pub struct Settings {
    /// Neither report this process nor its descendants.
    pub mute: bool,
    /// A new file that receives what is read.
    pub record: Option<PathBuf>,
    /// The boot's id, for the recording.
    pub boot_id: [u8; 16],
    /// Where /proc is found.
    pub root: PathBuf,
}

/// The agent's rules and what they record.
pub struct Audit {
    records: Socket,
    loan: Loan,
    connector: Option<Connector>,
    digest: Digest,
    host: Host,
    journal: Journal,
    losses: Losses,
    coverage: Vec<Hook>,
    notices: Vec<String>,
    root: PathBuf,
    snapshot_taken: bool,
    /// Process events were lost since the processes were looked at, which was then.
    missed: bool,
    looked: Instant,
    /// The last drain ended at its stride, not at the end of the records and process events.
    more: bool,
}

impl Audit {
    /// Adds the rules and starts to capture: as the audit daemon where none runs, else beside it.
    pub fn open(settings: Settings) -> Result<Self> {
        let muted = if settings.mute { std::process::id() } else { 0 };
        let (records, mut loan, mut coverage) = start(muted).map_err(refused)?;
        let journal = Journal::open(settings.record.as_deref(), settings.boot_id, muted)?;
        let connector = Connector::open();
        let (state, reason) = match &connector {
            Ok(_) => (HookState::Attached, String::new()),
            Err(error) => (HookState::Failed, error.to_string()),
        };
        coverage.push(Hook {
            name: "process events".into(),
            state,
            reason,
        });
        let notices = coverage.iter().filter_map(crate::capture::complaint);
        Ok(Self {
            notices: notices.collect(),
            coverage,
            records,
            losses: Losses::new(&mut loan),
            loan,
            connector: connector.ok(),
            digest: Digest::new(muted),
            host: Host::Live {
                root: settings.root.clone(),
                kept: journal.is_open().then(Vec::new),
            },
            journal,
            root: settings.root,
            snapshot_taken: false,
            missed: false,
            looked: Instant::now(),
            more: false,
        })
    }

    fn snapshot(&mut self, sink: &mut dyn FnMut(Event)) {
        for event in procfs::snapshot(&self.root) {
            self.digest.snapshot(&event);
            self.journal.snapshot(&event);
            sink(event);
        }
    }

    /// Looks at the processes again after some of their events were lost: a number may be another's
    /// by now. What happened before the loss has to be read by then.
    fn look_again(&mut self) {
        if self.missed && !self.more && self.looked.elapsed() >= PAUSE {
            self.snapshot(&mut |_| {});
            (self.missed, self.looked) = (false, Instant::now());
        }
    }

    /// Reads both streams and hands over what is ripe; all of it at the `end`.
    fn read(&mut self, end: bool, sink: &mut dyn FnMut(Event)) -> io::Result<()> {
        self.read_records()?;
        // After the records, so that every process that they tell of is known.
        self.read_process_events();
        let now = clock::boot_time();
        self.digest.turn(now, end, &mut self.host, sink);
        self.losses.add_late(self.digest.take_late());
        self.journal.turn(now, end, &mut self.host);
        self.notices.extend(self.journal.flush());
        Ok(())
    }

    fn read_records(&mut self) -> io::Result<()> {
        self.more = true;
        let (mut step_aside, mut narrow) = (false, false);
        for _ in 0..STRIDE {
            let message = match self.records.next() {
                Ok(Some(Some(message))) => message,
                Ok(Some(None)) => continue,
                Ok(None) => {
                    self.more = false;
                    break;
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.losses.add(self.records.newly_dropped());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (kind, text) = (message.kind, message.payload);
            match kind {
                REPLACE => step_aside = true,
                CONFIG_CHANGE => {
                    if let Some(change) = record::parse(kind, text) {
                        self.loan.notice(&change);
                    }
                }
                _ => {
                    narrow |= self.loan.awaits_narrow() && is_narrow(kind, text);
                    self.journal.message(kind, text);
                    self.digest.record(kind, text);
                }
            }
        }
        if narrow && let Err(error) = self.loan.watch_narrow() {
            let notice = format!("all calls of 32-bit programs are recorded from now on: {error}");
            self.notices.push(notice);
        }
        if step_aside {
            self.step_aside();
        }
        Ok(())
    }

    /// Another audit daemon takes over; its records may be read by everyone.
    fn step_aside(&mut self) {
        let outcome = Socket::open(READ_LOG).and_then(|socket| {
            socket.reserve(BUFFER);
            self.loan.step_aside()?;
            self.records = socket;
            Ok(())
        });
        self.notices.push(match outcome {
            Ok(()) => {
                "another audit daemon wants to start: the agent reads beside it from now on, \
                       and it can start"
                    .into()
            }
            Err(error) => format!("another audit daemon cannot start beside the agent: {error}"),
        });
    }

    fn read_process_events(&mut self) {
        let Some(connector) = &mut self.connector else {
            return;
        };
        let now = clock::boot_time();
        let (to_boot, to_wall) = clock::since_monotonic();
        let (digest, journal, host) = (&mut self.digest, &mut self.journal, &mut self.host);
        journal.set_clock(clock::read());
        let outcome = connector.read(STRIDE, &mut |time, change| {
            let time = Time {
                boot: time.wrapping_add(to_boot),
                wall: time.wrapping_add(to_wall),
            };
            digest.process_event(change, time, now, host);
            journal.process_event(change, time, now, host);
        });
        match outcome {
            Ok(Outcome { dropped, more }) => {
                self.losses.add_process_events(dropped);
                self.missed |= dropped > 0;
                self.more |= more;
            }
            Err(error) => {
                self.notices
                    .push(format!("process events end here: {error}"));
                self.connector = None;
            }
        }
    }
}

impl Source for Audit {
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        if !self.snapshot_taken {
            self.snapshot(sink);
            self.snapshot_taken = true;
        } else if !self.more {
            // A wake-up for each record would cost more than the record.
            std::thread::sleep(timeout);
        }
        self.read(false, sink).map_err(ended)?;
        self.look_again();
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        let returned = self.loan.delete_rules();
        // What the rules have caused until now is on its way through a thread of the kernel.
        std::thread::sleep(Duration::from_nanos(PATIENCE));
        let deadline = Instant::now() + END;
        loop {
            self.read(false, sink).map_err(ended)?;
            if !self.more || Instant::now() >= deadline {
                break;
            }
        }
        self.read(true, sink).map_err(ended)?;
        self.losses.end();
        if let Err(error) = returned.and(self.loan.give_back()) {
            self.notices.push(format!(
                "the audit system is not as it was before: {error}; see `auditctl -s` and -l"
            ));
        }
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.losses.take(&mut self.loan)
    }

    fn coverage(&self) -> Vec<Hook> {
        self.coverage.clone()
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

/// Opens the stream of records and adds the rules.
fn start(muted: u32) -> io::Result<(Socket, Loan, Vec<Hook>)> {
    let mut loan = Loan::new(Socket::open(0)?);
    let mut records = Socket::open(0)?;
    if !loan.become_daemon(&mut records)? {
        records = Socket::open(READ_LOG)?;
    }
    records.reserve(BUFFER);
    let datagrams = release() >= Some((5, 16));
    let mut hooks = loan.watch(muted, datagrams)?;
    if !datagrams {
        hooks.push(Hook {
            name: "audit rule datagrams".into(),
            state: HookState::Missing,
            reason: "kernels before 5.16 do not tell them from other data".into(),
        });
    }
    Ok((records, loan, hooks))
}

/// Whether a record is of a call of a 32-bit program.
fn is_narrow(kind: u16, text: &[u8]) -> bool {
    let record = (kind == SYSCALL)
        .then(|| record::parse(kind, text))
        .flatten();
    let arch = record.and_then(|record| record.get("arch")?.hexadecimal());
    arch == Some(Abi::Narrow.arch().into())
}

/// Major and minor number of the kernel.
fn release() -> Option<(u32, u32)> {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn refused(error: io::Error) -> Error {
    let missing = format!("the kernel's audit system cannot be used: {error}");
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Error::Permission {
            missing,
            remedy: "run the agent as root, outside of containers".into(),
        },
        _ => Error::Unsupported {
            missing,
            remedy: "boot without audit=0, and with rules that are not locked (auditctl -e 2)"
                .into(),
        },
    }
}

fn ended(error: io::Error) -> Error {
    Error::Unsupported {
        missing: format!("the audit system gives no more records: {error}"),
        remedy: "restart the agent".into(),
    }
}
