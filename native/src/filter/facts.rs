//! What rules are asked about, before anything is written.

use crate::ecs::catalogue::Kind;
use crate::ecs::{file, names, network};
use crate::enrich::processes::Process;
use crate::enrich::program::{Program, arguments, file_name};
use crate::enrich::users::Users;
use crate::event::{Action, Call, Event, File, FileChange};

/// An event and who did it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Of which kind it is.
    pub kind: &'static Kind,
    /// The event.
    pub event: &'a Event,
    /// Who did it.
    pub process: &'a Process,
    /// Who has which number.
    pub users: &'a Users,
}

/// Programs whose first argument that is no option is what they run, where they are called by name
/// and not by the kernel, in place of a script.
const INTERPRETERS: [&[u8]; 14] = [
    b"python", b"perl", b"ruby", b"node", b"php", b"lua", b"tclsh", b"bash", b"dash", b"sh",
    b"zsh", b"ksh", b"busybox", b"env",
];

impl<'a> Facts<'a> {
    /// What the process runs; of an exec the new program.
    pub fn program(&self) -> Option<&'a Program> {
        self.process.program()
    }

    /// The system call, of what was refused or is no act on files, mounts or sockets: of these, not
    /// every source tells it.
    pub fn syscall(&self) -> Option<&'static str> {
        match self.event.action.call()? {
            Call::TOLD => self.event.call.as_ref().map(|call| call.name),
            call => names::call(call),
        }
    }

    /// Of which sort the act is, where there are some: one of [`details`].
    pub fn detail(&self) -> Option<&'static str> {
        match &self.event.action {
            Action::Injection(injection) => names::request(injection.request),
            Action::File(File {
                change: FileChange::NodeCreated(node),
                ..
            }) => file::kind(node.mode),
            Action::Connection(connection) => Some(network::kind(connection.peer)),
            Action::Listen(local) => Some(network::kind(*local)),
            _ => None,
        }
    }

    /// The paths the event is about: of a rename and of a hard link both.
    pub fn paths(&self) -> impl Iterator<Item = &'a [u8]> {
        let (path, other) = match &self.event.action {
            Action::File(file) => (Some(&file.path), file.old_path.as_ref()),
            Action::Mount(mount) => (Some(&mount.path), None),
            _ => (None, None),
        };
        path.into_iter().chain(other).map(Vec::as_slice)
    }

    /// What the program is called: by its file, and at its exec also by the caller, as where one
    /// file is many programs, and by its script.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        let by_file = self.program().map(|program| file_name(&program.executable));
        let (by_caller, by_script) = match &self.event.action {
            Action::Exec(exec) => {
                let by_file = by_file.unwrap_or_default();
                let caller = arguments(&exec.arguments).next().map(file_name);
                let script = match &*exec.script {
                    [] if is_interpreter(by_file) => script(&exec.arguments),
                    [] => None,
                    path => Some(file_name(path)),
                };
                (caller.filter(|name| *name != by_file), script)
            }
            _ => (None, None),
        };
        [by_file, by_caller, by_script].into_iter().flatten()
    }
}

/// The requests of ptrace(2), `file.type` of nodes, and `network.type`.
pub fn details() -> impl Iterator<Item = &'static str> {
    names::requests().chain(file::NODES).chain(network::KINDS)
}

/// `python3.11` is `python` of some version.
fn is_interpreter(name: &[u8]) -> bool {
    let version = |byte: &u8| byte.is_ascii_digit() || *byte == b'.' || *byte == b'-';
    let end = name.iter().position(version).unwrap_or(name.len());
    INTERPRETERS.contains(&&name[..end])
}

fn script(block: &[u8]) -> Option<&[u8]> {
    let mut given = arguments(block).skip(1);
    given.find(|it| !it.starts_with(b"-")).map(file_name)
}

#[cfg(test)]
mod tests {
    use super::{is_interpreter, script};

    #[test]
    fn knows_interpreters_of_any_version() {
        for name in [
            "python",
            "python3",
            "python3.11",
            "perl5.36",
            "sh",
            "tclsh8.6",
            "bash",
        ] {
            assert!(is_interpreter(name.as_bytes()), "{name}");
        }
        for name in ["", "3", "pythonic", "shred", "cat"] {
            assert!(!is_interpreter(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_script_is_the_first_argument_that_is_no_option() {
        assert_eq!(
            script(b"/usr/bin/python3\0/usr/bin/pip\0install\0"),
            Some(&b"pip"[..])
        );
        assert_eq!(script(b"python3\0-I\0-m\0pip\0"), Some(&b"pip"[..]));
        assert_eq!(script(b"bash\0-i\0"), None);
        assert_eq!(script(b""), None);
    }
}
