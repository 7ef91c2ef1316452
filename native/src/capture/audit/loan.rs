//! What is changed in the audit system, and put back.
//!
//! Where the audit system is off, programs' own records of logins go nowhere. It is then turned on,
//! under a rule that keeps it from looking at system calls, as long as nobody else uses it.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use super::calls::Abi;
use super::record::Record;
use super::rules::{self, Rule, Watch};
use super::socket::{Socket, Status, mask, request};
use crate::capture::{Hook, HookState};

/// `AUDIT_CONFIG_CHANGE`: the kernel tells every change of the audit system.
pub const CONFIG_CHANGE: u16 = 1305;

/// Records that may wait for the agent where it is the audit daemon.
const BACKLOG: u32 = 8192;

/// A name in the kernel that only one process can hold.
const LOCK: &[u8] = b"endpoint-agent-audit";

/// The audit system as it was lent.
pub struct Loan {
    control: Socket,
    /// Held unless another agent, or its self-test, has a loan as well.
    lock: Option<UnixDatagram>,
    /// What was changed, to be undone from the last on.
    changes: Vec<Change>,
    /// The kernel is to tell that the agent has added its rule without a key.
    awaits_unkeyed: bool,
    /// The rule that stands for all of 32-bit programs until one runs, and those that then follow.
    any_narrow: Option<(Rule, Vec<Watch>)>,
}

/// A change, and how to undo it.
enum Change {
    /// It was off.
    TurnedOn,
    /// It had this limit.
    Backlog(u32),
    /// It had no daemon.
    Daemon,
    /// It did not have this rule.
    Rule(Rule),
}

impl Loan {
    /// Nothing is changed yet.
    pub fn new(control: Socket) -> Self {
        Self {
            control,
            lock: lock(),
            changes: Vec::new(),
            awaits_unkeyed: false,
            any_narrow: None,
        }
    }

    /// Turns the audit system on if it is off, without letting it look at system calls.
    pub fn turn_on(&mut self) -> io::Result<()> {
        let status = self.status()?;
        let left = self.delete_left()?;
        if status.enabled == 0 || (left && status.enabled == 1 && status.pid == 0) {
            self.add(Rule::never_watch_processes())?;
            self.enable()?;
        }
        Ok(())
    }

