//! The audit system as a source of its own: what eBPF tells elsewhere, from the agent's own rules.
//!
//! Calls come as records of rules, the birth and end of processes from the kernel's process events.
//! The two are merged by time. A record takes a thread of the kernel to arrive, so process events
//! wait for the records of the same moment, [`PATIENCE`] at most.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::call::{self, Act, Place};
use super::connector::{Change, Connector};
use super::join::{Group, Joiner};
use super::loan::{CONFIG_CHANGE, Loan};
use super::socket::{READ_LOG, Socket};
use super::tasks::{Task, Tasks};
use super::{login, losses::Losses, record};
use crate::capture::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Action, Connection, Content, Event, Exit, File, Fork, Loss, ProcessKey};
use crate::host::{clock, procfs};

/// How long a process event waits for the records of its moment.
const PATIENCE: Duration = Duration::from_millis(100);

/// Records that are read before the caller gets its turn.
const STRIDE: usize = 8192;

/// Bytes of records that may wait in the socket, with the kernel's own of 2 KiB each. When it is
/// full for half a second, the kernel takes the daemon for dead.
const BUFFER: libc::c_int = 64 << 20;

/// `AUDIT_REPLACE`: another audit daemon wants to start.
const REPLACE: u16 = 1329;

/// What the source is told when it is opened.
#[derive(Debug)]
pub struct Settings {
    /// Neither report this process nor its descendants.
    pub mute: bool,
    /// Where /proc is found.
    pub root: PathBuf,
}

/// The agent's rules and what they record.
pub struct Audit {
    records: Socket,
    loan: Loan,
    connector: Option<Connector>,
    joiner: Joiner,
    tasks: Tasks,
    /// Process events that wait: since when, and the event.
    waiting: VecDeque<(Instant, Event)>,
    losses: Losses,
    coverage: Vec<Hook>,
    notices: Vec<String>,
    root: PathBuf,
    snapshot_taken: bool,
    /// The last drain ended at its stride, not at the end of the records.
    more: bool,
}

impl Audit {
    /// Adds the rules and starts to capture: as the audit daemon where none runs, else beside it.
    pub fn open(settings: Settings) -> Result<Self> {
        let muted = if settings.mute { std::process::id() } else { 0 };
        let (records, mut loan, mut coverage) = start(muted).map_err(refused)?;
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
            joiner: Joiner::default(),
            tasks: Tasks::new(settings.root.clone(), muted),
            waiting: VecDeque::new(),
            root: settings.root,
            snapshot_taken: false,
            more: false,
        })
    }

    fn snapshot(&mut self, sink: &mut dyn FnMut(Event)) {
        for event in procfs::snapshot(&self.root) {
            if let Action::Snapshot(exec) = &event.action {
                self.tasks
                    .snapshot(&event, exec.parent.map(|parent| parent.pid));
            }
            sink(event);
        }
    }

    /// Reads both streams and hands over what is ripe.
    fn read(&mut self, sink: &mut dyn FnMut(Event)) -> io::Result<()> {
        let mut found = Vec::new();
        self.read_records(&mut found)?;
        // After the records, so that every process that they tell of is known.
        self.read_process_events();
        for found in found {
            let event = match found {
                Found::Login(event) => Some(*event),
                Found::Call(group) => event(&mut self.tasks, &self.root, &group),
            };
            if let Some(event) = event {
                self.release(Some(event.time), sink);
                sink(event);
            }
        }
        self.release(None, sink);
        Ok(())
    }

    fn read_records(&mut self, found: &mut Vec<Found>) -> io::Result<()> {
        self.more = true;
        let mut step_aside = false;
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
                1300..1400 => found.extend(self.joiner.add(kind, text).map(Found::Call)),
                _ => {
                    let login = login::decode(kind, text);
                    found.extend(login.map(|event| Found::Login(Box::new(event))));
                }
            }
        }
        while let Some(group) = self.joiner.overdue(false) {
            found.push(Found::Call(group));
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
        let (to_boot, to_wall) = clock::since_monotonic();
        loop {
            match connector.next() {
                Ok(Some(Some((time, change)))) => {
                    let event = process_event(&mut self.tasks, change, time, to_boot, to_wall);
                    self.waiting
                        .extend(event.map(|event| (Instant::now(), event)));
                }
                Ok(Some(None)) => {}
                Ok(None) => return,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.losses.add_process_events(connector.newly_dropped());
                }
                Err(error) => {
                    self.notices
                        .push(format!("process events end here: {error}"));
                    self.connector = None;
                    return;
                }
            }
        }
    }

    /// Hands over process events from before a time, and those that have waited long enough.
    fn release(&mut self, before: Option<u64>, sink: &mut dyn FnMut(Event)) {
        while let Some((since, event)) = self.waiting.front()
            && (before.is_some_and(|before| event.time <= before) || since.elapsed() >= PATIENCE)
        {
            let Some((_, event)) = self.waiting.pop_front() else {
                return;
            };
            if matches!(event.action, Action::Exit(_)) {
                self.tasks.remove(event.process);
            }
            sink(event);
        }
    }
}

