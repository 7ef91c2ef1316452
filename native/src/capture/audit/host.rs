//! What only /proc can tell of a process, asked while it is there, or as a recording has it.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::capture::ebpf::decode::{Clock, decode, encode_snapshot};
use crate::event::{Action, Event, Group, Namespaces, ProcessKey};
use crate::host::procfs;

/// Bytes read of a text, of which lists of groups may be long.
const MAX_TEXT: u64 = 1 << 16;

/// Sockets that listen, of those of one network namespace, among which one is looked for.
const MAX_LISTENING: usize = 4096;

/// The namespaces, by the names of the links in /proc/PID/ns, the bits of clone(2) and their names
/// in events.
pub const NAMESPACES: [(u32, &str, &str); 8] = [
    (0x0002_0000, "mnt", "mnt"),
    (0x0400_0000, "uts", "uts"),
    (0x0800_0000, "ipc", "ipc"),
    (0x4000_0000, "net", "net"),
    (0x2000_0000, "pid_for_children", "pid"),
    (0x0000_0080, "time_for_children", "time"),
    (0x0200_0000, "cgroup", "cgroup"),
    (0x1000_0000, "user", "user"),
];

/// What is asked. In a recording the number tells whose answer it is, so none is ever taken for
/// another's.
#[derive(Clone, Copy)]
enum Question {
    Start = 1,
    Process,
    FileBehind,
    Status,
    AboutDescriptor,
    Namespaces,
    Surroundings,
    Listening,
}

/// An answer, none where nobody knew.
pub type Answer = Option<Vec<u8>>;

/// An answer, and the number of its question.
pub type Answered = (u32, Answer);

/// Instead of that number: an answer to whatever is asked. No recording has it.
pub const ANY: u32 = 0;

/// Who is asked.
pub enum Host {
    /// The /proc below a folder. The answers are kept where a recording is made.
    Live {
        /// Where /proc is found.
        root: PathBuf,
        /// Answers that are not in the recording yet.
        kept: Option<Vec<Answered>>,
    },
    /// A recording: its next answers.
    Recorded(VecDeque<Answered>),
}

impl Host {
    /// The answers since the last call, for a recording.
    pub fn take_kept(&mut self) -> Vec<Answered> {
        match self {
            Self::Live {
                kept: Some(kept), ..
            } => std::mem::take(kept),
            _ => Vec::new(),
        }
    }

    fn ask(&mut self, question: Question, look: impl FnOnce(&Path) -> Answer) -> Answer {
        let number = question as u32;
        match self {
            Self::Live { root, kept } => {
                let answer = look(root);
                if let Some(kept) = kept {
                    kept.push((number, answer.clone()));
                }
                answer
            }
            Self::Recorded(answers) => {
                answers
                    .pop_front_if(|next| [number, ANY].contains(&next.0))?
                    .1
            }
        }
    }

    /// When a process started, as in [`crate::event::ProcessKey::start`].
    pub fn start(&mut self, pid: u32) -> Option<u64> {
        let answer = self.ask(Question::Start, |root| {
            Some(procfs::start(root, pid)?.to_ne_bytes().into())
        });
        answer?.try_into().ok().map(u64::from_ne_bytes)
    }

    /// A process, as [`procfs::process`] gives it.
    pub fn process(&mut self, pid: u32) -> Option<Event> {
        // Times do not matter.
        let clock = Clock::default();
        let answer = self.ask(Question::Process, |root| {
            let event = procfs::process(root, pid)?;
            match &event.action {
                Action::Snapshot(exec) => Some(encode_snapshot(&event, exec, clock)),
                _ => None,
            }
        });
        decode(&answer?, clock).ok()
    }

    /// The path of a file that a descriptor leads to, unless the kernel (since 5.14) tells that it
    /// is none of these by now.
    pub fn file_behind(&mut self, pid: u32, fd: i32, inodes: &[u64]) -> Option<Vec<u8>> {
        self.ask(Question::FileBehind, |root| {
            let path = procfs::descriptor(root, pid, fd)?;
            let about = || read(&root.join(format!("proc/{pid}/fdinfo/{fd}")));
            let inode = || Status(about()?).words("ino").next()?.parse().ok();
            let is_other = !inodes.is_empty() && inode().is_some_and(|it| !inodes.contains(&it));
            (!is_other).then_some(path)
        })
    }

