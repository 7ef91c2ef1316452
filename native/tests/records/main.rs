//! What the engine writes: golden records, the field table, limits, counters.
//!
//! `UPDATE_GOLDEN=1 cargo test --test records` rewrites the golden files and docs/events.md.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod acts;
mod behaviour;
mod calls;
mod changes;
mod check;
mod connections;
mod eventlog;
mod files;
mod golden;
mod hostile;
mod logins;
mod page;
mod processes;
mod resolving;
mod rules;
mod scene;
mod shipped;
mod traces;
mod windows;
mod windows_page;

use std::path::{Path, PathBuf};

/// A path below the root of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Asserts that a file has this content, or writes it.
fn assert_file(path: &str, content: &[u8]) {
    let path = repository(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(&path, content).unwrap();
    }
    let path = path.display();
    let file = std::fs::read(path.to_string()).unwrap_or_default();
    assert!(
        file == content,
        "{path} differs; rewrite it with UPDATE_GOLDEN=1 and review the diff"
    );
}
