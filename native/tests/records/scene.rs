//! Stands in for a source: makes events and feeds them to an engine.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use endpoint_agent_native::capture::{Progress, Source};
use endpoint_agent_native::counters::{Counter, Counters};
use endpoint_agent_native::engine::{Context, Engine};
use endpoint_agent_native::error::Result;
use endpoint_agent_native::event::{
    Action, Connection, Content, Credentials, Direction, Event, Exec, Exit, File, FileChange, Fork,
    Inode, LoginSession, Loss, ProcessKey, Stage, SystemCall,
};
use serde_json::Value;

use crate::check::check;
use crate::repository;

/// 2026-01-19T12:50:54.116Z, the time of the first event of a scene.
pub const BEGIN: u64 = 1_768_827_054_116_000_000;
/// Between two events of a scene.
const STEP: u64 = 250_000_000;

const ENVELOPE: &str = concat!(
    r#""agent":{"id":"00e6e72665d9b4db937d50043df348d0db6e00bbd778df07cf154c0f01748879","#,
    r#""ephemeral_id":"6b1f0d3c-9a5e-4f72-88d1-c0b2a3948576","version":"v0.1.0"},"host":{"hostname":"linux-desktop","ip":["10.0.1.4","#,
    r#""fe80::6245:bdff:fe6f:15e2"],"os":{"type":"linux"}}"#,
);

/// A host on which events happen.
pub struct Scene {
    pub engine: Engine,
    counters: Arc<Counters>,
    sequence: u64,
    time: u64,
    records: Vec<Vec<u8>>,
}

impl Scene {
    /// Nothing is known of its processes.
    pub fn new() -> Self {
        Self::below(repository("tests/golden/root"), false)
    }

    /// Files of the host are found below `root`; /proc there is asked if it is `live`.
    pub fn below(root: PathBuf, live: bool) -> Self {
        let context = Context {
            agent_id: "00e6e72665d9b4db937d50043df348d0db6e00bbd778df07cf154c0f01748879".into(),
            boot_id: [7; 16],
            envelope: ENVELOPE.into(),
            root,
            live,
        };
        let counters = Arc::new(Counters::default());
        let engine = Engine::new(context, counters.clone());
        Self {
            engine,
            counters,
            sequence: 0,
            time: BEGIN,
            records: Vec::new(),
        }
    }

    /// A user's shell below init and sshd.
    pub fn with_shell() -> Self {
        let mut scene = Self::new();
        scene.happens(
            root(1),
            Action::Snapshot(exec(None, "/usr/lib/systemd/systemd", &["/sbin/init"])),
        );
        scene.happens(root(2), Action::Snapshot(exec(None, "", &["kthreadd"])));
        let sshd = exec(Some(1), "/usr/sbin/sshd", &["sshd: john_doe@pts/0"]);
        scene.happens(root(800), Action::Snapshot(sshd));
        scene.happens(
            john(SHELL),
            Action::Snapshot(exec(Some(800), "/usr/bin/bash", &["-bash"])),
        );
        scene
    }

    /// Something happens a quarter of a second after the last.
    pub fn happens(&mut self, who: Who, action: Action) {
        self.did(who, None, action);
    }

    /// The same, told with its system call.
    pub fn called(&mut self, who: Who, name: &'static str, action: Action) {
        let call = SystemCall {
            name,
            arch: "x86_64",
            arguments: [0; 4],
            exit: 0,
            terminal: Vec::new(),
            key: Vec::new(),
            socket: None,
        };
        self.did(who, Some(Box::new(call)), action);
    }

    fn did(&mut self, who: Who, call: Option<Box<SystemCall>>, action: Action) {
        self.event(Event {
            time: self.time,
            process: key(who.pid),
            thread: who.thread,
            credentials: who.credentials,
            login: who.login,
            repeat: None,
            call,
            content: Content::Unasked,
            action,
        });
    }

    /// Takes one event in and checks its records.
    pub fn event(&mut self, event: Event) {
        self.time += STEP;
        let Self {
            engine,
            sequence,
            records,
            ..
        } = self;
        engine.feed(&event, &mut || count(sequence), &mut |record| {
            keep(records, record)
        });
    }

