//! Programs that were started, or could not be.

use super::call::{Act, Call, known};
use super::calls::Folder;
use super::join::kind;
use super::names::{inode, items, place};
use super::record::{Record, Value};
use crate::event::{Exec, FileVersion};

/// Bytes of arguments, as of those that the kernel programs send.
const MAX_ARGUMENTS: usize = 32_768;

/// Interpreters that may be scripts of others, each with an argument of its own.
const MAX_NESTING: usize = 10;

/// What the kernel puts behind the path of a program that has no name any more.
const DELETED: &[u8] = b" (deleted)";

pub fn exec(call: &Call, folder: Folder) -> Option<Act> {
    if call.exit < 0 {
        let path = place(call, &items(call.group).next()?, folder)?;
        let error = u16::try_from(call.exit.unsigned_abs()).unwrap_or(u16::MAX);
        return Some(Act::ExecFailed(path, error));
    }
    let (arguments, count, truncated) = arguments(call);
    let mut executable = text(call.executable);
    let deleted = executable.ends_with(DELETED);
    if deleted {
        executable.truncate(executable.len() - DELETED.len());
    }
    let (script, program) = match script(call, &arguments, folder) {
        Some((script, interpreter)) => (script, Some(interpreter)),
        None => (Vec::new(), items(call.group).next()),
    };
    Some(Act::Exec(Box::new(Exec {
        script,
        executable,
        file: program.and_then(|program| version(&program)),
        working_directory: text(
            call.group
                .first(kind::CWD)
                .and_then(|record| record.get("cwd")),
        ),
        arguments,
        arguments_truncated: truncated,
        arguments_count: count,
        deleted,
        ..Exec::default()
    })))
}

/// The arguments, how many there are, and whether some are missing.
fn arguments(call: &Call) -> (Vec<u8>, u32, bool) {
    let mut arguments = Vec::new();
    let mut count = 0;
    let records = call.group.records();
    for record in records.filter(|record| record.kind == kind::EXECVE) {
        count = record.number("argc").unwrap_or(count);
        add_arguments(&mut arguments, &record);
    }
    if !arguments.is_empty() {
        arguments.push(0);
    }
    let truncated = call.group.truncated || arguments.len() > MAX_ARGUMENTS;
    arguments.truncate(MAX_ARGUMENTS);
    (arguments, count, truncated)
}

/// What a record tells of a file's version. Nobody is asked for the rest here: its file system may
/// never answer.
fn version(name: &Record) -> Option<FileVersion> {
    let inode = inode(name)?;
    Some(FileVersion {
        device: inode.device,
        inode: inode.number,
        ..FileVersion::default()
    })
}

/// The file that was executed, where the kernel ran its interpreter, and the name of that: it is the
/// first name that was looked up, the interpreter a later one, and both are among the arguments that
/// the kernel made.
fn script<'a>(call: &Call<'a>, arguments: &[u8], folder: Folder) -> Option<(Vec<u8>, Record<'a>)> {
    let mut arguments = arguments.split(|&byte| byte == 0);
    let interpreter = arguments.next().filter(|it| it.starts_with(b"/"))?;
    let mut names = items(call.group);
    let first = names.next()?;
    let is_of = |name: &Record, text: &[u8]| {
        name.get("name")
            .is_some_and(|value| *value.decoded() == *text)
    };
    let interpreter = names.find(|name| is_of(name, interpreter))?;
    let is_script = arguments
        .take(MAX_NESTING)
        .any(|argument| is_of(&first, argument));
    let place = place(call, &first, folder).filter(|place| place.folder.is_none());
    let path = place.map_or_else(Vec::new, |place| place.path);
    is_script.then_some((path, interpreter))
}

fn text(value: Option<Value>) -> Vec<u8> {
    known(value).map_or_else(Vec::new, |value| value.decoded().into_owned())
}

/// `a0=…`, or `a0_len=N a0[0]=… a0[1]=…` where one is too long for a record.
fn add_arguments(arguments: &mut Vec<u8>, record: &Record) {
    for (key, value) in record.fields() {
        let Some(name) = key.strip_prefix(b"a").filter(|name| {
            name.first().is_some_and(u8::is_ascii_digit) && !name.ends_with(b"_len")
        }) else {
            continue;
        };
        let continues = name.ends_with(b"]") && !name.ends_with(b"[0]");
        if !continues && name != b"0" && name != b"0[0]" {
            arguments.push(0);
        }
        if arguments.len() <= MAX_ARGUMENTS {
            arguments.extend_from_slice(&value.decoded());
        }
    }
}
