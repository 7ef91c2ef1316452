//! Where records go that the intake refused for good.

use std::io::Write;

use super::folder::Folder;

/// Name of the file: one record a line.
pub(super) const NAME: &str = "quarantine.ndjson";
/// Bytes the file may hold; what would go beyond is only counted.
pub(super) const MAX_BYTES: u64 = 10_000_000;

/// Keeps the lines if they fit, and gives up in silence if they cannot be kept: they are counted
/// as rejected in any case.
pub(super) fn keep(folder: &Folder, lines: &[u8]) {
    let Ok(mut file) = folder.open_to_append(NAME) else {
        return;
    };
    let Ok(length) = file.metadata().map(|metadata| metadata.len()) else {
        return;
    };
    if length + lines.len() as u64 <= MAX_BYTES && file.write_all(lines).is_err() {
        let _ = file.set_len(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_up_to_the_limit() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        keep(&folder, b"{\"a\":1}\n");
        keep(&folder, b"{\"b\":2}\n");
        keep(&folder, &vec![b'x'; MAX_BYTES as usize]);
        let kept = std::fs::read(folder.path(NAME)).unwrap();
        assert_eq!(kept, b"{\"a\":1}\n{\"b\":2}\n");
    }
}
