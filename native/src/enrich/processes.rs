//! The process table: who runs what, and who started it.
//!
//! It is filled by the snapshot at the start and kept by fork, exec and exit. A process leaves it
//! [`LINGER`] after its end, so that events that come late still find it, or when the table is
//! full: first the process that ended longest ago, then the one that was quiet for longest.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use lru::LruCache;
use uuid::Uuid;

use crate::counters::{Counter, Counters};
use crate::enrich::containers::{Container, Containers};
use crate::enrich::guid::Identity;
use crate::enrich::ledger::{Charged, Ledger};
use crate::enrich::program::Program;
use crate::event::{Action, Exec, Group, Namespaces, ProcessKey};
use crate::host::procfs;

/// Nanoseconds of event time that a process stays known after its end.
pub const LINGER: u64 = 10_000_000_000;
/// Processes in the table.
pub const MAX_PROCESSES: usize = 16_384;
/// Bytes of all texts in the table.
pub const MAX_BYTES: usize = 8 << 20;
/// Ancestors of a process that are remembered.
pub const MAX_ANCESTORS: usize = 5;
/// The number of `kthreadd`, which starts all other threads of the kernel.
const KTHREADD: u32 = 2;

/// A process that started another, the one that started that, and so on; shared by siblings.
pub type Lineage = Arc<[Ancestor]>;

/// A process as far as it is known.
#[derive(Debug)]
pub struct Process {
    /// Its name among all processes of all hosts.
    pub guid: Uuid,
    /// The program was read from /proc when an event asked for it, of this process or of the one
    /// that it inherited it from: it may be a later one.
    pub inferred: bool,
    /// The container it is in.
    pub container: Option<Arc<Container>>,
    /// Its namespaces, as far as they are others than the host's; else 0.
    pub namespaces: Namespaces,
    program: Option<Arc<Charged<Program>>>,
    ancestors: Lineage,
    /// It and its ancestors as its children have them, made for the first of them.
    heritage: Option<Lineage>,
    rendered: Option<Charged<Rendered>>,
    /// /proc has been asked.
    asked: bool,
    exited: bool,
    /// Its end was missed.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    is_gone: bool,
    ledger: Ledger,
}

/// A process that started another, and what it ran then.
#[derive(Clone, Debug)]
pub struct Ancestor {
    /// Which process.
    pub key: ProcessKey,
    /// Its name among all processes of all hosts.
    pub guid: Uuid,
    program: Option<Arc<Charged<Program>>>,
}

impl Ancestor {
    /// What it ran, if that is known.
    pub fn program(&self) -> Option<&Program> {
        self.program.as_ref().map(|program| &***program)
    }
}

/// What the output makes of a process, the same for all its events until the next exec.
#[derive(Debug)]
pub struct Rendered {
    /// JSON members of `process`.
    pub process: Vec<u8>,
    /// They tell a program.
    pub has_program: bool,
    /// JSON members of `sekoiaio.process`.
    pub identity: Vec<u8>,
    /// The root's member `container`, or nothing.
    pub container: Vec<u8>,
    /// JSON members of `action.properties`.
    pub properties: Vec<u8>,
    /// Who started it, who started that one, and so on: at most [`MAX_ANCESTORS`].
    pub ancestors: Lineage,
    /// Names of the fields that were cut.
    pub cut: Vec<String>,
}

impl Process {
    /// What it runs, if that is known.
    pub fn program(&self) -> Option<&Program> {
        self.program.as_ref().map(|program| &***program)
    }

    /// Who started it.
    pub fn parent(&self) -> Option<&Ancestor> {
        self.ancestors.first()
    }

    /// Who started it, who started that one, and so on: at most [`MAX_ANCESTORS`].
    pub fn ancestors(&self) -> &Lineage {
        &self.ancestors
    }

    /// What was rendered of it, made by `render` where it is missing.
    pub fn rendered(&mut self, render: impl FnOnce(&Process) -> Rendered) -> &Rendered {
        let kept = self.rendered.take().unwrap_or_else(|| {
            let rendered = render(self);
            let Rendered {
                process,
                identity,
                container,
                properties,
                ..
            } = &rendered;
            let texts = [process, identity, container, properties];
            let size = texts.map(Vec::len).iter().sum();
            self.ledger.charge(rendered, size)
        });
        self.rendered.insert(kept)
    }
}

