//! Processes as /proc shows them. A process may vanish between two reads; it is then left out.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::{
    Action, Content, Credentials, Event, Exec, Group, LoginSession, Namespaces, ProcessKey,
};

/// Processes that a snapshot may hold; the kernel's own limit is 4,194,304.
const MAX_PROCESSES: usize = 131_072;
/// Bytes read of `stat` and `status`, whose start is all that is needed.
const MAX_STATUS: u64 = 4_096;
/// Bytes read of a file that holds one number of 32 bits.
const MAX_NUMBER: u64 = 16;
/// Bytes read of the list of control groups: a path for each of some fifteen hierarchies.
const MAX_GROUPS: u64 = 65_536;
/// Bytes kept of the arguments, as of those that the kernel programs send.
const MAX_ARGUMENTS: usize = 32_768;
/// Nanoseconds of the unit of [`ProcessKey::start`].
pub const TICK: u64 = 10_000_000;
/// What the kernel puts behind the path of a file that has no name any more.
const DELETED: &[u8] = b" (deleted)";

/// Every process, oldest first, so that parents come before their children.
///
/// `root`: where proc is found. Threads of the kernel have a name as their only argument, and no
/// executable.
pub fn snapshot(root: &Path) -> impl Iterator<Item = Event> {
    let proc = root.join("proc");
    let mut found: Vec<Stat> = pids(&proc)
        .filter_map(|pid| Stat::read(&proc, pid))
        .collect();
    found.sort_unstable_by_key(|stat| (stat.start, stat.pid));
    let starts: HashMap<u32, u64> = found.iter().map(|stat| (stat.pid, stat.start)).collect();
    found.into_iter().filter_map(move |stat| {
        let parent = starts.get(&stat.parent).map(|&start| ProcessKey {
            pid: stat.parent,
            start,
        });
        describe(&proc, stat, parent)
    })
}

/// One process, as [`snapshot`] would give it.
pub fn process(root: &Path, pid: u32) -> Option<Event> {
    let proc = root.join("proc");
    let stat = Stat::read(&proc, pid)?;
    let parent = Stat::read(&proc, stat.parent).map(|parent| parent.key());
    describe(&proc, stat, parent)
}

/// When a process started, as in [`ProcessKey::start`].
pub fn start(root: &Path, pid: u32) -> Option<u64> {
    Stat::read(&root.join("proc"), pid).map(|stat| stat.start)
}

/// Where a descriptor of a process leads.
pub fn descriptor(root: &Path, pid: u32, fd: i32) -> Option<Vec<u8>> {
    let (path, _) = link(&root.join(format!("proc/{pid}/fd/{fd}")));
    path.starts_with(b"/").then_some(path)
}

fn pids(proc: &Path) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .take(MAX_PROCESSES)
}

fn describe(proc: &Path, stat: Stat, parent: Option<ProcessKey>) -> Option<Event> {
    let process = stat.key();
    let folder = folder(proc, process.pid);
    let credentials = credentials(&read(&folder.join("status"), MAX_STATUS)?)?;
    let mut arguments = read(&folder.join("cmdline"), MAX_ARGUMENTS as u64 + 1)?;
    let arguments_truncated = arguments.len() > MAX_ARGUMENTS;
    arguments.truncate(MAX_ARGUMENTS);
    if arguments.is_empty() {
        arguments = [&*stat.name, &[0]].concat();
    }
    let (executable, deleted) = link(&folder.join("exe"));
    let (working_directory, _) = link(&folder.join("cwd"));
    let exec = Exec {
        parent,
        executable,
        working_directory,
        arguments,
        arguments_truncated,
        deleted,
        group: Group {
            id: 0,
            path: group(&folder).unwrap_or_default(),
        },
        namespaces: namespaces(&folder),
        ..Default::default()
    };
    // The pid may have passed to another process while its files were read.
    let same = Stat::read(proc, process.pid)?.key() == process;
    same.then(|| Event {
        time: now(),
        process,
        thread: process.pid,
        credentials,
        login: login(&folder),
        repeat: None,
        call: None,
        content: Content::Unasked,
        action: Action::Snapshot(exec),
    })
}

/// The fields of `/proc/PID/stat` that are needed.
struct Stat {
    pid: u32,
    parent: u32,
    start: u64,
    name: Box<[u8]>,
}

impl Stat {
    fn read(proc: &Path, pid: u32) -> Option<Self> {
        let text = read(&folder(proc, pid).join("stat"), MAX_STATUS)?;
        Self::parse(pid, &text)
    }

