//! What is changed in the audit system, and put back.
//!
//! Where the audit system is off, programs' own records of logins go nowhere. It is then turned on,
//! under a rule that keeps it from looking at system calls, as long as nobody else uses it.

use std::io;

use super::record::Record;
use super::rules::{self, Rule};
use super::socket::{Socket, Status, mask, request};

/// `AUDIT_CONFIG_CHANGE`: the kernel tells every change of the audit system.
pub const CONFIG_CHANGE: u16 = 1305;

/// The audit system as it was lent.
pub struct Loan {
    control: Socket,
    /// It was off, and is on for the agent alone.
    turned_on: bool,
}

impl Loan {
    /// Turns the audit system on if it is off.
    pub fn take(mut control: Socket) -> io::Result<Self> {
        let status = control.status()?;
        let mut loan = Self {
            turned_on: status.pid == 0 && status.enabled == 1 && is_left(&mut control)?,
            control,
        };
        if status.enabled == 0 {
            loan.add(&Rule::never_watch_processes())?;
            loan.turned_on = true;
            loan.enable(1)?;
        }
        Ok(loan)
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
        if self.turned_on && (has_daemon || (is_rule && !is_own)) {
            self.turned_on = false;
            let _ = self.delete(&Rule::never_watch_processes());
        }
    }

    /// Puts back what was changed. A second call does nothing.
    pub fn give_back(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.turned_on) {
            return Ok(());
        }
        let disabled = self.enable(0);
        self.delete(&Rule::never_watch_processes()).and(disabled)
    }

    fn enable(&mut self, enabled: u32) -> io::Result<()> {
        self.control.set(Status {
            mask: mask::ENABLED,
            enabled,
            ..Default::default()
        })
    }

    fn add(&mut self, rule: &Rule) -> io::Result<()> {
        let added = self
            .control
            .ask(request::ADD_RULE, rule.bytes(), &mut |_| {});
        unless(libc::EEXIST, added)
    }

    fn delete(&mut self, rule: &Rule) -> io::Result<()> {
        let deleted = self
            .control
            .ask(request::DELETE_RULE, rule.bytes(), &mut |_| {});
        unless(libc::ENOENT, deleted)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let _ = self.give_back();
    }
}

/// A run that was killed has left the audit system on, with the agent's rule.
fn is_left(control: &mut Socket) -> io::Result<bool> {
    let mut found = false;
    control.ask(request::LIST_RULES, &[], &mut |message| {
        found |= message.kind == request::LIST_RULES && rules::is_own(message.payload);
    })?;
    Ok(found)
}

/// What was to be done is done already.
fn unless(code: i32, outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.raw_os_error() == Some(code) => Ok(()),
        other => other,
    }
}