    /// The text of /proc/PID/status.
    pub fn status(&mut self, pid: u32) -> Option<Status> {
        let answer = self.ask(Question::Status, |root| {
            read(&root.join(format!("proc/{pid}/status")))
        });
        answer.map(Status)
    }

    /// The text of /proc/PID/fdinfo/FD.
    pub fn about_descriptor(&mut self, pid: u32, fd: i32) -> Option<Status> {
        let answer = self.ask(Question::AboutDescriptor, |root| {
            read(&root.join(format!("proc/{pid}/fdinfo/{fd}")))
        });
        answer.map(Status)
    }

    /// The numbers of a process's namespaces in the order of [`NAMESPACES`], 0 where unknown.
    pub fn namespaces(&mut self, pid: u32) -> [u32; 8] {
        self.namespaces_in(|root| namespaces(&root.join(format!("proc/{pid}/ns"))))
    }

    /// Those of the first process; where that may not be asked, the agent's.
    pub fn first_namespaces(&mut self) -> [u32; 8] {
        self.namespaces_in(|root| {
            let first = namespaces(&root.join("proc/1/ns"));
            if first.contains(&0) {
                namespaces(&root.join("proc/self/ns"))
            } else {
                first
            }
        })
    }

    fn namespaces_in(&mut self, question: impl FnOnce(&Path) -> [u32; 8]) -> [u32; 8] {
        let answer = self.ask(Question::Namespaces, |root| {
            Some(question(root).map(u32::to_ne_bytes).concat())
        });
        let bytes = answer.unwrap_or_default();
        let (words, _) = bytes.as_chunks::<4>();
        std::array::from_fn(|at| words.get(at).map_or(0, |&word| u32::from_ne_bytes(word)))
    }

    /// A process's control group and namespaces, as far as it is there and tells them.
    pub fn surroundings(&mut self, process: ProcessKey) -> (Group, Namespaces) {
        let answer = self.ask(Question::Surroundings, |root| {
            let (path, its) = procfs::surroundings(root, process)?;
            let numbers = [its.pid, its.mnt, its.net, its.user, its.uts, its.ipc];
            Some([numbers.map(u32::to_ne_bytes).as_flattened(), &path].concat())
        });
        let answer = answer.unwrap_or_default();
        let Some((numbers, path)) = answer.split_first_chunk::<24>() else {
            return Default::default();
        };
        let mut words = numbers
            .as_chunks::<4>()
            .0
            .iter()
            .copied()
            .map(u32::from_ne_bytes);
        let mut next = || words.next().unwrap_or(0);
        let namespaces = Namespaces {
            pid: next(),
            mnt: next(),
            net: next(),
            user: next(),
            uts: next(),
            ipc: next(),
        };
        let group = Group {
            id: 0,
            path: path.into(),
        };
        (group, namespaces)
    }

    /// The address where the socket behind a descriptor waits for connections of TCP.
    pub fn listening(&mut self, pid: u32, fd: i32) -> Option<SocketAddr> {
        let answer = self.ask(Question::Listening, |root| {
            let proc = root.join(format!("proc/{pid}"));
            let link = fs::read_link(proc.join(format!("fd/{fd}"))).ok()?;
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            ["tcp", "tcp6"].into_iter().find_map(|table| {
                let file = File::open(proc.join("net").join(table)).ok()?;
                let lines = BufReader::new(file).lines().map_while(Result::ok).skip(1);
                let found = find_listening(lines, inode)?;
                Some(found.to_string().into_bytes())
            })
        });
        str::from_utf8(&answer?).ok()?.parse().ok()
    }
}

fn namespaces(folder: &Path) -> [u32; 8] {
    let number = |name| {
        let link = fs::read_link(folder.join(name)).ok()?;
        let digits = link.to_str()?.split_once(":[")?.1.strip_suffix(']')?;
        digits.parse().ok()
    };
    NAMESPACES.map(|(_, name, _)| number(name).unwrap_or(0))
}

/// Lines `Name:\tvalue` of /proc.
pub struct Status(Vec<u8>);