/// What the records of an event tell.
enum Found {
    Login(Box<Event>),
    Call(Group),
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
        self.read(sink).map_err(ended)?;
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        let returned = self.loan.delete_rules();
        // What the rules have caused until now is on its way through a thread of the kernel.
        std::thread::sleep(PATIENCE);
        loop {
            self.read(sink).map_err(ended)?;
            if !self.more {
                break;
            }
        }
        while let Some(group) = self.joiner.overdue(true) {
            if let Some(event) = event(&mut self.tasks, &self.root, &group) {
                sink(event);
            }
        }
        self.release(Some(u64::MAX), sink);
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
    let hooks = loan.watch(muted)?;
    Ok((records, loan, hooks))
}

/// The event of a call, unless its process is not to be reported.
fn event(tasks: &mut Tasks, root: &Path, group: &Group) -> Option<Event> {
    let told = call::decode(group)?;
    let parent = tasks.of(told.parent);
    let known = tasks.of(told.pid);
    if known.or(parent).is_some_and(|task| task.muted) {
        return None;
    }
    tasks.update(told.pid, |task| {
        (task.credentials, task.login) = (told.credentials, told.login);
    });
    let unknown = ProcessKey {
        pid: told.pid,
        start: ProcessKey::UNKNOWN_START,
    };
    Some(Event {
        time: told.time,
        process: known.map_or(unknown, |task| task.key),
        thread: told.pid,
        credentials: told.credentials,
        login: told.login,
        repeat: None,
        content: Content::Unasked,
        call: Some(Box::new(told.call)),
        action: action(told.act, told.pid, parent, root),
    })
}

fn action(act: Act, pid: u32, parent: Option<Task>, root: &Path) -> Action {
    match act {
        Act::Exec(mut exec) => {
            exec.parent = parent.map(|parent| parent.key);
            Action::Exec(exec)
        }
        Act::File {
            change,
            path,
            old,
            inode,
        } => {
            let (path, path_truncated) = absolute(root, pid, path);
            let old = old.map(|old| absolute(root, pid, old));
            let old_path_truncated = old.as_ref().is_some_and(|(_, truncated)| *truncated);
            Action::File(File {
                change,
                path,
                old_path: old.map(|(path, _)| path),
                path_truncated,
                old_path_truncated,
                deleted: false,
                unanswered: false,
                nofollow: false,
                inode,
            })
        }
        Act::Connection {
            direction,
            peer,
            stage,
        } => Action::Connection(Connection {
            direction,
            local: None,
            peer,
            stage,
        }),
    }
}

/// A path, and whether its begin is lost: the folder it counts from is what the descriptor leads to
/// now.
fn absolute(root: &Path, pid: u32, place: Place) -> (Vec<u8>, bool) {
    let Some(folder) = place.folder else {
        return (place.path, false);
    };
    match procfs::descriptor(root, pid, folder) {
        Some(folder) => (call::below(&folder, &place.path), false),
        None => (place.path, true),
    }
}

/// A process event, unless its process is not to be reported. What `tasks` knows is of the time
/// when the event is read.
fn process_event(
    tasks: &mut Tasks,
    change: Change,
    time: u64,
    to_boot: u64,
    to_wall: u64,
) -> Option<Event> {
    let (task, action) = match change {
        Change::Fork { parent, child } => {
            let (parent, child) = tasks.fork(parent, child, time.wrapping_add(to_boot))?;
            (parent, Action::Fork(Fork { child: child.key }))
        }
        Change::Exit { pid, status } => {
            let exit = Exit {
                code: (status >> 8) as u8,
                signal: (status & 0x7f) as u8,
            };
            (tasks.of(pid)?, Action::Exit(exit))
        }
        Change::Users {
            pid,
            real,
            effective,
        } => {
            tasks.update(pid, |task| {
                (task.credentials.uid, task.credentials.euid) = (real, effective);
            });
            return None;
        }
        Change::Groups {
            pid,
            real,
            effective,
        } => {
            tasks.update(pid, |task| {
                (task.credentials.gid, task.credentials.egid) = (real, effective);
            });
            return None;
        }
    };
    (!task.muted).then(|| Event {
        time: time.wrapping_add(to_wall),
        process: task.key,
        thread: task.key.pid,
        credentials: task.credentials,
        login: task.login,
        repeat: None,
        content: Content::Unasked,
        call: None,
        action,
    })
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