    /// Takes one loss in and checks its record.
    pub fn loss(&mut self, loss: &Loss) {
        let Self {
            engine,
            sequence,
            records,
            ..
        } = self;
        engine.loss(loss, &mut || count(sequence), &mut |record| {
            keep(records, record)
        });
    }

    /// The records since the last call.
    pub fn records(&mut self) -> Vec<Value> {
        let records = std::mem::take(&mut self.records);
        records
            .iter()
            .map(|record| serde_json::from_slice(record).unwrap())
            .collect()
    }

    /// The records since the last call, as lines.
    pub fn lines(&mut self) -> Vec<u8> {
        let records = std::mem::take(&mut self.records);
        records
            .into_iter()
            .flat_map(|record| [record, b"\n".into()].concat())
            .collect()
    }

    pub fn counted(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }
}

fn keep(records: &mut Vec<Vec<u8>>, record: &[u8]) {
    check(record);
    records.push(record.to_vec());
}

fn count(sequence: &mut u64) -> u64 {
    *sequence += 1;
    *sequence
}

/// Pid of the shell of [`Scene::with_shell`].
pub const SHELL: u32 = 1200;

/// Who acts.
#[derive(Clone, Copy)]
pub struct Who {
    pub pid: u32,
    pub thread: u32,
    pub credentials: Credentials,
    pub login: LoginSession,
}

pub fn root(pid: u32) -> Who {
    Who {
        pid,
        thread: pid,
        credentials: Credentials::default(),
        login: LoginSession::UNSET,
    }
}

pub fn john(pid: u32) -> Who {
    let credentials = Credentials {
        uid: 1000,
        euid: 1000,
        gid: 1000,
        egid: 1000,
    };
    Who {
        pid,
        thread: pid,
        credentials,
        login: LoginSession {
            uid: 1000,
            session: 3,
        },
    }
}

pub fn key(pid: u32) -> ProcessKey {
    ProcessKey {
        pid,
        start: 1000 + u64::from(pid),
    }
}

pub fn fork(pid: u32) -> Action {
    Action::Fork(Fork { child: key(pid) })
}

pub fn exec(parent: Option<u32>, executable: &str, arguments: &[&str]) -> Exec {
    Exec {
        parent: parent.map(key),
        executable: executable.into(),
        working_directory: b"/home/john_doe".into(),
        arguments: arguments
            .iter()
            .flat_map(|it| [it.as_bytes(), b"\0"].concat())
            .collect(),
        arguments_count: arguments.len() as u32,
        ..Default::default()
    }
}

pub fn exit(code: u8, signal: u8) -> Action {
    Action::Exit(Exit { code, signal })
}

pub fn file(change: FileChange, path: &[u8]) -> File {
    File::new(change, path.into())
}

pub fn inode() -> Inode {
    Inode {
        device: (8, 1),
        filesystem: 0xef53,
        number: 1_048_671,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        size: Some(34),
    }
}

pub fn connection(direction: Direction, local: &str, peer: &str) -> Action {
    staged(Stage::Established, direction, local, peer)
}

pub fn staged(stage: Stage, direction: Direction, local: &str, peer: &str) -> Action {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    Action::Connection(Connection {
        direction,
        local: Some(end(local)),
        peer: end(peer),
        stage,
    })
}

/// What a file gives: a scene with its records, what was lost, and how it ended.
pub type Played = (Scene, Vec<Loss>, std::result::Result<(), String>);

/// Plays a file with these bytes to its end, or to its first error.
pub fn play<S: Source>(bytes: &[u8], open: impl FnOnce(&Path) -> Result<S>) -> Played {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let (mut scene, mut losses) = (Scene::new(), Vec::new());
    let ended = open(file.path()).and_then(|source| drain(source, &mut scene, &mut losses));
    (scene, losses, ended.map_err(|error| error.to_string()))
}

fn drain(mut source: impl Source, scene: &mut Scene, losses: &mut Vec<Loss>) -> Result<()> {
    loop {
        let progress = source.drain(Duration::ZERO, &mut |event| scene.event(event));
        losses.extend(source.losses());
        if progress? == Progress::Ended {
            return Ok(());
        }
    }
}
