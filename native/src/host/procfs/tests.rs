use super::{MAX_ARGUMENTS, is_gone, process, snapshot, start};
use crate::event::{Action, Credentials, Event, Exec, Group, LoginSession, Namespaces, ProcessKey};
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

#[test]
fn who_has_ended_is_gone_once_waited_for() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    let here = Path::new("/");
    assert!(!is_gone(here, pid) && start(here, pid).is_some());
    child.wait().unwrap();
    assert!(is_gone(here, pid) && start(here, pid).is_none());
    // Numbers of another /proc may be those of other processes.
    assert!(!is_gone(Path::new("/elsewhere"), pid));
    for odd in [0, u32::MAX] {
        assert!(!is_gone(here, odd));
    }
}
