//! The watches of the package: each matches what it is for, and nothing else of the table here.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::sync::Arc;

use endpoint_agent_native::event::{
    Action, Attribute, Call, Direction, Exec, FileChange, Injection, Login, LoginAct, Module,
    Mount, MountChange, Node, Ownership, Refusal, Target,
};
use endpoint_agent_native::filter::Watch;
use endpoint_agent_native::filter::watch::Who as Users;

use crate::repository;
use crate::rules::watching;
use crate::scene::{SHELL, Scene, Who, connection, exec, file, john, key, root};

/// Programs that a user starts, with their arguments, and the tags of that.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("/usr/bin/crontab", "-e", "cron"),
    ("/usr/bin/passwd", "", "passwd_modification"),
    ("/usr/sbin/useradd", "eve", "user_modification"),
    ("/usr/sbin/groupadd", "eve", "group_modification"),
    ("/usr/sbin/visudo", "", "actions"),
    ("/usr/bin/sudo", "id", "priv_esc"),
    ("/usr/bin/pkexec", "id", "pkexec"),
    ("/usr/bin/systemctl", "stop auditd", "systemd"),
    ("/usr/sbin/insmod", "x.ko", "modules"),
    ("/usr/sbin/kexec", "-l vmlinuz", "KEXEC"),
    ("/usr/bin/mount", "/dev/sdb1 /mnt", "mount"),
    ("/usr/sbin/swapoff", "-a", "swap"),
    ("/usr/sbin/hwclock", "--set", "time"),
    ("/usr/bin/timedatectl", "set-time 2000-01-01", "time"),
    ("/usr/bin/timedatectl", "status", ""),
    ("/usr/bin/date", "-s 2000-01-01", "time"),
    ("/usr/bin/date", "+%s", ""),
    ("/usr/sbin/shutdown", "-h now", "power"),
    ("/usr/sbin/auditctl", "-D", "audittools"),
    ("/usr/bin/whoami", "", "recon"),
    ("/usr/bin/curl", "http://198.51.100.7/x", "susp_activity"),
    ("/usr/bin/wireshark", "", "susp_activity"),
    ("/usr/sbin/nft", "flush ruleset", "sbin_susp"),
    ("/usr/bin/zsh", "", "susp_shell"),
    ("/usr/bin/dbus-send", "--system", "dbus_send"),
    ("/usr/bin/gdbus", "call", "gdubs_call"),
    ("/usr/bin/grep", "-r password /etc", "string_search"),
    ("/usr/bin/tar", "cf x.tar /home", "Data_Compressed"),
    ("/usr/bin/stunnel4", "", "stunnel"),
    ("/usr/bin/apt-get", "install x", "software_mgmt"),
    ("/usr/bin/python3.11", "-c 1", "software_mgmt"),
    (
        "/usr/bin/python3.11",
        "/usr/bin/pip install x",
        "software_mgmt third_party_software_mgmt",
    ),
    ("/usr/bin/perl", "-e 1", "software_mgmt"),
    ("/usr/bin/docker", "run x", "docker"),
    ("/usr/bin/kubelet", "", "kubelet"),
    ("/usr/bin/virtualbox", "", "virtualbox"),
    ("/usr/bin/VBoxManage", "list vms", "VBoxManage"),
    ("/usr/bin/virt-manager", "", "virt-manager"),
    ("/usr/bin/qemu", "", "qemu"),
    ("/usr/bin/qemu-img", "info x", "qemu-img"),
    ("/usr/bin/qemu-kvm", "", "qemu-kvm"),
    ("/usr/bin/qemu-system-x86_64", "", "qemu-system-x86_64"),
    ("/usr/libexec/sssd/krb5_child", "", "T1078_Valid_Accounts"),
    ("/usr/bin/ls", "/etc/cron.d", ""),
];

