//! Tells events, whatever they were read from, and counts those that cannot be told.

use super::host::Host;
use super::raw::{Header, of_epoch, since_epoch};
use super::tell::{Teller, Trouble};
use super::template::Provider;
use crate::ecs::windows::host_name;
use crate::event::{Action, Event, LogRecord, Loss};

/// What is learnt from and not told.
#[derive(Debug, Default)]
struct Muted {
    /// Names of providers, and numbers of their events.
    kinds: Vec<(&'static str, &'static [u16])>,
    /// The number of a process that does it.
    process: Option<String>,
}

impl Muted {
    fn has(&self, record: &LogRecord) -> bool {
        let is_kind = self.kinds.iter().any(|(provider, ids)| {
            *provider == record.provider && ids.iter().any(|&id| u32::from(id) == record.id)
        });
        let actor = || record.findings.as_ref()?.facts.get("ProcessId");
        is_kind || (self.process.is_some() && actor() == self.process.as_deref())
    }
}

/// Makes events of what Windows tells.
#[derive(Debug, Default)]
pub struct Player {
    teller: Teller,
    muted: Muted,
    malformed: u64,
    unknown: u64,
    lost: u64,
    /// Of the last event, nanoseconds since the epoch.
    time: u64,
}

impl Player {
    /// What the host was asked.
    pub fn host(&mut self) -> &mut Host {
        &mut self.teller.host
    }

    /// Tells one event. `attached`: what the header's flags announce, by its type.
    pub fn tell<'a>(
        &mut self,
        header: &Header,
        attached: impl Iterator<Item = (u16, &'a [u8])>,
        data: &[u8],
        sink: &mut dyn FnMut(Event),
    ) {
        self.time = since_epoch(header.time);
        let mut sink = audible(&self.muted, sink);
        let taken = self.teller.take(header, attached, data, &mut sink);
        drop(sink);
        if let Err(trouble) = taken {
            self.count(trouble);
        }
    }

    /// An event is wanted, and nobody has said yet how this version of it is laid out.
    pub fn lacks_layout(&self, header: &Header) -> bool {
        self.teller.lacks_layout(header)
    }

    /// Windows says this of such an event (`TRACE_EVENT_INFO`), or nothing. Whether it can be read now.
    pub fn learn_layout(&mut self, header: &Header, info: Option<&[u8]>) -> bool {
        self.teller.learn_layout(header, info)
    }

    /// These events of a provider, by their numbers, are told by others and not here, though what they
    /// say is learnt.
    pub fn mute(&mut self, provider: &'static Provider, ids: &'static [u16]) {
        self.muted.kinds.push((provider.name, ids));
    }

    /// What this process does is not told.
    pub fn mute_process(&mut self, pid: u32) {
        self.muted.process = Some(pid.to_string());
    }

    /// Adds to a record of the event log what is known of the processes that it names, if it is of this
    /// host. `created`: when the process that has a number now was created, 100 ns since 1601.
    pub fn complete(&mut self, event: &mut Event, created: &dyn Fn(u32) -> Option<u64>) {
        if let Action::Logged(record) = &mut event.action
            && !record.is_traced
            && host_name(&record.computer).eq_ignore_ascii_case(&self.teller.host.name)
        {
            self.teller.complete(record, event.time, created);
        }
    }

    /// It is that time, in 100 ns since 1601: what has waited for long enough is told.
    pub fn settle(&mut self, now: u64, sink: &mut dyn FnMut(Event)) {
        self.teller.settle(now, &mut audible(&self.muted, sink));
    }

    /// Nothing comes any more: what still waits is told.
    pub fn end(&mut self, sink: &mut dyn FnMut(Event)) {
        self.teller.end(&mut audible(&self.muted, sink));
    }

    /// Something is not told.
    pub fn count(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Malformed(_) => self.malformed += 1,
            Trouble::Unknown => self.unknown += 1,
        }
    }

    /// So many events were lost before they were read, which was seen then, in nanoseconds since the
    /// epoch.
    pub fn lose(&mut self, count: u64, time: u64) {
        self.lost = self.lost.saturating_add(count);
        self.time = time;
    }

    /// Something was lost, which was seen then, in nanoseconds since the epoch, and is told elsewhere.
    pub fn lose_some(&mut self, time: u64) {
        self.teller.processes.lost(of_epoch(time));
    }

    /// What was lost since the last call. `place`: where it was read.
    pub fn losses(&mut self, place: &'static str) -> Vec<Loss> {
        let Self {
            malformed,
            unknown,
            lost,
            time,
            ..
        } = self;
        let loss = |count: &mut u64, cause, place| Loss {
            what: "record",
            count: std::mem::take(count),
            cause,
            place,
            from: *time,
            to: *time,
        };
        let all = [
            loss(malformed, "malformed record", place),
            loss(unknown, "unknown layout", place),
            loss(lost, "buffers full", "tracing session"),
        ];
        all.into_iter().filter(|loss| loss.count > 0).collect()
    }

    /// What else went wrong since the last call.
    pub fn notices(&mut self) -> Vec<String> {
        match self.teller.take_forgotten() {
            0 => Vec::new(),
            count => vec![format!(
                "{count} processes and names of files and keys were forgotten for want of room"
            )],
        }
    }
}

/// Lets through what is not muted.
fn audible(muted: &Muted, sink: &mut dyn FnMut(Event)) -> impl FnMut(Event) {
    move |event: Event| {
        let is_muted = matches!(&event.action, Action::Logged(record) if muted.has(record));
        if !is_muted {
            sink(event);
        }
    }
}