    /// Makes the owner of a socket the audit daemon; false where another one runs.
    pub fn become_daemon(&mut self, records: &mut Socket) -> io::Result<bool> {
        let status = self.status()?;
        if status.enabled == 2 {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        // The kernel forgets a daemon that is gone only when it has something to say.
        if status.pid != 0 && Path::new(&format!("/proc/{}", status.pid)).exists() {
            return Ok(false);
        }
        records.set(Status {
            mask: mask::PID,
            pid: std::process::id(),
            ..Default::default()
        })?;
        self.changes.push(Change::Daemon);
        if status.backlog_limit < BACKLOG {
            self.limit_backlog(BACKLOG)?;
            self.changes.push(Change::Backlog(status.backlog_limit));
        }
        Ok(true)
    }

    /// Adds the agent's rules, of which a kernel may refuse some. `datagrams`: see [`rules::of`].
    pub fn watch(&mut self, muted: u32, datagrams: bool) -> io::Result<Vec<Hook>> {
        let enabled = self.status()?.enabled;
        self.delete_left()?;
        if enabled == 0 {
            self.enable()?;
        }
        let mut hooks = Vec::new();
        let any = rules::any_narrow(muted, datagrams);
        let mut watches = rules::of(Abi::Wide, muted, datagrams);
        watches.push(Watch {
            name: rules::name_of(Abi::Narrow, "any"),
            rules: vec![any.clone()],
        });
        self.any_narrow = Some((any, rules::of(Abi::Narrow, muted, datagrams)));
        for watch in watches {
            let outcome = self.add_first(watch.rules);
            hooks.push(hook(watch.name, outcome.map_err(|error| error.to_string())));
        }
        if self.is_blinded()? {
            let why = "a rule `task,never` of this host keeps new processes from being watched; \
                       delete it (`auditctl -d task,never`)";
            hooks.push(hook("audit of new processes".into(), Err(why.into())));
        }
        // Whoever else reads the records may want all of them.
        if self
            .changes
            .iter()
            .any(|change| matches!(change, Change::Daemon))
        {
            // Where that fails there are more records, which costs no more than before.
            self.awaits_unkeyed = self.add(Rule::no_unread()).is_ok();
        }
        Ok(hooks)
    }

    /// Whether one rule still stands for all calls of 32-bit programs.
    pub fn awaits_narrow(&self) -> bool {
        self.any_narrow.is_some()
    }

    /// A 32-bit program runs: rules with conditions take the place of the one that records all of
    /// its calls. Where that fails it stays, so that no call is missed.
    pub fn watch_narrow(&mut self) -> io::Result<()> {
        let Some((any, watches)) = self.any_narrow.take() else {
            return Ok(());
        };
        let is_any = |change: &Change| matches!(change, Change::Rule(rule) if *rule == any);
        // Another agent's is left to it.
        let Some(place) = self.changes.iter().position(is_any) else {
            return Ok(());
        };
        for watch in watches {
            self.add_first(watch.rules)?;
        }
        self.delete(&any)?;
        self.changes.remove(place);
        Ok(())
    }

    fn is_blinded(&mut self) -> io::Result<bool> {
        let mut is_blinded = false;
        self.control.ask(request::LIST_RULES, &[], &mut |message| {
            is_blinded |= message.kind == request::LIST_RULES
                && rules::is_blinding(message.payload)
                && !rules::is_own(message.payload);
        })?;
        Ok(is_blinded)
    }

    /// The state now. To be asked rarely: the kernel starts a thread for each answer.
    pub fn status(&mut self) -> io::Result<Status> {
        self.control.status()
    }

    /// Takes in a change: who else uses the audit system finds it as if the agent were not there.
    pub fn notice(&mut self, change: &Record) {
        let by_other = |daemon: u32| daemon != 0 && daemon != std::process::id();
        let has_daemon = change.number("audit_pid").is_some_and(by_other);
        let is_rule = change.get("op").is_some_and(|op| op.raw == b"add_rule");
        let is_own = change
            .get("key")
            .is_some_and(|key| key.raw == rules::KEY.as_bytes());
        let is_unkeyed = change.number("list") == Some(rules::LIST_EXCLUDE);
        if is_rule && is_unkeyed && std::mem::take(&mut self.awaits_unkeyed) {
            return;
        }
        if has_daemon || (is_rule && !is_own) {
            self.share();
        }
    }

    /// What somebody else relies on now stays, and what is in his way goes.
    fn share(&mut self) {
        let in_the_way = [Rule::never_watch_processes(), Rule::no_unread()];
        for change in std::mem::take(&mut self.changes) {
            match change {
                Change::TurnedOn | Change::Backlog(_) => {}
                Change::Rule(rule) if in_the_way.contains(&rule) => {
                    let _ = self.delete(&rule);
                }
                Change::Daemon | Change::Rule(_) => self.changes.push(change),
            }
        }
    }

    /// Another audit daemon may start.
    pub fn step_aside(&mut self) -> io::Result<()> {
        let is_daemon = |change: &mut Change| matches!(change, Change::Daemon);
        let mut given_up = self.changes.extract_if(.., is_daemon).collect::<Vec<_>>();
        self.share();
        given_up.pop().map_or(Ok(()), |daemon| self.undo(daemon))
    }

    /// Deletes the agent's rules, and leaves the rest for [`Loan::give_back`].
    pub fn delete_rules(&mut self) -> io::Result<()> {
        self.any_narrow = None;
        let is_rule = |change: &mut Change| matches!(change, Change::Rule(_));
        let rules = self.changes.extract_if(.., is_rule).collect();
        self.undo_all(rules)
    }

    /// Puts back what was changed. A second call does nothing.
    pub fn give_back(&mut self) -> io::Result<()> {
        let changes = std::mem::take(&mut self.changes);
        self.undo_all(changes)
    }

    /// Leaves all as it is to another agent, which takes over.
    pub fn pass_on(&mut self) {
        self.changes.clear();
        self.lock = None;
    }

    /// Takes what another agent has passed on, or has left by dying.
    pub fn take_over(&mut self) -> io::Result<()> {
        self.lock = self.lock.take().or_else(lock);
        let rule = Rule::never_watch_processes();
        let mut is_left = false;
        self.control.ask(request::LIST_RULES, &[], &mut |message| {
            is_left |= message.kind == request::LIST_RULES
                && rules::is_own(message.payload)
                && Rule::listed(message.payload) == rule;
        })?;
        // It stands exactly as long as nobody else relies on what was turned on with it.
        if is_left && self.changes.is_empty() {
            self.changes = vec![Change::Rule(rule), Change::TurnedOn];
        }
        Ok(())
    }

    /// Does all it can, and fails with the first that failed.
    fn undo_all(&mut self, changes: Vec<Change>) -> io::Result<()> {
        let mut outcome = Ok(());
        for change in changes.into_iter().rev() {
            outcome = outcome.and(self.undo(change));
        }
        outcome
    }

    fn undo(&mut self, change: Change) -> io::Result<()> {
        match change {
            Change::Rule(rule) => self.delete(&rule),
            Change::Backlog(limit) => self.limit_backlog(limit),
            Change::TurnedOn => self.set(mask::ENABLED, Status::default()),
            Change::Daemon => self.set(mask::PID, Status::default()),
        }
    }

    fn enable(&mut self) -> io::Result<()> {
        let enabled = Status {
            enabled: 1,
            ..Default::default()
        };
        self.set(mask::ENABLED, enabled)?;
        self.changes.push(Change::TurnedOn);
        Ok(())
    }

    fn limit_backlog(&mut self, backlog_limit: u32) -> io::Result<()> {
        let limited = Status {
            backlog_limit,
            ..Default::default()
        };
        self.set(mask::BACKLOG_LIMIT, limited)
    }

    fn set(&mut self, mask: u32, status: Status) -> io::Result<()> {
        self.control.set(Status { mask, ..status })
    }

    /// Adds the first of these rules that the kernel takes.
    fn add_first(&mut self, rules: Vec<Rule>) -> io::Result<()> {
        let mut outcome = Ok(());
        for rule in rules {
            outcome = self.add(rule);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn add(&mut self, rule: Rule) -> io::Result<()> {
        let added = self
            .control
            .ask(request::ADD_RULE, rule.bytes(), &mut |_| {});
        match added {
            Ok(()) => self.changes.push(Change::Rule(rule)),
            // It is another agent's, or the administrator's, who deletes it.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn delete(&mut self, rule: &Rule) -> io::Result<()> {
        let deleted = self
            .control
            .ask(request::DELETE_RULE, rule.bytes(), &mut |_| {});
        match deleted {
            // Somebody has deleted all rules, as audit daemons do when they start.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// Deletes what a killed run has left; whether that had kept calls from being looked at.
    fn delete_left(&mut self) -> io::Result<bool> {
        if self.lock.is_none() {
            return Ok(false);
        }
        let mut left = Vec::new();
        self.control.ask(request::LIST_RULES, &[], &mut |message| {
            if message.kind == request::LIST_RULES && rules::is_own(message.payload) {
                left.push(Rule::listed(message.payload));
            }
        })?;
        for rule in &left {
            self.delete(rule)?;
        }
        Ok(left.contains(&Rule::never_watch_processes()))
    }
}

fn lock() -> Option<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(LOCK);
    name.and_then(|name| UnixDatagram::bind_addr(&name)).ok()
}

fn hook(name: String, outcome: Result<(), String>) -> Hook {
    let state = match outcome {
        Ok(()) => HookState::Attached,
        Err(_) => HookState::Failed,
    };
    Hook {
        name,
        state,
        reason: outcome.err().unwrap_or_default(),
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let _ = self.give_back();
    }
}