impl Status {
    /// The words of a line.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        let mut lines = self.0.split(|&byte| byte == b'\n');
        let line = lines.find_map(|line| {
            let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
            str::from_utf8(value).ok()
        });
        line.unwrap_or("").split_ascii_whitespace()
    }

    /// The first word of a line, as a decimal number.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.words(name).next()?.parse().ok()
    }

    /// The first word of a line, as a hexadecimal number.
    pub fn mask(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.words(name).next()?, 16).ok()
    }
}

/// The local address of a socket in /proc/PID/net/tcp or tcp6, where those that listen come first.
fn find_listening(lines: impl Iterator<Item = String>, inode: &str) -> Option<SocketAddr> {
    const LISTENING: &str = "0A";
    for line in lines.take(MAX_LISTENING) {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        if fields.nth(1)? != LISTENING {
            return None;
        }
        if fields.nth(5)? == inode {
            return address(local);
        }
    }
    None
}

/// `0100007F:0016`: words of the address in the host's order of bytes, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (digits, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !digits.len().is_multiple_of(8) {
        return None;
    }
    let words = (0..digits.len() / 8).map(|word| {
        let digits = digits.get(word * 8..word * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    });
    let words = words.collect::<Option<Vec<[u8; 4]>>>()?;
    let ip: IpAddr = match words[..] {
        [word] => Ipv4Addr::from(word).into(),
        [..] => Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into(),
    };
    Some(SocketAddr::new(ip, port))
}

fn read(path: &Path) -> Answer {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_TEXT).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_who_listens() {
        let lines = [
            "   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 x",
            "   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 x",
            "   2: 0100007F:0016 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 x",
        ];
        let find = |inode| find_listening(lines.iter().map(ToString::to_string), inode);
        assert_eq!(find("4712"), Some("0.0.0.0:8080".parse().unwrap()));
        assert_eq!(find("4711"), Some("127.0.0.1:22".parse().unwrap()));
        assert_eq!(find("4713"), None);
        let sixth = address("00000000000000000000000001000000:0050");
        assert_eq!(sixth, Some("[::1]:80".parse().unwrap()));
        for odd in ["", ":", "0:0", "0100007F", "0100007FX:1", "é00000000000:1"] {
            assert_eq!(address(odd), None);
        }
    }

    #[test]
    fn a_descriptor_that_leads_elsewhere_by_now_is_not_believed() {
        use std::os::{fd::AsRawFd, unix::fs::MetadataExt};
        let file = File::open("/proc/self/exe").unwrap();
        let (own, fd) = (std::process::id(), file.as_raw_fd());
        let mut host = Host::Live {
            root: "/".into(),
            kept: None,
        };
        let path = host.file_behind(own, fd, &[]);
        assert!(path.is_some());
        let inode = file.metadata().unwrap().ino();
        assert_eq!(host.file_behind(own, fd, &[1, inode]), path);
        let can_tell = host
            .about_descriptor(own, fd)
            .is_some_and(|about| about.number("ino").is_some());
        assert_eq!(host.file_behind(own, fd, &[inode + 1]).is_none(), can_tell);
    }

    #[test]
    fn a_recording_answers_as_the_host_did() {
        let own = std::process::id();
        let mut live = Host::Live {
            root: "/".into(),
            kept: Some(Vec::new()),
        };
        let ask = |host: &mut Host| {
            let status = host.status(own).unwrap();
            (
                host.start(own),
                host.start(u32::MAX),
                host.process(own).map(|event| event.process),
                host.namespaces(own),
                status.number("Tgid"),
                status.words("Uid").count(),
                status.mask("SigCgt").is_some(),
                host.listening(own, -1),
            )
        };
        let told = ask(&mut live);
        assert!(told.0.is_some() && told.1.is_none());
        assert_eq!((told.4, told.5, told.6), (Some(own), 4, true));
        let kept = live.take_kept();
        assert!(live.take_kept().is_empty());
        assert_eq!(ask(&mut Host::Recorded(kept.into())), told);
        let mut silent = Host::Recorded(VecDeque::new());
        assert!(silent.status(own).is_none() && silent.process(own).is_none());
        assert_eq!(silent.namespaces(own), [0; 8]);
    }
}
