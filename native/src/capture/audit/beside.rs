//! Logins and accounts beside another source: programs tell them to the audit system only.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::loan::{CONFIG_CHANGE, Loan};
use super::losses::Losses;
use super::socket::{READ_LOG, Socket};
use super::{login, record};
use crate::capture::gate::Gate;
use crate::capture::{Hook, HookState, Progress, Source};
use crate::error::Result;
use crate::event::{Event, Loss};
use crate::filter::Rules;

/// The name in reports.
const HOOK: &str = "audit user records";

/// Bytes of records that may wait in the socket.
const BUFFER: libc::c_int = 1 << 20;

/// Records that are read before the other source gets its turn.
const STRIDE: usize = 1024;

/// A source, and the records that it does not see.
pub struct Beside {
    source: Box<dyn Source>,
    gate: Option<Arc<Gate>>,
    records: Option<Records>,
    hook: Hook,
    notices: Vec<String>,
}

impl Beside {
    /// Joins the readers of the audit system. Where that fails, the source stays alone, and its
    /// coverage says so.
    pub fn new(source: Box<dyn Source>) -> Self {
        let (records, state, reason) = match Records::open() {
            Ok(records) => (Some(records), HookState::Attached, String::new()),
            Err(error) => {
                let missing = matches!(
                    error.raw_os_error(),
                    Some(libc::EPROTONOSUPPORT | libc::ECONNREFUSED)
                );
                let state = if missing {
                    HookState::Missing
                } else {
                    HookState::Failed
                };
                (None, state, error.to_string())
            }
        };
        let hook = Hook {
            name: HOOK.into(),
            state,
            reason,
        };
        Self {
            gate: source.gate(),
            source,
            records,
            hook,
            notices: Vec::new(),
        }
    }

    fn read(&mut self, sink: &mut dyn FnMut(Event)) {
        let Some(records) = &mut self.records else {
            return;
        };
        let turn = self.gate.as_ref().map(|gate| gate.turn());
        let read = records.read(&mut |event| {
            if turn.is_none_or(|turn| turn.has(event.time)) {
                sink(event);
            }
        });
        if let Err(error) = read {
            self.notices
                .push(format!("{HOOK} end here: {error}; restart the agent"));
            self.records = None;
        }
    }
}

impl Source for Beside {
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        let progress = self.source.drain(timeout, sink)?;
        self.read(sink);
        Ok(progress)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        let finished = self.source.finish(sink);
        self.read(sink);
        let is_over = self.gate.as_ref().is_some_and(|gate| gate.is_over());
        if let Some(records) = &mut self.records {
            records.losses.end();
            if is_over {
                records.loan.pass_on();
            } else if let Err(error) = records.loan.give_back() {
                self.notices.push(format!(
                    "the audit system stays on: {error}; turn it off with `auditctl -e 0`"
                ));
            }
        }
        finished
    }

    fn losses(&mut self) -> Vec<Loss> {
        let mut losses = self.source.losses();
        if let Some(records) = &mut self.records {
            losses.extend(records.losses.take(&mut records.loan));
        }
        losses
    }

    fn set_rules(&mut self, rules: &Arc<Rules>) -> u64 {
        self.source.set_rules(rules)
    }

    fn dropped(&mut self) -> u64 {
        self.source.dropped()
    }

    fn gate(&self) -> Option<Arc<Gate>> {
        self.gate.clone()
    }

    fn take_over(&mut self) {
        if let Some(records) = &mut self.records
            && let Err(error) = records.loan.take_over()
        {
            self.notices.push(format!(
                "the audit system will stay on: {error}; turn it off with `auditctl -e 0`"
            ));
        }
    }

    fn coverage(&self) -> Vec<Hook> {
        let mut coverage = self.source.coverage();
        coverage.push(self.hook.clone());
        coverage
    }

    fn notices(&mut self) -> Vec<String> {
        let mut notices = self.source.notices();
        notices.append(&mut self.notices);
        notices
    }
}

/// The stream of records, which anyone may read beside the audit daemon.
struct Records {
    socket: Socket,
    loan: Loan,
    losses: Losses,
}

impl Records {
    fn open() -> io::Result<Self> {
        let mut loan = Loan::new(Socket::open(0)?);
        let socket = Socket::open(READ_LOG)?;
        socket.reserve(BUFFER);
        loan.turn_on()?;
        Ok(Self {
            losses: Losses::new(&mut loan),
            socket,
            loan,
        })
    }

    fn read(&mut self, sink: &mut dyn FnMut(Event)) -> io::Result<()> {
        for _ in 0..STRIDE {
            let message = match self.socket.next() {
                Ok(Some(Some(message))) => message,
                Ok(Some(None)) => continue,
                Ok(None) => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.losses.add(self.socket.newly_dropped());
                    continue;
                }
                Err(error) => return Err(error),
            };
            if message.kind == CONFIG_CHANGE {
                if let Some(change) = record::parse(message.kind, message.payload) {
                    self.loan.notice(&change);
                }
            } else if let Some(event) = login::decode(message.kind, message.payload) {
                sink(event);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mock of a source that drops by itself.
    struct MockSource;

    impl Source for MockSource {
        fn drain(&mut self, _: Duration, _: &mut dyn FnMut(Event)) -> Result<Progress> {
            Ok(Progress::Ended)
        }

        fn finish(&mut self, _: &mut dyn FnMut(Event)) -> Result<()> {
            Ok(())
        }

        fn losses(&mut self) -> Vec<Loss> {
            Vec::new()
        }

        fn set_rules(&mut self, _: &Arc<Rules>) -> u64 {
            3
        }

        fn dropped(&mut self) -> u64 {
            4
        }

        fn coverage(&self) -> Vec<Hook> {
            Vec::new()
        }

        fn notices(&mut self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn rules_reach_the_other_source() {
        let mut beside = Beside {
            source: Box::new(MockSource),
            gate: None,
            records: None,
            hook: Hook {
                name: HOOK.into(),
                state: HookState::Missing,
                reason: String::new(),
            },
            notices: Vec::new(),
        };
        assert_eq!(beside.set_rules(&Arc::default()), 3);
        assert_eq!(beside.dropped(), 4);
    }
}