/// Files that a user writes to, and the tags of that.
const FILES: &[(&str, &str)] = &[
    ("/etc/cron.d/job", "cron"),
    ("/var/spool/cron/crontabs/root", "cron"),
    ("/etc/passwd", "etcpasswd"),
    ("/etc/shadow", "etcpasswd"),
    ("/etc/group", "etcgroup"),
    ("/etc/security/opasswd", "opasswd"),
    ("/etc/sudoers.d/eve", "actions"),
    ("/etc/pam.d/sshd", "pam"),
    ("/lib/x86_64-linux-gnu/security/pam_unix.so", "pam"),
    ("/etc/login.defs", "login"),
    ("/var/log/wtmp", "session"),
    ("/etc/ssh/sshd_config", "sshd"),
    ("/root/.ssh/authorized_keys", "rootkey"),
    ("/home/eve/.ssh/authorized_keys", "ssh_keys"),
    ("/etc/ld.so.preload", "rootkit_preload systemwide_preloads"),
    ("/etc/ld.so.conf.d/x.conf", "libpath"),
    ("/home/eve/.bashrc", "shell_profiles"),
    ("/etc/init.d/x", "init"),
    ("/etc/systemd/system/x.service", "systemd"),
    ("/run/systemd/system-generators/x", "systemd_generator"),
    ("/etc/modules", "modules"),
    ("/etc/modprobe.d/x.conf", "modprobe"),
    ("/etc/sysctl.d/x.conf", "sysctl"),
    ("/etc/localtime", "localtime"),
    ("/etc/selinux/config", "mac_policy"),
    ("/etc/audit/auditd.conf", "auditconfig"),
    ("/etc/audisp/x.conf", "audispconfig"),
    ("/var/log/audit/audit.log", "auditlog"),
    ("/etc/issue", "etcissue"),
    ("/etc/postfix/main.cf", "mail"),
    ("/etc/hosts", "network_modifications"),
    ("/etc/network/interfaces", "network_modifications network"),
    ("/etc/pacman.conf", "third_party_software_mgmt"),
    ("/etc/docker/daemon.json", "docker"),
    ("/etc/chef/client.rb", "soft_chef"),
    ("/etc/salt/minion", "soft_salt"),
    ("/etc/puppet/ssl/x.pem", "puppet_ssl"),
    ("/var/opt/BESClient/x", "soft_besclient"),
    ("/etc/otter/x", "soft_otter"),
    ("/etc/fstab", ""),
    ("/home/eve/notes", ""),
];

/// Anything else, by whom, and the tags of that.
fn others() -> Vec<(Who, Action, &'static str)> {
    let login = |act| {
        Action::Login(Login {
            act,
            success: true,
            login_uid: 1000,
            account: None,
            source: None,
            executable: Vec::new(),
            properties: Vec::new(),
        })
    };
    let change = |change| Action::File(file(change, b"/srv/x"));
    let refused = |call| {
        let call = Call(call);
        FileChange::Refused(Refusal { call, error: 13 })
    };
    let as_root = Who {
        login: john(SHELL).login,
        ..root(SHELL)
    };
    let mut web = root(80);
    web.credentials.euid = 33;
    let owner = Ownership {
        uid: Some(0),
        gid: None,
    };
    let attribute = Attribute {
        name: b"security.capability".into(),
        removed: false,
    };
    let target = Target {
        process: key(800),
        uid: 0,
    };
    let ptrace = |request| {
        Action::Injection(Injection {
            call: Call(101),
            request,
            target,
            bytes: 0,
        })
    };
    vec![
        (john(SHELL), login(LoginAct::LoggedIn), "login"),
        (john(SHELL), login(LoginAct::StartedSession), "session"),
        (
            john(SHELL),
            login(LoginAct::ChangedPassword),
            "passwd_modification",
        ),
        (john(SHELL), login(LoginAct::AddedUser), "user_modification"),
        (
            john(SHELL),
            login(LoginAct::AddedGroup),
            "group_modification",
        ),
        (
            root(800),
            connection(Direction::Ingress, "10.0.0.1:22", "10.0.0.2:4000"),
            "tcp_connections",
        ),
        (
            john(SHELL),
            connection(Direction::Egress, "10.0.0.1:4000", "10.0.0.2:443"),
            "remote_shell network_connect_4",
        ),
        (
            root(800),
            connection(Direction::Egress, "[::1]:4000", "[2001:db8::7]:443"),
            "network_connect_6",
        ),
        (
            root(1),
            Action::Module(Module {
                call: Call(313),
                is_unloaded: false,
                name: b"x".into(),
                path: None,
                path_truncated: false,
            }),
            "modules",
        ),
        (
            root(1),
            Action::Mount(Mount {
                change: MountChange::Mounted,
                path: b"/mnt".into(),
                path_truncated: false,
                source: b"/dev/sdb1".into(),
                source_truncated: false,
                put_old: None,
                filesystem: b"ext4".into(),
                options: Vec::new(),
            }),
            "mount",
        ),
        (
            john(SHELL),
            change(FileChange::Permissions(0o4755)),
            "perm_mod",
        ),
        (
            john(SHELL),
            change(FileChange::Ownership(owner)),
            "perm_mod",
        ),
        (
            john(SHELL),
            change(FileChange::Attribute(attribute)),
            "perm_mod",
        ),
        (root(1), change(FileChange::Permissions(0o4755)), ""),
        (
            john(SHELL),
            change(refused(257)),
            "file_access unauthedfileaccess",
        ),
        (
            john(SHELL),
            change(refused(83)),
            "file_creation unauthedfileaccess",
        ),
        (
            john(SHELL),
            change(refused(82)),
            "file_modification unauthedfileaccess",
        ),
        (john(SHELL), change(FileChange::Deleted), "delete"),
        (root(1), change(FileChange::Deleted), ""),
        (
            as_root,
            Action::File(file(FileChange::Modified, b"/home/eve/notes")),
            "power_abuse",
        ),
        (john(SHELL), ptrace(4), "code_injection"),
        (john(SHELL), ptrace(5), "code_injection data_injection"),
        (john(SHELL), ptrace(13), "code_injection register_injection"),
        (
            john(SHELL),
            change(FileChange::NodeCreated(Node {
                mode: 0o020_600,
                device: (1, 3),
            })),
            "specialfiles",
        ),
        (
            as_root,
            Action::Exec(exec(Some(SHELL), "/usr/bin/ls", &["ls"])),
            "rootcmd",
        ),
        (
            web,
            Action::Exec(exec(Some(1), "/usr/bin/ls", &["ls"])),
            "detect_execve_www",
        ),
        (
            john(SHELL),
            Action::File(file(FileChange::MemoryCreated(Vec::new()), b"/memfd:x")),
            "anon_file_create",
        ),
        (
            john(SHELL),
            Action::Exec(Exec {
                deleted: true,
                ..exec(Some(SHELL), "/memfd:x", &["x"])
            }),
            "anon_file_create",
        ),
    ]
}

