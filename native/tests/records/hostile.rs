//! Whatever the bytes and however many, a record is valid, whole or marked, and not too long.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use endpoint_agent_native::event::{
    Action, Answer, Attachment, Attribute, BpfProgram, Call, Connection, Content, Credentials,
    Data, Direction, Dns, Event, Exec, ExecFailed, Exit, File, FileChange, Fork, Group, Injection,
    Inode, LoginSession, Module, Mount, MountChange, Namespaces, Node, Ownership, ProcessKey,
    Question, Repeat, Stage, SystemCall, Target, Times, Traffic, Unread,
};
use serde_json::Value;

use crate::scene::{SHELL, Scene, exec, file, fork, john, key};

fn has_flags(change: &FileChange) -> bool {
    matches!(change, FileChange::Exchanged | FileChange::MemoryCreated(_))
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Bytes of one of several tempers; paths have no NUL.
    fn bytes(&mut self, limit: u64) -> Vec<u8> {
        let temper = self.below(4);
        let length = self.below(limit + 1);
        let byte = |random: &mut Self| match temper {
            0 => 1 + random.below(255) as u8,
            1 => b"\x01\"\\\n/."[random.below(6) as usize],
            2 => b"\xe2\x82\xac\xf0\x9f\x98\x80 a"[random.below(9) as usize],
            _ => b' ' + random.below(95) as u8,
        };
        (0..length).map(|_| byte(self)).collect()
    }

    fn arguments(&mut self, limit: u64) -> Vec<u8> {
        let mut block = self.bytes(limit);
        for _ in 0..self.below(20) {
            let at = self.below(block.len() as u64 + 1) as usize;
            block.insert(at, 0);
        }
        block
    }

    fn key(&mut self) -> ProcessKey {
        ProcessKey {
            pid: self.below(20) as u32,
            start: self.below(3),
        }
    }

    fn id(&mut self) -> u32 {
        [0, 1000, 4711, u32::MAX][self.below(4) as usize]
    }

    fn exec(&mut self) -> Exec {
        let arguments_limit = if self.coin() { 200 } else { 32_768 };
        Exec {
            parent: self.coin().then(|| self.key()),
            executable: self.bytes(4096),
            working_directory: self.bytes(4096),
            script: self.bytes(4096),
            file: None,
            group: Group {
                id: self.below(3),
                path: self.bytes(4096),
            },
            namespaces: Namespaces {
                pid: self.id(),
                mnt: self.id(),
                ..Default::default()
            },
            arguments: self.arguments(arguments_limit),
            arguments_truncated: self.coin(),
            arguments_count: self.below(5) as u32,
            deleted: self.coin(),
        }
    }

    fn change(&mut self) -> FileChange {
        let device = (self.next() as u32, self.next() as u32);
        match self.below(15) {
            0 => FileChange::Created,
            1 => FileChange::DirectoryCreated,
            2 => FileChange::NodeCreated(Node {
                mode: self.next() as u32,
                device,
            }),
            3 => FileChange::Modified,
            4 => FileChange::Truncated(self.next()),
            5 => FileChange::Deleted,
            6 => FileChange::DirectoryDeleted,
            7 => FileChange::Renamed,
            8 => FileChange::Exchanged,
            9 => FileChange::Symlinked(self.bytes(4096)),
            10 => FileChange::Permissions(self.next() as u32),
            11 => FileChange::Ownership(Ownership {
                uid: self.coin().then(|| self.id()),
                gid: self.coin().then(|| self.id()),
            }),
            12 => FileChange::Times(Times {
                accessed: self.coin().then(|| self.next()),
                modified: self.coin().then(|| self.next()),
            }),
            13 => FileChange::MemoryCreated(vec!["MFD_CLOEXEC"; self.below(3) as usize]),
            _ => FileChange::Attribute(Attribute {
                name: self.bytes(256),
                removed: self.coin(),
            }),
        }
    }

    fn file(&mut self) -> File {
        let inode = Inode {
            filesystem: self.next() as u32,
            device: (self.next() as u32, self.next() as u32),
            number: self.next(),
            mode: self.next() as u32,
            uid: self.id(),
            gid: self.id(),
            size: Some(self.next()),
        };
        let change = self.change();
        File {
            // One call that takes both kinds of flags does not exist.
            nofollow: self.coin() && !has_flags(&change),
            change,
            path: self.bytes(8192),
            old_path: self.coin().then(|| self.bytes(8192)),
            path_truncated: self.coin(),
            old_path_truncated: self.coin(),
            deleted: self.coin(),
            unanswered: self.coin(),
            inode: self.coin().then_some(inode),
        }
    }

    fn mount(&mut self) -> Mount {
        use MountChange::{Mounted, RootChanged, RootSwapped, Unmounted};
        Mount {
            change: [Mounted, Unmounted, RootSwapped, RootChanged][self.below(4) as usize],
            path: self.bytes(8192),
            path_truncated: self.coin(),
            source: self.bytes(8192),
            source_truncated: self.coin(),
            put_old: self.coin().then(|| self.bytes(8192)),
            filesystem: self.bytes(4096),
            options: vec!["MS_BIND"; self.below(3) as usize],
        }
    }

    fn connection(&mut self) -> Connection {
        let mut end = || {
            let bits = [
                self.next().into(),
                0xffff_0000_0000 | u128::from(self.next() as u32),
            ];
            let address = IpAddr::V6(Ipv6Addr::from_bits(bits[self.below(2) as usize]));
            SocketAddr::new(address, self.next() as u16)
        };
        let (local, peer) = (end(), end());
        let traffic = Traffic {
            duration: self.next(),
            sent: self.next(),
            received: self.next(),
        };
        let stages = [
            Stage::Established,
            Stage::Failed(self.next() as u16),
            Stage::Ended(traffic),
            Stage::Datagram,
        ];
        let direction = if self.coin() {
            Direction::Egress
        } else {
            Direction::Ingress
        };
        Connection {
            direction,
            local: Some(local),
            peer,
            stage: stages[self.below(4) as usize],
        }
    }

    fn dns(&mut self) -> Dns {
        let connection = self.connection();
        let mut name = |limit| String::from_utf8_lossy(&self.bytes(limit)).into_owned();
        let (question, address) = (name(1020), IpAddr::V6(Ipv6Addr::LOCALHOST));
        let answers = (0..64).map(|number| Answer {
            name: name(1020),
            kind: number,
            ttl: u32::MAX,
            data: if number % 8 == 0 {
                Data::Address(address)
            } else {
                Data::Text(name(1100))
            },
        });
        let answers = answers.collect();
        Dns {
            answer: self.coin(),
            tcp: self.coin(),
            local: connection.peer,
            peer: connection.peer,
            id: self.next() as u16,
            flags: self.next() as u16,
            response_code: self.next() as u16,
            question: self.coin().then_some(Question {
                name: question,
                kind: self.next() as u16,
                class: self.next() as u16,
            }),
            answers,
            truncated: self.coin(),
        }
    }

    fn action(&mut self) -> Action {
        match self.below(14) {
            0 => Action::Fork(Fork { child: self.key() }),
            1 => Action::Snapshot(self.exec()),
            2 | 3 => Action::Exec(self.exec()),
            4 => Action::Exit(Exit {
                code: self.next() as u8,
                signal: self.next() as u8,
            }),
            5 => Action::File(self.file()),
            6 => Action::Listen(self.connection().peer),
            7 => Action::ExecFailed(ExecFailed {
                call: Call(self.next() as u32),
                path: self.bytes(8192),
                path_truncated: self.coin(),
                arguments: self.arguments(8192),
                arguments_truncated: self.coin(),
                error: self.next() as u16,
            }),
            8 => Action::Module(Module {
                call: Call(self.next() as u32),
                is_unloaded: self.coin(),
                name: self.bytes(56),
                path: self.coin().then(|| self.bytes(4096)),
                path_truncated: self.coin(),
            }),
            9 => Action::Injection(Injection {
                call: Call(self.next() as u32),
                request: self.next() as u32,
                target: self.target(),
                bytes: self.next(),
            }),
            10 => Action::Bpf(BpfProgram {
                id: self.next() as u32,
                kind: self.next() as u32,
                tag: self.next().to_ne_bytes(),
                name: self.bytes(16),
                attachment: self.coin().then(|| Attachment::Link(self.next() as u32)),
            }),
            11 => Action::Dns(self.dns()),
            12 => Action::Mount(self.mount()),
            _ => Action::Connection(self.connection()),
        }
    }

    fn target(&mut self) -> Target {
        Target {
            process: self.key(),
            uid: self.id(),
        }
    }

    fn event(&mut self) -> Event {
        let action = self.action();
        // Other acts tell their call themselves.
        let calls = matches!(action, Action::File(_) | Action::Connection(_)) && self.coin();
        Event {
            time: self.next(),
            process: self.key(),
            thread: self.below(20) as u32,
            credentials: Credentials {
                uid: self.id(),
                euid: self.id(),
                gid: self.id(),
                egid: self.id(),
            },
            login: LoginSession {
                uid: self.id(),
                session: self.id(),
            },
            content: Content::Unread(Unread::Late),
            repeat: self.coin().then(|| Repeat {
                count: self.below(3),
                first: self.next(),
                last: self.next(),
            }),
            call: calls.then(|| {
                Box::new(SystemCall {
                    name: "openat",
                    arch: "x86_64",
                    arguments: [0; 4].map(|_| self.next()),
                    exit: self.next().cast_signed(),
                    terminal: self.bytes(20),
                    key: self.bytes(20),
                    socket: None,
                })
            }),
            action,
        }
    }
}

