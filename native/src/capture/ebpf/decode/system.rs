//! What processes may do, what they do to others and to the kernel, and what they may not start.

use zerocopy::IntoBytes;

use super::path::{named, path};
use super::{Malformed, key, section, take};
use crate::capture::ebpf::wire::{self, flag};
use crate::event::{
    Action, Attachment, BpfProgram, Call, Capabilities, Change, ExecFailed, Identity, Injection,
    Module, NamespaceChange, Signal, Target,
};

pub fn exec_failed(record: &[u8]) -> Result<Action, Malformed> {
    let (failed, rest) = take::<wire::ExecFailed>(record)?;
    let (path, rest) = named(rest, failed.name)?;
    let (arguments, _) = section(rest, failed.arguments_size as usize)?;
    Ok(Action::ExecFailed(ExecFailed {
        call: Call(failed.call),
        path,
        path_truncated: failed.header.flags & flag::PATH_CUT != 0,
        arguments: arguments.into(),
        arguments_truncated: failed.header.flags & flag::ARGUMENTS_CUT != 0,
        error: failed.error.try_into().unwrap_or(u16::MAX),
    }))
}

pub fn identity(record: &[u8]) -> Result<Action, Malformed> {
    let (change, _) = take::<wire::IdentityChange>(record)?;
    let ids = |wire: &wire::Identity| Identity {
        users: [wire.uid, wire.euid, wire.suid, wire.fsuid],
        groups: [wire.gid, wire.egid, wire.sgid, wire.fsgid],
        supplementary: Some(
            wire.groups
                .into_iter()
                .take(wire.groups_count as usize)
                .collect(),
        ),
        supplementary_count: wire.groups_count,
    };
    Ok(Action::Identity(Box::new(Change {
        call: Call(change.call),
        before: (change.is_before_known != 0).then(|| ids(&change.before)),
        after: ids(&change.after),
    })))
}

pub fn capabilities(record: &[u8]) -> Result<Action, Malformed> {
    let (change, _) = take::<wire::CapabilitiesChange>(record)?;
    let sets = |wire: wire::Capabilities| Capabilities {
        permitted: wire.permitted,
        effective: wire.effective,
        inheritable: wire.inheritable,
        ambient: wire.ambient,
    };
    Ok(Action::Capabilities(Change {
        call: Call(change.call),
        before: (change.is_before_known != 0).then(|| sets(change.before)),
        after: sets(change.after),
    }))
}

pub fn namespace(record: &[u8]) -> Result<Action, Malformed> {
    let (change, _) = take::<wire::Namespace>(record)?;
    // The bits are those of clone(2).
    let namespaces = [
        (0x0002_0000, "mnt", change.mount),
        (0x0400_0000, "uts", change.uts),
        (0x0800_0000, "ipc", change.ipc),
        (0x4000_0000, "net", change.network),
        (0x2000_0000, "pid", change.pid),
        (0x0000_0080, "time", change.time),
        (0x0200_0000, "cgroup", change.cgroup),
        (0x1000_0000, "user", change.user),
    ];
    let changed = |&(bit, ..): &(u32, _, _)| change.changed & bit != 0;
    Ok(Action::Namespace(NamespaceChange {
        call: Call(change.call),
        changed: namespaces
            .into_iter()
            .filter(changed)
            .map(|(_, name, number)| (name, number))
            .collect(),
    }))
}

fn target(wire: wire::Target) -> Target {
    Target {
        process: key(wire.pid, wire.start),
        uid: wire.uid,
    }
}

pub fn injection(record: &[u8]) -> Result<Action, Malformed> {
    let (injection, _) = take::<wire::Injection>(record)?;
    Ok(Action::Injection(Injection {
        call: Call(injection.call),
        request: injection.request,
        target: target(injection.target),
        bytes: injection.bytes,
    }))
}

pub fn signal(record: &[u8]) -> Result<Action, Malformed> {
    let (signal, _) = take::<wire::Signal>(record)?;
    Ok(Action::Signal(Signal {
        call: Call(signal.call),
        number: signal.number,
        target: target(signal.target),
    }))
}

pub fn module(record: &[u8]) -> Result<Action, Malformed> {
    let (module, rest) = take::<wire::Module>(record)?;
    let (components, _) = section(rest, module.path_size.into())?;
    Ok(Action::Module(Module {
        call: Call(module.call),
        is_unloaded: module.is_unloaded != 0,
        name: text(module.name.as_bytes()),
        path: (!components.is_empty()).then(|| path(components)),
        path_truncated: module.header.flags & flag::PATH_CUT != 0,
    }))
}

