//! Prints how long the engine takes for one event: `cargo run --release --example engine_speed`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use endpoint_agent_native::counters::Counters;
use endpoint_agent_native::engine::{Context, Engine};
use endpoint_agent_native::event::{
    Action, Connection, Content, Credentials, Direction, Event, Exec, Exit, File, FileChange, Fork,
    Inode, LoginSession, ProcessKey, Stage,
};
use endpoint_agent_native::filter::{Rules, Watch, Watches};

const EVENTS: u64 = 1_000_000;
const BLOCK: u64 = 100;
const SHELL: ProcessKey = ProcessKey {
    pid: 1_000,
    start: 4_000,
};

fn main() {
    let file = |n: u64| vec![event(n, busy(n), Action::File(write(n)))];
    let connection = |n: u64| vec![event(n, busy(n), Action::Connection(connect(n)))];
    measure("file", Rules::default(), &file);
    measure("file, with watches", watching(), &file);
    measure("connection", Rules::default(), &connection);
    measure("connection, with watches", watching(), &connection);
    measure("fork, exec and exit of a process", Rules::default(), &life);
    measure("the same with watches", watching(), &life);
}

/// About as many watches as are shipped, none of which matches.
fn watching() -> Rules {
    let watch = |n: usize| Watch {
        tag: format!("tag{n}"),
        paths: (0..3)
            .map(|m| format!("/etc/{n}/conf.{m}/"))
            .chain((n < 8).then(|| format!("*/.file{n}")))
            .collect(),
        ..Watch::default()
    };
    let program = |n: usize| Watch {
        tag: format!("tag{n}"),
        executables: (0..8).map(|m| format!("tool{m}{n}*")).collect(),
        ..Watch::default()
    };
    let connected = Watch {
        tag: "connected".into(),
        actions: vec!["connected-to".into()],
        executables: vec!["bash".into(), "sh".into()],
        ..Watch::default()
    };
    let all = (0..50).map(watch).chain((0..30).map(program));
    Rules {
        watches: Watches::new(all.chain([connected]).collect()),
        ..Rules::default()
    }
}

/// Prints what one number's events cost. The median of blocks leaves out what the machine did else.
fn measure(what: &str, rules: Rules, make: &dyn Fn(u64) -> Vec<Event>) {
    let mut engine = engine();
    engine.set_rules(Arc::new(rules));
    let (mut sequence, mut bytes, mut records) = (0, 0, 0);
    let mut blocks: Vec<Duration> = (0..EVENTS / BLOCK)
        .map(|block| {
            let numbers = block * BLOCK..(block + 1) * BLOCK;
            let events: Vec<Event> = numbers.flat_map(make).collect();
            let begun = Instant::now();
            for event in &events {
                let mut next = || {
                    sequence += 1;
                    sequence
                };
                engine.feed(event, &mut next, &mut |record| {
                    bytes += black_box(record).len();
                    records += 1;
                });
            }
            begun.elapsed()
        })
        .collect();
    blocks.sort_unstable();
    let median = blocks[blocks.len() / 2].as_nanos() as u64 / BLOCK;
    println!("{what}: {median} ns, {} bytes a record", bytes / records);
}

fn engine() -> Engine {
    let envelope = br#""agent":{"id":"00e6e72665d9b4db937d50043df348d0db6e00bbd778df07cf154c0f01748879","version":"v0.1.0"},"host":{"hostname":"linux-desktop","ip":["10.0.1.4","fe80::6245:bdff:fe6f:15e2"],"os":{"type":"linux"}}"#;
    let context = Context {
        agent_id: "00e6e72665d9b4db937d50043df348d0db6e00bbd778df07cf154c0f01748879".into(),
        boot_id: [7; 16],
        envelope: envelope.to_vec(),
        root: "/".into(),
        live: false,
    };
    let mut engine = Engine::new(context, Arc::new(Counters::default()));
    for process in std::iter::once(SHELL).chain((0..32).map(busy)) {
        let snapshot = event(0, process, Action::Snapshot(program()));
        engine.feed(&snapshot, &mut || 0, &mut |_| {});
    }
    engine
}

fn event(n: u64, process: ProcessKey, action: Action) -> Event {
    Event {
        time: 1_768_827_054_000_000_000 + n * 2_500,
        process,
        thread: process.pid,
        credentials: Credentials {
            uid: 1_000,
            euid: 0,
            gid: 1_000,
            egid: 0,
        },
        login: LoginSession {
            uid: 1_000,
            session: 3,
        },
        repeat: None,
        call: None,
        content: Content::Unasked,
        action,
    }
}

/// One of 32 processes that take turns.
fn busy(n: u64) -> ProcessKey {
    ProcessKey {
        pid: 2_000 + n as u32 % 32,
        start: 5_000,
    }
}

fn program() -> Exec {
    Exec {
        parent: Some(SHELL),
        executable: b"/usr/lib/git-core/git".to_vec(),
        working_directory: b"/home/john/src/endpoint-agent".to_vec(),
        arguments: b"/usr/lib/git-core/git\0rev-list\0--objects\0--stdin\0--not\0--all\0".to_vec(),
        arguments_count: 6,
        ..Default::default()
    }
}

fn write(n: u64) -> File {
    File {
        change: FileChange::Created,
        path: format!("/home/john/src/endpoint-agent/.git/objects/pack/tmp_idx_{n}.idx").into(),
        old_path: None,
        path_truncated: false,
        old_path_truncated: false,
        nofollow: false,
        deleted: false,
        unanswered: false,
        inode: Some(Inode {
            device: (8, 1),
            filesystem: 0xef53,
            number: 1_048_671 + n,
            mode: 0o100_644,
            uid: 1_000,
            gid: 1_000,
            size: Some(n),
        }),
    }
}

fn connect(n: u64) -> Connection {
    Connection {
        direction: Direction::Egress,
        local: Some(([10, 0, 1, 4], 40_000).into()),
        peer: ([93, 184, n as u8, 34], 443).into(),
        stage: Stage::Established,
    }
}

/// A process from its birth to its end, 2 ms after the one before.
fn life(n: u64) -> Vec<Event> {
    let child = ProcessKey {
        pid: 3_000 + n as u32 % 60_000,
        start: 6_000 + n,
    };
    let after = n * 800;
    vec![
        event(after, SHELL, Action::Fork(Fork { child })),
        event(after, child, Action::Exec(program())),
        event(after, child, Action::Exit(Exit { code: 0, signal: 0 })),
    ]
}