#[test]
fn random_events_give_valid_records() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut scene = Scene::new();
    for _ in 0..500 {
        let event = random.event();
        scene.event(event.clone());
        if let (Action::File(file), [record]) = (&event.action, &*scene.records()) {
            let cut = truncated(record).contains(&"file.path");
            assert!(cut || record["file"]["path"] == *String::from_utf8_lossy(&file.path));
        }
    }
}

fn truncated(record: &Value) -> Vec<&str> {
    let names = record["action"]["properties"]["truncated"].as_array();
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// A program with one argument of control characters, as many as the kernel side takes.
fn noisy() -> Exec {
    let arguments = format!("{}\0", "\u{1}".repeat(32_767)).into_bytes();
    Exec {
        arguments,
        ..exec(Some(SHELL), "/usr/bin/printf", &[])
    }
}

#[test]
fn arguments_are_told_once_and_whole() {
    let mut scene = Scene::with_shell();
    scene.happens(john(1300), Action::Exec(noisy()));
    scene.happens(john(1300), fork(1301));
    let of_the_child = exec(Some(1300), "/usr/bin/id", &["id"]);
    scene.happens(john(1301), Action::Exec(of_the_child));
    let records = scene.records();
    let length = |value: &Value| value.to_string().len();
    assert_eq!(length(&records[0]["process"]["args"][0]), 2 + 6 * 32_767);
    let command_line = 2 + 6 * (4_096 / 6);
    assert_eq!(length(&records[0]["process"]["command_line"]), command_line);
    assert_eq!(truncated(&records[0]), ["process.command_line"]);
    let parent = &records[1]["process"]["parent"];
    assert_eq!(length(&parent["command_line"]), command_line);
    assert_eq!(truncated(&records[1]), ["process.parent.command_line"]);
    assert!(length(&records[1]) < 7_000);
}

#[test]
fn the_longest_texts_of_a_record_that_is_too_long_are_cut() {
    let mut scene = Scene::with_shell();
    let program = Exec {
        working_directory: "\u{1}".repeat(10_000).into(),
        ..noisy()
    };
    scene.happens(john(1300), Action::Exec(program));
    let records = scene.records();
    assert_eq!(
        truncated(&records[0]),
        ["process.command_line", "process.args"]
    );
    let length = |value: &Value| value.to_string().len();
    assert_eq!(length(&records[0]["process"]["working_directory"]), 60_002);
    assert!((60_000..66_000).contains(&length(&records[0]["process"]["args"])));
    assert_eq!(records[0]["process"]["executable"], "/usr/bin/printf");
    assert_eq!(
        records[0]["process"]["parent"]["executable"],
        "/usr/bin/bash"
    );
}

#[test]
fn every_text_may_be_too_long_at_once() {
    let mut scene = Scene::with_shell();
    let endless = "\u{1}".repeat(40_000);
    let program = exec(Some(SHELL), &endless, &[&endless]);
    let program = Exec {
        working_directory: endless.clone().into(),
        ..program
    };
    scene.happens(john(1300), Action::Exec(program.clone()));
    scene.happens(john(1300), fork(1301));
    scene.happens(
        john(1301),
        Action::Exec(Exec {
            parent: Some(key(1300)),
            ..program
        }),
    );
    let path = format!("/{endless}/{endless}.{endless}").into_bytes();
    let renamed = File {
        old_path: Some(path.clone()),
        ..file(FileChange::Renamed, &path)
    };
    scene.happens(john(1301), Action::File(renamed));
    let records = scene.records();
    let last = &records[2];
    assert!(truncated(last).contains(&"file.directory"));
    assert!(truncated(last).contains(&"process.parent.executable"));
    assert!(truncated(last).contains(&"action.properties.old_path"));
    assert_eq!(last["user"]["name"], "john_doe");
}

#[test]
fn many_empty_arguments_are_kept() {
    let mut scene = Scene::with_shell();
    let program = exec(Some(SHELL), "/usr/bin/printf", &[""; 32_768]);
    scene.happens(john(1300), Action::Exec(program));
    let process = &scene.records()[0]["process"];
    assert_eq!(process["args"].as_array().unwrap().len(), 32_768);
    assert_eq!(process["args_count"], 32_768);
    assert_eq!(process["command_line"].as_str().unwrap(), " ".repeat(4_096));
}
