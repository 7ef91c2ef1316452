//! What the engine writes: golden records, the field table, limits, counters.
//!
//! `UPDATE_GOLDEN=1 cargo test --test records` rewrites the golden files and docs/events.md.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "some helpers are of tests of Linux alone")
)]

// What is not marked runs under Wine as well.
#[cfg(target_os = "linux")]
mod acts;
#[cfg(target_os = "linux")]
mod behaviour;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod changes;
mod check;
#[cfg(target_os = "linux")]
mod connections;
mod etl;
mod eventlog;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod golden;
#[cfg(target_os = "linux")]
mod hostile;
mod lives;
mod logged;
#[cfg(target_os = "linux")]
mod logins;
mod made;
#[cfg(target_os = "linux")]
mod page;
#[cfg(target_os = "linux")]
mod processes;
mod programs;
#[cfg(target_os = "linux")]
mod resolving;
#[cfg(target_os = "linux")]
mod rules;
mod scene;
#[cfg(target_os = "linux")]
mod shipped;
mod traces;
mod windows;
mod windows_page;
mod xml;

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
