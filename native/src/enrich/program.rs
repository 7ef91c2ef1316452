//! What a process runs.

use crate::event::Exec;

/// Bytes of a program's arguments that are kept, and of a command line in an event.
pub const MAX_COMMAND_LINE: usize = 4_096;

/// A program and how it was started, as later events of its process tell it.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the executable, or of what the process calls itself where that is unknown.
    pub name: Box<[u8]>,
    /// Path of the executed file, empty if unknown, as for threads of the kernel.
    pub executable: Box<[u8]>,
    /// Working directory at the start of the program, empty if unknown.
    pub working_directory: Box<[u8]>,
    /// The arguments, joined by single spaces.
    pub command_line: Box<[u8]>,
    /// The command line was longer.
    pub command_line_cut: bool,
}

impl Program {
    /// Keeps at most [`MAX_COMMAND_LINE`] bytes of the arguments.
    pub fn new(exec: &Exec) -> Self {
        let all = without_end(&exec.arguments);
        let kept = clip(all, MAX_COMMAND_LINE);
        Self {
            name: name(exec).into(),
            executable: exec.executable.as_slice().into(),
            working_directory: exec.working_directory.as_slice().into(),
            command_line: joined(kept),
            command_line_cut: kept.len() < all.len() || exec.arguments_truncated,
        }
    }

    /// Bytes of the texts.
    pub fn size(&self) -> usize {
        [
            &self.name,
            &self.executable,
            &self.working_directory,
            &self.command_line,
        ]
        .map(|text| text.len())
        .iter()
        .sum()
    }
}

/// The arguments in an argument block, empty ones included.
pub fn arguments(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    without_end(block)
        .split(|&byte| byte == 0)
        .take(if block.is_empty() { 0 } else { usize::MAX })
}

/// The part of a path behind its last slash.
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// Threads of the kernel have names such as `kworker/0:1`, which are no paths.
fn name(exec: &Exec) -> &[u8] {
    let called = arguments(&exec.arguments).next().unwrap_or_default();
    match (&*exec.executable, called) {
        ([], path @ [b'/', ..]) => file_name(path),
        ([], name) => name,
        (executable, _) => file_name(executable),
    }
}

/// An argument block without the NUL behind its last argument.
fn without_end(block: &[u8]) -> &[u8] {
    block.strip_suffix(&[0]).unwrap_or(block)
}

fn joined(block: &[u8]) -> Box<[u8]> {
    let space = |&byte: &u8| if byte == 0 { b' ' } else { byte };
    block.iter().map(space).collect()
}

/// The first `limit` bytes, or up to three fewer so that no UTF-8 character is split.
fn clip(bytes: &[u8], limit: usize) -> &[u8] {
    if bytes.len() <= limit {
        return bytes;
    }
    let is_start = |&at: &usize| bytes[at] & 0xc0 != 0x80;
    let end = (limit.saturating_sub(3)..=limit)
        .rev()
        .find(is_start)
        .unwrap_or(limit);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::{MAX_COMMAND_LINE, Program, arguments, clip};
    use crate::event::Exec;

    fn program(executable: &str, block: &[u8]) -> Program {
        let exec = Exec {
            executable: executable.into(),
            arguments: block.to_vec(),
            ..Default::default()
        };
        Program::new(&exec)
    }

    #[test]
    fn joins_arguments_with_spaces_and_keeps_empty_ones() {
        let program = program("/usr/bin/printf", b"printf\0\0%s\0\0");
        assert_eq!(&*program.name, b"printf");
        assert_eq!(&*program.command_line, b"printf  %s ");
        assert!(!program.command_line_cut);
    }

    #[test]
    fn splits_an_argument_block() {
        let split = |block| arguments(block).collect::<Vec<&[u8]>>();
        assert_eq!(split(b""), Vec::<&[u8]>::new());
        assert_eq!(split(b"\0"), [b""]);
        assert_eq!(split(b"a\0\0b\0"), [&b"a"[..], b"", b"b"]);
        assert_eq!(split(b"a\0cut"), [&b"a"[..], b"cut"]);
    }

    #[test]
    fn is_called_by_its_executable_or_by_what_it_calls_itself() {
        let name = |executable, block| program(executable, block).name;
        assert_eq!(&*name("/usr/bin/python3.11", b"/bin/x\0"), b"python3.11");
        assert_eq!(&*name("", b"/usr/sbin/nginx\0-g\0"), b"nginx");
        assert_eq!(&*name("", b"kworker/0:1\0"), b"kworker/0:1");
        assert_eq!(&*name("", b""), b"");
        assert_eq!(&*name("/", b"x\0"), b"");
    }

    #[test]
    fn cuts_between_characters() {
        let text = "ab€\0".as_bytes();
        assert_eq!(clip(text, 6), text);
        assert_eq!(clip(text, 5), "ab€".as_bytes());
        assert_eq!(clip(text, 4), b"ab");
        assert_eq!(clip(text, 2), b"ab");
        assert_eq!(clip(&[0x80; 9], 4), [0x80; 4]);
    }

    #[test]
    fn keeps_the_begin_of_long_arguments() {
        let long = program("/x", &[b'x'; MAX_COMMAND_LINE + 1]);
        assert_eq!(&*long.command_line, [b'x'; MAX_COMMAND_LINE]);
        assert!(long.command_line_cut);
        let whole = [&[b'x'; MAX_COMMAND_LINE][..], b"\0"].concat();
        assert!(!program("/x", &whole).command_line_cut);
    }
}