    /// The name stands in parentheses and may hold parentheses, spaces and line feeds.
    fn parse(pid: u32, text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|&byte| byte == b'(')?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        let name = text.get(open + 1..close)?.into();
        let mut fields = str::from_utf8(&text[close + 1..])
            .ok()?
            .split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?; // field 4
        let start = fields.nth(17)?.parse().ok()?; // field 22
        Some(Self {
            pid,
            parent,
            start,
            name,
        })
    }

    fn key(&self) -> ProcessKey {
        ProcessKey {
            pid: self.pid,
            start: self.start,
        }
    }
}

/// `Uid:` and `Gid:` give the real, effective, saved and file system ids.
fn credentials(status: &[u8]) -> Option<Credentials> {
    let ids = |label: &[u8]| {
        let line = status
            .split(|&byte| byte == b'\n')
            .find_map(|line| line.strip_prefix(label))?;
        let mut ids = str::from_utf8(line).ok()?.split_ascii_whitespace();
        Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
    };
    let ((uid, euid), (gid, egid)) = (ids(b"Uid:")?, ids(b"Gid:")?);
    Some(Credentials {
        uid,
        euid,
        gid,
        egid,
    })
}

/// The path of a process's control group, none if it is gone: the one that the kernel programs tell.
pub fn group_of(root: &Path, pid: u32) -> Option<Vec<u8>> {
    group(&folder(&root.join("proc"), pid))
}

/// That of cpuset if there is one, else that of version 2; a root only if there is nothing else.
fn group(folder: &Path) -> Option<Vec<u8>> {
    let text = read(&folder.join("cgroup"), MAX_GROUPS)?;
    let lines = text.split(|&byte| byte == b'\n');
    let groups = lines.filter_map(|line| {
        let mut parts = line.splitn(3, |&byte| byte == b':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let has_cpuset = controllers
            .split(|&byte| byte == b',')
            .any(|it| it == b"cpuset");
        Some((
            path != b"/",
            has_cpuset,
            controllers.is_empty(),
            path.to_vec(),
        ))
    });
    groups.max().map(|(.., path)| path)
}

/// Each link reads `pid:[4026531836]`.
fn namespaces(folder: &Path) -> Namespaces {
    let number = |name: &str| {
        let link = fs::read_link(folder.join("ns").join(name)).ok()?;
        let digits = link.to_str()?.split_once(":[")?.1.strip_suffix(']')?;
        digits.parse().ok()
    };
    let number = |name| number(name).unwrap_or(0);
    Namespaces {
        pid: number("pid"),
        mnt: number("mnt"),
        net: number("net"),
        user: number("user"),
        uts: number("uts"),
        ipc: number("ipc"),
    }
}

/// Unset where the kernel has no audit system.
fn login(folder: &Path) -> LoginSession {
    let number = |name| {
        let text = read(&folder.join(name), MAX_NUMBER)?;
        str::from_utf8(&text).ok()?.trim_ascii().parse().ok()
    };
    LoginSession {
        uid: number("loginuid").unwrap_or(LoginSession::UNSET.uid),
        session: number("sessionid").unwrap_or(LoginSession::UNSET.session),
    }
}

/// Where a link leads, empty if it cannot be told, as for threads of the kernel; and whether what
/// lay there has no name any more.
///
/// The text of the link decides, so a file whose own name ends in ` (deleted)` is taken for a
/// deleted one. To ask the file itself might wait forever for a server that is gone.
fn link(path: &Path) -> (Vec<u8>, bool) {
    let target = fs::read_link(path).unwrap_or_default();
    let mut target = target.into_os_string().into_vec();
    let deleted = target.ends_with(DELETED);
    if deleted {
        target.truncate(target.len() - DELETED.len());
    }
    (target, deleted)
}

fn folder(proc: &Path, pid: u32) -> PathBuf {
    proc.join(pid.to_string())
}

fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(limit)
        .read_to_end(&mut text)
        .ok()?;
    Some(text)
}

