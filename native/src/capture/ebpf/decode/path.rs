//! Paths out of the sections that carry them.

use super::{Malformed, section};
use crate::capture::ebpf::wire;

/// The path that components, leaf first, each ended by NUL, stand for.
pub fn path(components: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(components.len() + 1);
    let names = components.strip_suffix(&[0]).unwrap_or(components);
    if !names.is_empty() {
        for name in names.rsplit(|&byte| byte == 0) {
            path.push(b'/');
            path.extend_from_slice(name);
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// A path whose begin is lost must not look like a whole one, wherever it goes from here.
pub fn marked(path: Vec<u8>, cut: bool) -> Vec<u8> {
    if cut {
        ["…".as_bytes(), &path].concat()
    } else {
        path
    }
}

/// The path of a base section and a name section, and what follows them.
pub fn named(bytes: &[u8], sizes: wire::Name) -> Result<(Vec<u8>, &[u8]), Malformed> {
    let (base, name, rest) = base_and_name(bytes, sizes)?;
    Ok((join(path(base), name), rest))
}

/// Three parts of a record.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// A base section, a name section's string, and what follows them.
pub fn base_and_name(bytes: &[u8], sizes: wire::Name) -> Result<Parts<'_>, Malformed> {
    let (base, rest) = section(bytes, sizes.base_size.into())?;
    let (name, rest) = section(rest, sizes.name_size.into())?;
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok((base, name, rest))
}

/// The text in a section, without its NUL, and what follows the section.
pub fn text(bytes: &[u8], size: u16) -> Result<(Vec<u8>, &[u8]), Malformed> {
    let (text, rest) = section(bytes, size.into())?;
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok((text.to_vec(), rest))
}

/// Appends a name to the path it counts from and resolves `.` and `..` by their letters: the links
/// they may cross are gone by now. An absolute name counts from its process's root, and `..` does
/// not lead out of that.
pub fn join(mut path: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if path == b"/" {
        path.clear();
    }
    let floor = if name.starts_with(b"/") {
        path.len()
    } else {
        0
    };
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                let above = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                path.truncate(above.max(floor));
            }
            part => {
                path.push(b'/');
                path.extend_from_slice(part);
            }
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{join, path};

    #[test]
    fn components_become_a_path() {
        assert_eq!(path(b"bash\0bin\0usr\0"), b"/usr/bin/bash");
        assert_eq!(path(b""), b"/");
        assert_eq!(path(b"memfd:x\0"), b"/memfd:x");
    }

    #[test]
    fn names_are_joined_by_their_letters() {
        let joined = |base: &[u8], name: &[u8]| join(base.to_vec(), name);
        assert_eq!(joined(b"/home/ann", b"notes"), b"/home/ann/notes");
        assert_eq!(joined(b"/", b"notes"), b"/notes");
        assert_eq!(joined(b"/", b"/etc//./passwd"), b"/etc/passwd");
        assert_eq!(joined(b"/home/ann", b"../bob/x"), b"/home/bob/x");
        assert_eq!(joined(b"/", b"../../x"), b"/x");
        assert_eq!(joined(b"/jail", b"/etc/passwd"), b"/jail/etc/passwd");
        assert_eq!(
            joined(b"/jail", b"/x/../../etc/passwd"),
            b"/jail/etc/passwd"
        );
    }
}
