//! What the source reads, in a recording: written while it reads, and played back through the same
//! digest. Answers of /proc stand before the reading that asked for them.

use std::path::Path;

use zerocopy::{FromBytes, IntoBytes};

use super::connector::Change;
use super::digest::{Digest, Time};
use super::host::{ANY, Answered, Host};
use crate::capture::ebpf::decode::{Clock, Malformed, encode_snapshot};
use crate::capture::ebpf::wire::{Audit as Reading, Header, kind, reading};
use crate::capture::recording::Recorder;
use crate::error::Result;
use crate::event::{Action, Event};
use crate::host::clock;

/// Answers that may wait for the reading that asks for them.
const MAX_ANSWERS: usize = 1 << 16;

/// A recording that is being made, or none.
pub struct Journal {
    recorder: Option<Recorder>,
    clock: Clock,
}

impl Journal {
    /// Begins a recording in a new file, if there is to be one.
    pub fn open(path: Option<&Path>, boot_id: [u8; 16], muted: u32) -> Result<Self> {
        let mut journal = Self {
            recorder: path
                .map(|path| Recorder::create(path, boot_id))
                .transpose()?,
            clock: clock::read(),
        };
        journal.write(reading::BEGIN, muted, Time::default(), &[]);
        Ok(journal)
    }

    /// A recording is being made.
    pub fn is_open(&self) -> bool {
        self.recorder.is_some()
    }

    /// The clock of what follows.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// A process that was there.
    pub fn snapshot(&mut self, event: &Event) {
        if let (Some(recorder), Action::Snapshot(exec)) = (&mut self.recorder, &event.action) {
            recorder.write(&encode_snapshot(event, exec, self.clock), self.clock);
        }
    }

    /// A record.
    pub fn message(&mut self, kind: u16, text: &[u8]) {
        self.write(reading::MESSAGE, kind.into(), Time::default(), text);
    }

    /// A process event, with the answers that it took; `now`: time of the boot.
    pub fn process_event(&mut self, change: Change, time: Time, now: u64, host: &mut Host) {
        self.answers(host);
        let words = [change.words().as_bytes(), now.as_bytes()].concat();
        self.write(reading::PROCESS, 0, time, &words);
    }

    /// What was read so far was told, with the answers that this took.
    pub fn turn(&mut self, now: u64, end: bool, host: &mut Host) {
        self.answers(host);
        let now = Time { boot: now, wall: 0 };
        self.write(reading::TURN, end.into(), now, &[]);
    }

    /// Makes what was written visible; a failure is told once.
    pub fn flush(&mut self) -> Option<String> {
        self.recorder.as_mut().and_then(Recorder::flush)
    }

    fn answers(&mut self, host: &mut Host) {
        for (question, answer) in host.take_kept() {
            let number = question << 1 | u32::from(answer.is_some());
            let bytes = answer.unwrap_or_default();
            self.write(reading::ANSWER, number, Time::default(), &bytes);
        }
    }

    fn write(&mut self, reading: u32, number: u32, time: Time, bytes: &[u8]) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        let header = Header {
            size: (size_of::<Reading>() + bytes.len()) as u32,
            kind: kind::AUDIT,
            time: time.boot,
            ..Default::default()
        };
        let read = Reading {
            header,
            wall: time.wall,
            reading,
            number,
        };
        recorder.write(&[read.as_bytes(), bytes].concat(), self.clock);
    }
}

/// A recording that is played back.
pub struct Player {
    digest: Digest,
    host: Host,
}

impl Player {
    /// Begins with the first reading; none for anything else.
    pub fn begin(record: &[u8]) -> Option<Self> {
        let (read, _) = Reading::read_from_prefix(record).ok()?;
        (read.reading == reading::BEGIN).then(|| Self {
            digest: Digest::new(read.number),
            host: Host::Recorded(Default::default()),
        })
    }

    /// A process that was there.
    pub fn snapshot(&mut self, event: &Event) {
        self.digest.snapshot(event);
    }

    /// Plays the next reading.
    pub fn play(
        &mut self,
        record: &[u8],
        sink: &mut dyn FnMut(Event),
    ) -> std::result::Result<(), Malformed> {
        let (read, bytes) = Reading::read_from_prefix(record).map_err(|_| Malformed::Short)?;
        let Self { digest, host } = self;
        match read.reading {
            reading::MESSAGE => digest.record(read.number as u16, bytes),
            reading::PROCESS => {
                let (words, rest) =
                    <[u32; 4]>::read_from_prefix(bytes).map_err(|_| Malformed::Short)?;
                let (now, _) = u64::read_from_prefix(rest).map_err(|_| Malformed::Short)?;
                let change = Change::from_words(words).ok_or(Malformed::Unknown("change"))?;
                let time = Time {
                    boot: read.header.time,
                    wall: read.wall,
                };
                digest.process_event(change, time, now, host);
                forget(host);
            }
            reading::ANSWER => {
                let known = (read.number & 1 != 0).then(|| bytes.to_vec());
                answer(host, (read.number >> 1, known))?;
            }
            reading::TURN => {
                digest.turn(read.header.time, read.number != 0, host, sink);
                forget(host);
            }
            _ => return Err(Malformed::Unknown("reading")),
        }
        Ok(())
    }