pub fn bpf(record: &[u8]) -> Result<Action, Malformed> {
    let (program, _) = take::<wire::Bpf>(record)?;
    Ok(Action::Bpf(BpfProgram {
        id: program.id,
        kind: program.kind,
        tag: program.tag,
        name: text(&program.name),
        attachment: match program.attached {
            0 => None,
            1 => Some(Attachment::Direct),
            link => Some(Attachment::Link(link - 1)),
        },
    }))
}

/// What stands before the first NUL.
fn text(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0);
    bytes[..end.unwrap_or(bytes.len())].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::ebpf::decode::tests::{action, header, record};
    use crate::capture::ebpf::wire::kind;

    #[test]
    fn a_failed_exec_names_the_file() {
        let failed = wire::ExecFailed {
            header: header(kind::EXEC_FAILED, flag::PATH_CUT | flag::ARGUMENTS_CUT),
            key: wire::RepeatKey::default(),
            name: wire::Name {
                base_size: 5,
                name_size: 5,
            },
            error: 13,
            call: 322,
            arguments_size: 6,
        };
        let expected = ExecFailed {
            call: Call(322),
            path: b"/home/tool".into(),
            path_truncated: true,
            arguments: b"tool\0\0".into(),
            arguments_truncated: true,
            error: 13,
        };
        let whole = record(failed.as_bytes(), &[b"home\0", b"tool\0", b"tool\0\0"]);
        assert_eq!(action(&whole), Action::ExecFailed(expected));
    }

    #[test]
    fn an_identity_with_more_groups_than_fit() {
        let ids = wire::Identity {
            uid: 1,
            fsgid: 8,
            groups_count: 40,
            groups: [7; 32],
            ..Default::default()
        };
        let mut change = wire::IdentityChange {
            header: header(kind::IDENTITY, 0),
            call: 105,
            is_before_known: 0,
            before: ids,
            after: ids,
        };
        let Action::Identity(first) = action(change.as_bytes()) else {
            panic!()
        };
        assert_eq!(first.before, None);
        assert_eq!(first.after.users, [1, 0, 0, 0]);
        assert_eq!(first.after.groups, [0, 0, 0, 8]);
        assert_eq!(first.after.supplementary, Some(vec![7; 32]));
        assert_eq!(first.after.supplementary_count, 40);
        change.is_before_known = 1;
        change.before.groups_count = 1;
        let Action::Identity(later) = action(change.as_bytes()) else {
            panic!()
        };
        assert_eq!(later.before.unwrap().supplementary, Some(vec![7]));
    }

    #[test]
    fn only_namespaces_that_changed_are_named() {
        let change = wire::Namespace {
            header: header(kind::NAMESPACE, 0),
            call: 272,
            changed: 0x1002_0000,
            mount: 4_026_532_177,
            user: 4_026_532_178,
            uts: 4_026_531_838,
            ..Default::default()
        };
        let Action::Namespace(change) = action(change.as_bytes()) else {
            panic!()
        };
        let expected = [("mnt", 4_026_532_177), ("user", 4_026_532_178)];
        assert_eq!(change.changed, expected);
    }

    #[test]
    fn a_module_from_a_file_or_from_memory() {
        let mut module = wire::Module {
            header: header(kind::MODULE, 0),
            call: 313,
            is_unloaded: 0,
            path_size: 12,
            name: [0; 7],
        };
        module.name[0] = u64::from_ne_bytes(*b"dummy\0\0\0");
        let whole = record(module.as_bytes(), &[b"dummy.ko\0lib\0"]);
        let Action::Module(loaded) = action(&whole) else {
            panic!()
        };
        assert_eq!(loaded.name, b"dummy");
        assert_eq!(loaded.path.unwrap(), b"/lib/dummy.ko");
        module.path_size = 0;
        module.name = [u64::from_ne_bytes([b'x'; 8]); 7];
        let Action::Module(nameless) = action(module.as_bytes()) else {
            panic!()
        };
        assert_eq!(nameless.path, None);
        assert_eq!(nameless.name, [b'x'; 56]);
    }

    #[test]
    fn a_program_is_loaded_or_attached_in_one_of_two_ways() {
        let attachment = |attached| {
            let program = wire::Bpf {
                header: header(kind::BPF, 0),
                attached,
                ..Default::default()
            };
            match action(program.as_bytes()) {
                Action::Bpf(program) => program.attachment,
                other => panic!("not a program: {other:?}"),
            }
        };
        assert_eq!(attachment(0), None);
        assert_eq!(attachment(1), Some(Attachment::Direct));
        assert_eq!(attachment(3), Some(Attachment::Link(2)));
    }
}