fn events() -> Vec<(Who, Action, &'static str)> {
    let programs = PROGRAMS.iter().map(|&(program, arguments, tags)| {
        let given: Vec<&str> = [program].into_iter().chain(arguments.split(' ')).collect();
        (
            john(1300),
            Action::Exec(exec(Some(SHELL), program, &given)),
            tags,
        )
    });
    let files = FILES.iter().map(|&(path, tags)| {
        let written = Action::File(file(FileChange::Modified, path.as_bytes()));
        (john(700), written, tags)
    });
    programs.chain(files).chain(others()).collect()
}

#[test]
fn every_watch_of_the_package_matches_what_it_is_for() {
    let watches = shipped();
    // Which watch it was is told by a number behind the tag.
    let numbered = watches.iter().enumerate().map(|(number, watch)| Watch {
        tag: format!("{}#{number}", watch.tag),
        ..watch.clone()
    });
    let rules = Arc::new(watching(numbered.collect()));
    let mut matched = BTreeSet::new();
    for (who, action, expected) in events() {
        let mut scene = Scene::with_shell();
        scene.engine.set_rules(rules.clone());
        scene.happens(who, action.clone());
        let mut tags = BTreeSet::new();
        for record in scene.records() {
            for tag in record["tags"].as_array().into_iter().flatten() {
                let (tag, number) = tag.as_str().unwrap().split_once('#').unwrap();
                tags.insert(tag.to_owned());
                matched.insert(number.parse::<usize>().unwrap());
            }
        }
        let of_all = matches!(action, Action::Exec(_)).then_some("proces_exec");
        let expected = expected.split_whitespace().chain(of_all);
        let expected = expected.map(str::to_owned).collect();
        assert_eq!(tags, expected, "{action:?}");
    }
    let missed: Vec<_> = (0..watches.len())
        .filter(|number| !matched.contains(number))
        .map(|number| &watches[number])
        .collect();
    assert!(missed.is_empty(), "no event here matches {missed:#?}");
}

/// Reads the shipped file, which keeps to a small part of YAML; the Python tests read it in earnest.
fn shipped() -> Vec<Watch> {
    let text = fs::read_to_string(repository("python/endpoint_agent/watches.yaml")).unwrap();
    let mut found: Vec<Vec<(String, String)>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') || line == "watches:" {
            continue;
        }
        let line = match line.strip_prefix("- tag: ") {
            Some(tag) => {
                found.push(vec![("tag".into(), tag.into())]);
                continue;
            }
            None => line,
        };
        let watch = found.last_mut().unwrap();
        match (line.strip_prefix("- "), line.split_once(':')) {
            (Some(member), _) => {
                let (_, members) = watch.last_mut().unwrap();
                members.push_str(member);
                members.push(',');
            }
            (None, Some((key, value))) => {
                let value = value.trim().trim_start_matches('[').trim_end_matches(']');
                watch.push((key.into(), value.into()));
            }
            _ => panic!("{line}"),
        }
    }
    found.iter().map(|members| watch(members)).collect()
}

fn watch(members: &[(String, String)]) -> Watch {
    let members: HashMap<&str, &str> = members
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let known = [
        "tag",
        "actions",
        "syscalls",
        "details",
        "paths",
        "executables",
        "arguments",
        "effective_users",
        "login_users",
    ];
    assert!(members.keys().all(|key| known.contains(key)), "{members:?}");
    let texts = |key| -> Vec<String> {
        let members = members.get(key).copied().unwrap_or_default().split(',');
        let plain = members.map(|member| member.trim_start().trim_matches('"').to_owned());
        plain.filter(|member| !member.is_empty()).collect()
    };
    let users = |key| {
        let user = |text: String| match text.split_once('-') {
            Some((from, "")) => Users::Range(from.parse().unwrap(), u32::MAX - 1),
            _ => Users::Name(text),
        };
        texts(key).into_iter().map(user).collect()
    };
    Watch {
        tag: members["tag"].into(),
        actions: texts("actions"),
        syscalls: texts("syscalls"),
        details: texts("details"),
        paths: texts("paths"),
        executables: texts("executables"),
        arguments: texts("arguments"),
        effective_users: users("effective_users"),
        login_users: users("login_users"),
    }
}