/// The table.
#[derive(Debug)]
pub struct Processes {
    table: LruCache<ProcessKey, Process>,
    /// Those that ended, and when, oldest first.
    exited: VecDeque<(u64, ProcessKey)>,
    identity: Identity,
    containers: Containers,
    /// The namespaces of the host's first process.
    host: Namespaces,
    /// Where /proc is found, if it may be asked.
    live: Option<PathBuf>,
    ledger: Ledger,
    counters: Arc<Counters>,
}

impl Processes {
    /// An empty table. `live`: the root below which /proc shows the processes of the events.
    pub fn new(identity: Identity, live: Option<PathBuf>, counters: Arc<Counters>) -> Self {
        Self {
            table: LruCache::unbounded(),
            exited: VecDeque::new(),
            identity,
            containers: Containers::new(live.clone()),
            host: Namespaces::default(),
            live,
            ledger: Ledger::default(),
            counters,
        }
    }

    /// What guids are made of.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Forgets what is too old or too much. `now`: nanoseconds since the epoch.
    pub fn tidy(&mut self, now: u64) {
        while let Some(&(ended, key)) = self.exited.front()
            && now.saturating_sub(ended) > LINGER
        {
            self.exited.pop_front();
            self.table.pop(&key);
        }
        while self.table.len() > MAX_PROCESSES
            || (self.ledger.total() > MAX_BYTES && self.table.len() > 1)
        {
            self.evict();
        }
    }

    /// A process created another, which runs the same program.
    pub fn fork(&mut self, parent: ProcessKey, child: ProcessKey) {
        self.ask(parent);
        let Process {
            inferred,
            namespaces,
            ref container,
            ..
        } = *self.entry(parent);
        let container = container.clone();
        let lineage = self.heritage(parent);
        let process = self.entry(child);
        // The kernel may report what the child does, even its first exec, before its birth.
        process.rendered = None;
        if process.program.is_none() {
            process.program = lineage[0].program.clone();
            process.inferred = inferred;
            process.container = container;
            process.namespaces = namespaces;
        }
        if process.ancestors.is_empty() {
            process.ancestors = lineage;
            process.heritage = None;
        }
    }

    /// A process became another program.
    pub fn exec(&mut self, key: ProcessKey, exec: &Exec) {
        self.learn(key, exec);
        self.entry(key).inferred = false;
    }

    /// A process was there at the start. What events have told about it meanwhile is newer.
    pub fn snapshot(&mut self, key: ProcessKey, exec: &Exec) {
        // The first thread of the kernel is where the first process is, which not even root may
        // look at on some hosts.
        if key.pid == 1 || (key.pid == KTHREADD && self.host == Namespaces::default()) {
            self.host = exec.namespaces;
        }
        if self
            .table
            .peek(&key)
            .is_none_or(|process| process.program.is_none())
        {
            self.learn(key, exec);
        }
    }

    /// A process ended; false if that was known.
    pub fn exit(&mut self, key: ProcessKey, time: u64) -> bool {
        let process = self.entry(key);
        process.rendered = None;
        let first = !std::mem::replace(&mut process.exited, true);
        if first {
            self.exited.push_back((time, key));
        }
        first
    }

    /// The end of a process has been reported.
    pub fn has_exited(&self, key: ProcessKey) -> bool {
        self.table.peek(&key).is_some_and(|process| process.exited)
    }

    /// A process is the kernel's own: one of its threads started it, and it executed nothing, as
    /// modprobe does. No process of Windows has such an ancestor: its numbers are multiples of 4.
    pub fn is_kernel_thread(&self, key: ProcessKey) -> bool {
        let of_kernel = |ancestor: &Ancestor| ancestor.key.pid == KTHREADD;
        self.table.peek(&key).is_some_and(|process| {
            let executed = |program: &Program| !program.executable.is_empty();
            !process.program().is_some_and(executed) && process.ancestors.iter().any(of_kernel)
        })
    }

    /// The process that has a number now, or had it last.
    pub fn find(&self, pid: u32) -> ProcessKey {
        let known = self.table.iter().map(|(key, _)| *key);
        let named = |key: &ProcessKey| key.pid == pid && key.start != ProcessKey::UNKNOWN_START;
        let found = known.filter(named).max_by_key(|key| key.start);
        let asked = || procfs::process(self.live.as_ref()?, pid).map(|event| event.process);
        found.or_else(asked).unwrap_or(ProcessKey {
            pid,
            start: ProcessKey::UNKNOWN_START,
        })
    }