    /// Hands over what a recording that was cut off has left.
    pub fn end(&mut self, sink: &mut dyn FnMut(Event)) {
        self.digest.turn(u64::MAX, true, &mut self.host, sink);
    }
}

/// What nobody has asked for is of no use to what comes next.
fn forget(host: &mut Host) {
    if let Host::Recorded(answers) = host {
        answers.clear();
    }
}

fn answer(host: &mut Host, answer: Answered) -> std::result::Result<(), Malformed> {
    match host {
        Host::Recorded(answers) if answer.0 != ANY && answers.len() < MAX_ANSWERS => {
            answers.push_back(answer);
            Ok(())
        }
        _ => Err(Malformed::Unknown("question")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::capture::recording::Replay;
    use crate::capture::{Progress, Source};
    use crate::event::{FileChange, ProcessKey};

    const SHELL: u32 = 1200;
    const CHILD: u32 = 1300;
    const SECOND: u64 = 1_000_000_000;

    /// A folder that holds a /proc with a shell, whose descriptor 4 leads to a folder.
    fn host() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(format!("proc/{SHELL}"));
        fs::create_dir_all(folder.join("fd")).unwrap();
        let zeros = ["0"; 13].join(" ");
        let stat = format!("{SHELL} (bash) S 1 {zeros} 20 0 1 0 2200 1000 2000\n");
        fs::write(folder.join("stat"), stat).unwrap();
        let status = "Name:\tbash\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n";
        fs::write(folder.join("status"), status).unwrap();
        fs::write(folder.join("cmdline"), "bash\0-l\0").unwrap();
        for (name, target) in [("exe", "/usr/bin/bash"), ("cwd", "/home"), ("fd/4", "/srv")] {
            std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
        }
        root
    }

    fn record(time: u64, serial: u32, fields: &str) -> Vec<u8> {
        format!("audit({time}.250:{serial}): {fields}").into_bytes()
    }

    /// Both at once: what is told now, and the journal of it.
    struct Live {
        digest: Digest,
        host: Host,
        journal: Journal,
        told: Vec<Event>,
    }

    impl Live {
        fn new(root: &Path) -> Self {
            Self {
                digest: Digest::new(0),
                host: Host::Live {
                    root: root.into(),
                    kept: Some(Vec::new()),
                },
                journal: Journal::open(Some(&root.join("audit.rec")), [7; 16], 0).unwrap(),
                told: Vec::new(),
            }
        }

        fn message(&mut self, kind: u16, text: &[u8]) {
            self.journal.message(kind, text);
            self.digest.record(kind, text);
        }

        fn change(&mut self, change: Change, second: u64) {
            let time = Time {
                boot: second * SECOND,
                wall: (1_768_827_000 + second) * SECOND,
            };
            let host = &mut self.host;
            self.digest.process_event(change, time, time.boot, host);
            self.journal.process_event(change, time, time.boot, host);
        }

        fn turn(&mut self, now: u64, end: bool) {
            let Self {
                digest, host, told, ..
            } = self;
            digest.turn(now, end, host, &mut |event| told.push(event));
            self.journal.turn(now, end, host);
        }
    }

    const CALL: &str = "arch=c000003e success=yes a2=241 a3=1a4 items=1 ppid=1 auid=1000 uid=1000 \
        gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=pts0 ses=3 \
        comm=\"bash\" exe=\"/usr/bin/bash\" key=\"endpoint-agent\"";

    /// A shell makes a file below a folder, and a child that becomes another program and ends.
    fn play(live: &mut Live) {
        let fields = format!("syscall=257 exit=3 a0=4 a1=7ffd pid={SHELL} {CALL}");
        live.message(1300, &record(1_768_827_010, 1, &fields));
        let name = "item=0 name=\"made\" inode=9 dev=08:01 mode=0100644 ouid=1000 ogid=1000 \
            rdev=00:00 nametype=CREATE";
        live.message(1302, &record(1_768_827_010, 1, name));
        live.message(1320, &record(1_768_827_010, 1, ""));
        let (parent, child) = (SHELL, CHILD);
        live.change(Change::Fork { parent, child }, 22);
        live.turn(22 * SECOND, false);
        let fields = format!("syscall=59 exit=0 a0=4 a1=7ffd pid={CHILD} {CALL}");
        live.message(1300, &record(1_768_827_023, 2, &fields));
        live.message(
            1309,
            &record(1_768_827_023, 2, "argc=2 a0=\"ls\" a1=\"/srv\""),
        );
        live.message(1307, &record(1_768_827_023, 2, "cwd=\"/home\""));
        live.message(1320, &record(1_768_827_023, 2, ""));
        let (pid, status) = (CHILD, 0x100);
        live.change(Change::Exit { pid, status }, 24);
        live.turn(25 * SECOND, false);
        live.turn(26 * SECOND, true);
    }

    /// The recording in `tests/golden` is made by this test as well: `make golden`.
    #[test]
    fn a_replay_tells_the_same_as_the_host() {
        let root = host();
        let path = root.path().join("audit.rec");
        let mut live = Live::new(root.path());
        play(&mut live);
        assert_eq!(live.journal.flush(), None);
        assert_eq!(live.told.len(), 4, "{:?}", live.told);
        let Action::File(file) = &live.told[0].action else {
            panic!()
        };
        assert_eq!(
            (&file.change, &*file.path),
            (&FileChange::Created, &b"/srv/made"[..])
        );
        let shell = ProcessKey {
            pid: SHELL,
            start: 2200,
        };
        assert_eq!(live.told[0].process, shell);

        assert_eq!(replayed(&path).unwrap(), live.told);
        // Times that do not matter differ from run to run.
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/audit.rec");
        let is_same = || replayed(Path::new(golden)).is_ok_and(|events| events == live.told);
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !is_same() {
            fs::copy(&path, golden).unwrap();
        }
        assert!(is_same());
    }

    /// Times of records lag behind those of process events.
    #[test]
    fn the_birth_of_a_process_is_told_before_what_it_does() {
        let root = host();
        let mut live = Live::new(root.path());
        let (parent, child) = (SHELL, CHILD);
        live.change(Change::Fork { parent, child }, 22);
        live.change(
            Change::Exit {
                pid: child,
                status: 0,
            },
            23,
        );
        let fields = format!("syscall=83 exit=0 a0=7ffd pid={CHILD} {CALL}");
        live.message(1300, &record(1_768_827_021, 1, &fields));
        live.message(1307, &record(1_768_827_021, 1, "cwd=\"/home\""));
        let name = "item=0 name=\"made\" inode=9 dev=08:01 mode=040755 ouid=1000 ogid=1000 \
            rdev=00:00 nametype=CREATE";
        live.message(1302, &record(1_768_827_021, 1, name));
        live.message(1320, &record(1_768_827_021, 1, ""));
        live.turn(23 * SECOND, true);
        let told: Vec<_> = live.told.iter().map(|event| &event.action).collect();
        assert!(matches!(
            told[..],
            [Action::Fork(_), Action::File(_), Action::Exit(_)]
        ));
    }

    fn replayed(path: &Path) -> Result<Vec<Event>> {
        let mut replay = Replay::open(path)?;
        let mut events = Vec::new();
        let drained = replay.drain(Duration::ZERO, &mut |event| events.push(event));
        assert_eq!(drained?, Progress::Ended);
        assert!(replay.losses().is_empty());
        Ok(events)
    }

    #[test]
    fn a_recording_that_is_cut_off_still_tells() {
        let root = host();
        let path = root.path().join("audit.rec");
        let mut live = Live::new(root.path());
        let fields = format!("syscall=59 exit=0 a0=4 a1=7ffd pid={SHELL} {CALL}");
        live.message(1300, &record(1, 1, &fields));
        live.message(1320, &record(1, 1, ""));
        live.journal.flush();
        assert_eq!(replayed(&path).unwrap().len(), 1);
    }

    #[test]
    fn odd_readings_are_counted() {
        let odd = |reading, number, bytes: &[u8]| {
            let read = Reading {
                reading,
                number,
                ..Default::default()
            };
            [read.as_bytes(), bytes].concat()
        };
        assert!(Player::begin(&odd(reading::TURN, 0, &[])).is_none());
        assert!(Player::begin(&[0; 7]).is_none());
        let mut player = Player::begin(&odd(reading::BEGIN, 0, &[])).unwrap();
        for record in [
            odd(reading::PROCESS, 0, &[1; 23]),
            odd(reading::PROCESS, 0, &[9; 24]),
            odd(99, 0, &[]),
            // An answer to no question.
            odd(reading::ANSWER, 1, b"x"),
            vec![0; 20],
        ] {
            assert!(player.play(&record, &mut |_| {}).is_err());
        }
        let answer = odd(reading::ANSWER, 3, b"x");
        let taken = (0..=MAX_ANSWERS).map(|_| player.play(&answer, &mut |_| {}).is_ok());
        assert_eq!(taken.filter(|&taken| taken).count(), MAX_ANSWERS);
        player.end(&mut |_| panic!("nothing was read"));
    }
}