fn now() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    elapsed.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{MAX_ARGUMENTS, process, snapshot};
    use crate::event::{
        Action, Credentials, Event, Exec, Group, LoginSession, Namespaces, ProcessKey,
    };
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use tempfile::TempDir;

    fn root() -> TempDir {
        let root = tempfile::tempdir().unwrap();
        add(root.path(), 1, 0, 2, b"systemd", b"/sbin/init\0splash\0");
        link(root.path(), 1, "exe", "/usr/lib/systemd/systemd");
        link(root.path(), 1, "cwd", "/");
        root
    }

    fn add(root: &Path, pid: u32, parent: u32, start: u64, name: &[u8], cmdline: &[u8]) {
        let folder = root.join(format!("proc/{pid}"));
        fs::create_dir_all(&folder).unwrap();
        let fields = format!(
            " S {parent} {} 20 0 1 0 {start} 1000 2000",
            ["0"; 13].join(" ")
        );
        let stat = [
            format!("{pid} (").as_bytes(),
            name,
            b")",
            fields.as_bytes(),
            b"\n",
        ]
        .concat();
        fs::write(folder.join("stat"), stat).unwrap();
        let status = "Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1001\t1002\t3\t4\nGroups:\t4 24\n";
        fs::write(folder.join("status"), status).unwrap();
        fs::write(folder.join("cmdline"), cmdline).unwrap();
    }

    fn link(root: &Path, pid: u32, name: &str, target: &str) {
        symlink(target, root.join(format!("proc/{pid}/{name}"))).unwrap();
    }

    fn exec(event: &Event) -> &Exec {
        match &event.action {
            Action::Snapshot(exec) => exec,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tells_all_about_a_process() {
        let root = root();
        add(root.path(), 77, 1, 500, b"x", b"nginx\0-g\0\0");
        link(root.path(), 77, "exe", "/usr/sbin/nginx");
        link(root.path(), 77, "cwd", "/var/www");
        fs::create_dir(root.path().join("proc/77/ns")).unwrap();
        link(root.path(), 77, "ns/mnt", "mnt:[4026532177]");
        link(root.path(), 77, "ns/net", "net:[odd]");
        let groups = "1:name=systemd:/x\n0::/system.slice/nginx.service\n";
        fs::write(root.path().join("proc/77/cgroup"), groups).unwrap();
        fs::write(root.path().join("proc/77/loginuid"), "1000").unwrap();
        fs::write(root.path().join("proc/77/sessionid"), "12\n").unwrap();
        let event = process(root.path(), 77).unwrap();
        assert_eq!(
            event.process,
            ProcessKey {
                pid: 77,
                start: 500
            }
        );
        assert_eq!(event.thread, 77);
        let rights = Credentials {
            uid: 1000,
            euid: 0,
            gid: 1001,
            egid: 1002,
        };
        assert_eq!(event.credentials, rights);
        let expected = Exec {
            parent: Some(ProcessKey { pid: 1, start: 2 }),
            executable: b"/usr/sbin/nginx".to_vec(),
            working_directory: b"/var/www".to_vec(),
            group: Group {
                id: 0,
                path: b"/system.slice/nginx.service".to_vec(),
            },
            namespaces: Namespaces {
                mnt: 4_026_532_177,
                ..Default::default()
            },
            arguments: b"nginx\0-g\0\0".to_vec(),
            ..Default::default()
        };
        assert_eq!(exec(&event), &expected);
        let login = LoginSession {
            uid: 1000,
            session: 12,
        };
        assert_eq!(event.login, login);
    }

    #[test]
    fn chooses_the_group_that_the_kernel_programs_tell() {
        let root = root();
        let chosen = |groups: &[u8]| {
            fs::write(root.path().join("proc/1/cgroup"), groups).unwrap();
            super::group_of(root.path(), 1).map(|path| String::from_utf8(path).unwrap())
        };
        assert_eq!(chosen(b"0::/a/b\n").unwrap(), "/a/b");
        let both = b"4:cpu,cpuset:/docker/1\n1:name=systemd:/z\n0::/system.slice\n";
        assert_eq!(chosen(both).unwrap(), "/docker/1");
        assert_eq!(chosen(b"3:cpuset:/\n0::/x:y\n").unwrap(), "/x:y");
        assert_eq!(chosen(b"3:cpuset:/\n2:memory:/m\n0::/\n").unwrap(), "/m");
        assert_eq!(chosen(b"0::/\n").unwrap(), "/");
        assert_eq!(chosen(b"odd\n::\n"), Some(String::new()));
        assert_eq!(chosen(b""), None);
    }

    #[test]
    fn lists_parents_before_their_children() {
        let root = root();
        add(root.path(), 300, 4000, 90, b"child", b"child\0");
        add(root.path(), 4000, 1, 80, b"parent", b"parent\0");
        fs::create_dir_all(root.path().join("proc/sys")).unwrap();
        fs::write(root.path().join("proc/uptime"), "1 2").unwrap();
        let events: Vec<Event> = snapshot(root.path()).collect();
        let pids: Vec<u32> = events.iter().map(|event| event.process.pid).collect();
        assert_eq!(pids, [1, 4000, 300]);
        assert_eq!(exec(&events[0]).parent, None);
        assert_eq!(
            exec(&events[2]).parent,
            Some(ProcessKey {
                pid: 4000,
                start: 80
            })
        );
    }

    #[test]
    fn calls_a_thread_of_the_kernel_by_its_name() {
        let root = root();
        add(root.path(), 2, 0, 2, b"kworker/0:1-x) y (", b"");
        let event = process(root.path(), 2).unwrap();
        assert_eq!(exec(&event).arguments, b"kworker/0:1-x) y (\0");
        assert_eq!(exec(&event).executable, b"");
        assert_eq!(event.login, LoginSession::UNSET);
    }

    #[test]
    fn bounds_and_keeps_hostile_arguments() {
        let root = root();
        add(
            root.path(),
            66,
            1,
            5,
            b"\xff\n(",
            &[0xfe; MAX_ARGUMENTS + 10],
        );
        let event = process(root.path(), 66).unwrap();
        assert_eq!(exec(&event).arguments, [0xfe; MAX_ARGUMENTS]);
        assert!(exec(&event).arguments_truncated);
    }

    #[test]
    fn leaves_out_what_cannot_be_read() {
        let root = root();
        add(root.path(), 10, 1, 5, b"gone", b"");
        fs::remove_file(root.path().join("proc/10/status")).unwrap();
        add(root.path(), 11, 1, 5, b"broken", b"");
        fs::write(root.path().join("proc/11/stat"), ")11 (").unwrap();
        add(root.path(), 12, 1, 5, b"short", b"");
        fs::write(root.path().join("proc/12/stat"), "12 (short) S 1 2").unwrap();
        add(root.path(), 13, 1, 5, b"mute", b"");
        fs::write(root.path().join("proc/13/status"), "Uid:\t0\n").unwrap();
        fs::create_dir_all(root.path().join("proc/14")).unwrap();
        assert_eq!(snapshot(root.path()).count(), 1);
        assert_eq!(snapshot(Path::new("/nowhere")).count(), 0);
    }

    #[test]
    fn finds_itself_in_the_real_proc() {
        let own = process(Path::new("/"), std::process::id()).unwrap();
        assert_eq!(
            exec(&own).executable,
            std::env::current_exe()
                .unwrap()
                .as_os_str()
                .as_encoded_bytes()
        );
        assert_eq!(
            exec(&own).parent.unwrap().pid,
            std::os::unix::process::parent_id()
        );
        assert!(snapshot(Path::new("/")).any(|event| event.process == own.process));
    }

    #[test]
    fn names_a_deleted_executable_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("sleep");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut child = std::process::Command::new(&program)
            .arg("60")
            .spawn()
            .unwrap();
        fs::remove_file(&program).unwrap();
        let event = process(Path::new("/"), child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(
            exec(&event).executable,
            program.as_os_str().as_encoded_bytes()
        );
        assert!(exec(&event).deleted);
    }

    #[test]
    fn takes_the_kernels_word_for_a_deleted_file() {
        let root = root();
        add(root.path(), 20, 1, 5, b"x", b"x\0");
        link(root.path(), 20, "exe", "/memfd:stage (deleted)");
        link(root.path(), 20, "cwd", "/tmp/gone (deleted)");
        let event = process(root.path(), 20).unwrap();
        assert_eq!(exec(&event).executable, b"/memfd:stage");
        assert_eq!(exec(&event).working_directory, b"/tmp/gone");
        assert!(exec(&event).deleted);
    }

    /// Not even to find out whether it is there: the link leads to a file that exists.
    #[test]
    fn does_not_look_at_the_file_itself() {
        let root = root();
        add(root.path(), 21, 1, 5, b"x", b"x\0");
        let odd = root.path().join("tool (deleted)");
        fs::write(&odd, "").unwrap();
        link(root.path(), 21, "exe", odd.to_str().unwrap());
        let event = process(root.path(), 21).unwrap();
        let told = root.path().join("tool");
        assert_eq!(exec(&event).executable, told.as_os_str().as_encoded_bytes());
    }
}
