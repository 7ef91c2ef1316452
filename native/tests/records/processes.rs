//! Scenes of processes: known ones, contained ones, and those that nobody has seen start.

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::event::{Action, Credentials, Exec, FileChange, Group, Namespaces};

use crate::repository;
use crate::scene::{SHELL, Scene, Who, exec, exit, file, fork, john, root};

/// A shell lists a folder, a program gains rights, a server is killed.
pub fn processes() -> Scene {
    let mut scene = Scene::with_shell();
    scene.happens(john(SHELL), fork(1300));
    scene.happens(
        john(1300),
        Action::Exec(exec(
            Some(SHELL),
            "/usr/bin/ls",
            &["ls", "-l", "", "my file"],
        )),
    );
    scene.happens(john(1300), exit(2, 0));
    scene.happens(john(SHELL), fork(1301));
    let set_id = Credentials {
        uid: 1000,
        euid: 0,
        gid: 1000,
        egid: 42,
    };
    let sudo = Who {
        credentials: set_id,
        ..john(1301)
    };
    scene.happens(
        sudo,
        Action::Exec(exec(Some(SHELL), "/usr/bin/sudo", &["sudo", "id"])),
    );
    scene.happens(root(1301), fork(1302));
    // The child acts before it becomes another program.
    scene.happens(
        root(1302),
        Action::File(file(FileChange::Created, b"/run/sudo/ts/john_doe")),
    );
    scene.happens(
        root(1302),
        Action::Exec(exec(Some(1301), "/usr/bin/id", &["id"])),
    );
    scene.happens(root(1302), exit(0, 9));
    // The same end again, as the kernel may tell it.
    scene.happens(root(1302), exit(0, 9));
    scene.happens(root(SHELL), fork(1303));
    let in_memory = Exec {
        deleted: true,
        ..exec(Some(SHELL), "/memfd:stage", &["[kworker/0:1]"])
    };
    scene.happens(root(1303), Action::Exec(in_memory));
    scene.happens(john(SHELL), fork(1304));
    let script = Exec {
        script: b"/home/john_doe/bin/backup".into(),
        ..exec(
            Some(SHELL),
            "/usr/bin/python3.11",
            &["python3", "/home/john_doe/bin/backup"],
        )
    };
    scene.happens(john(1304), Action::Exec(script));
    // Who has become root has still logged in as someone else.
    let become_root = Who {
        login: john(SHELL).login,
        ..root(1304)
    };
    scene.happens(become_root, exit(0, 0));
    scene
}

/// A web server in a container, a shell in a namespace of its own, and a machine.
pub fn containers() -> Scene {
    let mut scene = Scene::below(repository("tests/golden/root"), true);
    let host = Namespaces {
        pid: 4_026_531_836,
        mnt: 4_026_531_841,
        net: 4_026_531_833,
        user: 4_026_531_837,
        uts: 4_026_531_838,
        ipc: 4_026_531_839,
    };
    let within = |group: &str, namespaces, exec| Exec {
        group: Group {
            id: 0,
            path: group.into(),
        },
        namespaces,
        ..exec
    };
    let init = exec(None, "/usr/lib/systemd/systemd", &["/sbin/init"]);
    scene.happens(root(1), Action::Snapshot(within("/init.scope", host, init)));
    let contained = Namespaces {
        pid: 4_026_532_300,
        mnt: 4_026_532_297,
        net: 4_026_532_301,
        user: host.user,
        uts: 4_026_532_298,
        ipc: 4_026_532_299,
    };
    let id = "4f0c1d7a".repeat(8);
    let server = exec(Some(1), "/usr/sbin/nginx", &["nginx"]);
    let group = format!("/system.slice/docker-{id}.scope");
    scene.happens(root(900), Action::Exec(within(&group, contained, server)));
    scene.happens(root(900), fork(901));
    scene.happens(
        root(901),
        Action::File(file(FileChange::Created, b"/run/nginx.pid")),
    );
    let user = Namespaces {
        user: 4_026_532_400,
        ..host
    };
    let shell = exec(Some(1), "/usr/bin/bash", &["bash"]);
    let group = "/user.slice/user-1000.slice/session-3.scope";
    scene.happens(john(902), Action::Exec(within(group, user, shell)));
    let machine = exec(Some(1), "/usr/lib/systemd/systemd", &["systemd"]);
    let group = r"/machine.slice/machine-old\x2ddebian.scope/payload";
    scene.happens(root(903), Action::Exec(within(group, contained, machine)));
    scene
}

/// Who acts is not in the table, or only in part.
pub fn unknown_processes() -> Scene {
    let mut scene = Scene::new();
    scene.happens(john(50), Action::File(file(FileChange::Deleted, b"/tmp/x")));
    scene.happens(john(60), fork(61));
    scene.happens(john(61), Action::File(file(FileChange::Deleted, b"/tmp/y")));
    scene.happens(
        john(61),
        Action::Exec(exec(Some(60), "/usr/bin/true", &["true"])),
    );
    scene.happens(john(70), Action::Exec(exec(None, "/usr/bin/true", &[])));
    scene.happens(john(80), exit(1, 0));
    let ids = Credentials {
        uid: 4711,
        euid: u32::MAX,
        gid: 4712,
        egid: 4712,
    };
    let stranger = Who {
        credentials: ids,
        ..john(90)
    };
    scene.happens(
        stranger,
        Action::Exec(exec(Some(1), "", &["/opt/vendor/agent", "-d"])),
    );
    scene
}

/// The start of a process was missed, and /proc knows it, or knows another of that pid.
pub fn inferred_processes() -> Scene {
    let mut scene = Scene::below(repository("tests/golden/root"), true);
    scene.happens(
        john(300),
        Action::File(file(FileChange::Deleted, b"/tmp/x")),
    );
    scene.happens(
        john(301),
        Action::File(file(FileChange::Deleted, b"/tmp/y")),
    );
    // What a child runs is known no better than what its parent does.
    scene.happens(john(300), fork(302));
    scene.happens(
        john(302),
        Action::File(file(FileChange::Deleted, b"/tmp/z")),
    );
    assert_eq!(scene.counted(Counter::Inferred), 2);
    scene
}
