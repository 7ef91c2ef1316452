//! What the decoders of all domains have in common, and what their tests share.

use zerocopy::IntoBytes;

use super::super::wire::{Exec, Exit, Header};
use super::*;

/// A header with everything in it that an event shows.
pub fn header(kind: u16, flags: u16) -> Header {
    Header {
        kind,
        flags,
        time: 5_000_000_000,
        start: 1_234_567_890,
        pid: 42,
        tid: 43,
        uid: 1,
        euid: 2,
        gid: 3,
        egid: 4,
        login_uid: 5,
        session: 6,
        ..Default::default()
    }
}

/// A record of a fixed part and its sections.
pub fn record(fixed: &[u8], sections: &[&[u8]]) -> Vec<u8> {
    [fixed, &sections.concat()].concat()
}

/// What a record says was done.
pub fn action(record: &[u8]) -> Action {
    decode(record, Clock { offset: 7 }).unwrap().action
}

#[test]
fn who_and_when() {
    let record = Exit {
        header: header(kind::EXIT, 0),
        ..Default::default()
    };
    let event = decode(record.as_bytes(), Clock { offset: 7 }).unwrap();
    assert_eq!(event.time, 5_000_000_007);
    assert_eq!(
        event.process,
        ProcessKey {
            pid: 42,
            start: 123
        }
    );
    assert_eq!(event.thread, 43);
    assert_eq!(
        event.credentials,
        Credentials {
            uid: 1,
            euid: 2,
            gid: 3,
            egid: 4
        }
    );
    assert_eq!(event.login, LoginSession { uid: 5, session: 6 });
}

#[test]
fn no_bytes_can_break_it() {
    let exec = Exec {
        executable_size: u16::MAX,
        arguments_size: u32::MAX,
        ..Default::default()
    };
    for kind in 0..=kind::NAMES.len() as u16 {
        let mut exec = exec;
        exec.header.kind = kind;
        let whole = record(exec.as_bytes(), &[&[0xff; 300]]);
        for size in 0..whole.len() {
            let _ = decode(&whole[..size], Clock { offset: u64::MAX });
        }
    }
    assert_eq!(decode(&[], Clock::default()), Err(Malformed::Short));
}