    /// A process with all that can be found out about it and its parent.
    pub fn get(&mut self, key: ProcessKey) -> &mut Process {
        if self
            .table
            .peek(&key)
            .is_none_or(|process| process.rendered.is_none())
        {
            self.ask(key);
            self.ask_parent(key);
        }
        self.entry(key)
    }

    fn entry(&mut self, key: ProcessKey) -> &mut Process {
        let Self {
            table,
            identity,
            ledger,
            ..
        } = self;
        table.get_or_insert_mut(key, || Process {
            guid: identity.guid(key),
            container: None,
            namespaces: Namespaces::default(),
            program: None,
            ancestors: Lineage::default(),
            heritage: None,
            inferred: false,
            rendered: None,
            asked: false,
            exited: false,
            is_gone: false,
            ledger: ledger.clone(),
        })
    }

    /// The ancestors of a process's children, itself the first of them. Does not ask /proc.
    fn heritage(&mut self, key: ProcessKey) -> Lineage {
        let process = self.entry(key);
        if let Some(known) = &process.heritage {
            return known.clone();
        }
        let itself = Ancestor {
            key,
            guid: process.guid,
            program: process.program.clone(),
        };
        let all = std::iter::once(itself).chain(process.ancestors.iter().cloned());
        let lineage: Lineage = all.take(MAX_ANCESTORS).collect();
        process.heritage.insert(lineage).clone()
    }

    fn learn(&mut self, key: ProcessKey, exec: &Exec) {
        let program = Program::new(exec);
        let size = program.size();
        let program = self.ledger.charge(program, size);
        let lineage = exec.parent.map(|parent| self.heritage(parent));
        let container = self.containers.of(&exec.group, key.pid);
        let namespaces = foreign(exec.namespaces, self.host);
        let process = self.entry(key);
        // A source that knows neither leaves what the process was born with.
        if exec.group != Group::default() {
            process.container = container;
        }
        if exec.namespaces != Namespaces::default() {
            process.namespaces = namespaces;
        }
        process.program = Some(Arc::new(program));
        if let Some(lineage) = lineage {
            process.ancestors = lineage;
        }
        process.heritage = None;
        process.rendered = None;
    }

    /// Asks /proc, once, about a process whose program is unknown.
    fn ask(&mut self, key: ProcessKey) {
        let process = self.entry(key);
        if process.program.is_some() || std::mem::replace(&mut process.asked, true) {
            return;
        }
        let Some(event) = self
            .live
            .as_ref()
            .and_then(|root| procfs::process(root, key.pid))
        else {
            return;
        };
        if event.process == key
            && let Action::Snapshot(exec) = event.action
        {
            self.learn(key, &exec);
            self.entry(key).inferred = true;
            self.counters.add(Counter::Inferred, 1);
        }
    }

    /// Completes what is known of a parent; its own parent is not looked for.
    fn ask_parent(&mut self, key: ProcessKey) {
        let unknown = |parent: &&Ancestor| parent.program.is_none();
        let Some(parent) = self.entry(key).parent().filter(unknown).map(|it| it.key) else {
            return;
        };
        self.ask(parent);
        let lineage = self.heritage(parent);
        let process = self.entry(key);
        process.ancestors = lineage;
        process.heritage = None;
    }

    fn evict(&mut self) {
        if let Some((_, key)) = self.exited.pop_front() {
            self.table.pop(&key);
        } else if self.table.pop_lru().is_some() {
            self.counters.add(Counter::ProcessesForgotten, 1);
        }
    }
}

/// Those of a process's namespaces that are not the host's.
fn foreign(own: Namespaces, host: Namespaces) -> Namespaces {
    let other = |own, host| if host == 0 || own == host { 0 } else { own };
    Namespaces {
        pid: other(own.pid, host.pid),
        mnt: other(own.mnt, host.mnt),
        net: other(own.net, host.net),
        user: other(own.user, host.user),
        uts: other(own.uts, host.uts),
        ipc: other(own.ipc, host.ipc),
    }
}

#[cfg(target_os = "linux")]
mod repair;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
pub use repair::Found;
