//! Where events come from: a kernel, a recording of one, or a file of an event log.

#[cfg(target_os = "linux")]
pub mod audit;
#[cfg(target_os = "linux")]
pub mod ebpf;
pub mod etw;
pub mod eventlog;
#[cfg(target_os = "linux")]
pub mod gate;
#[cfg(target_os = "linux")]
pub mod recording;
pub mod together;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(target_os = "linux"))]
use crate::error::Error;
use crate::error::Result;
use crate::event::{Event, Loss};
use crate::filter::Rules;
use etw::etl::EtlFile;
use etw::recording::TraceFile;
use eventlog::file::LogFile;
#[cfg(target_os = "linux")]
use gate::Gate;
#[cfg(target_os = "linux")]
use recording::Replay;

/// A stream of events in the order they happened.
pub trait Source: Send {
    /// Waits up to `timeout` for events and hands over those that are there.
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress>;

    /// Stops capturing, and hands over what was captured but not drained yet.
    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()>;

    /// What was lost since the last call. Every lost occurrence is in exactly one of them.
    fn losses(&mut self) -> Vec<Loss>;

    /// Lets the source drop by itself what rules drop, if it can; the others are for the engine.
    ///
    /// Returns how many occurrences the rules before have dropped, as [`Source::dropped`].
    fn set_rules(&mut self, _rules: &Arc<Rules>) -> u64 {
        0
    }

    /// How many occurrences it has dropped since the last call. It has counted them for their rules.
    fn dropped(&mut self) -> u64 {
        0
    }

    /// What says which acts it tells, where it can share them with another agent.
    #[cfg(target_os = "linux")]
    fn gate(&self) -> Option<Arc<Gate>> {
        None
    }

    /// The other agent, which has left what both need in place, has ended.
    fn take_over(&mut self) {}

    /// Remembers where it is: all that it gave until now is written to the queue. Whether it wants to
    /// be told when that is on the disk; until then, no other place is remembered.
    fn mark(&mut self) -> bool {
        false
    }

    /// What it gave until it was asked for a mark is on the disk.
    fn settle(&mut self) {}

    /// The queue could not keep all that it gave since the last mark that was settled: who can gives
    /// it again. Whether it does.
    fn step_back(&mut self) -> bool {
        false
    }

    /// Adds to an event of another source what it knows of the processes that this names.
    fn complete(&mut self, _event: &mut Event) {}

    /// What it looks at, if that has changed since the last call.
    fn new_coverage(&mut self) -> Option<Vec<Hook>> {
        None
    }

    /// What the source looks at, and what it cannot.
    fn coverage(&self) -> Vec<Hook>;

    /// What went wrong since the last call without ending the source.
    fn notices(&mut self) -> Vec<String>;
}

/// Whether a file can be read and begins with these bytes.
fn begins_with(path: &Path, magic: [u8; 8]) -> bool {
    let mut head = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == magic
}

/// Opens a file of events: one of the event log or of event tracing if it begins like one, else a
/// recording of this kernel's. Tells the
/// boot that it is from, all zeros where nobody knows.
pub fn open(path: &Path) -> Result<(Box<dyn Source>, [u8; 16])> {
    if LogFile::is_at(path) {
        return Ok((Box::new(LogFile::open(path)?), [0; 16]));
    }
    if EtlFile::is_at(path) {
        return Ok((Box::new(EtlFile::open(path)?), [0; 16]));
    }
    if TraceFile::is_at(path) {
        return Ok((Box::new(TraceFile::open(path)?), [0; 16]));
    }
    #[cfg(target_os = "linux")]
    {
        let replay = Replay::open(path)?;
        let boot_id = replay.boot_id();
        Ok((Box::new(replay), boot_id))
    }
    #[cfg(not(target_os = "linux"))]
    Err(Error::Recording(format!(
        "{} is no file of the event log, and no recording of event tracing",
        path.display()
    )))
}

/// Whether a source has more to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More may come.
    Running,
    /// Nothing will come any more.
    Ended,
}

/// One place where a source looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The tracepoint's or function's name; of what was replaced, its domain's and its tier's.
    pub name: String,
    /// Whether it is in place.
    pub state: HookState,
    /// Why not, or an empty string.
    pub reason: String,
}

/// What the log says of a hook that should be in place and is not.
#[cfg(target_os = "linux")]
fn complaint(hook: &Hook) -> Option<String> {
    (hook.state == HookState::Failed)
        .then(|| format!("{} is not watched: {}", hook.name, hook.reason))
}

/// Whether a hook is in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    /// It captures.
    Attached,
    /// This kernel has no such place.
    Missing,
    /// The kernel has the place but refused the program.
    Failed,
    /// Not in place because others see the same, less well.
    Replaced,
}

impl HookState {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            HookState::Attached => "attached",
            HookState::Missing => "missing",
            HookState::Failed => "failed",
            HookState::Replaced => "replaced",
        }
    }
}
