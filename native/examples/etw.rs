//! What the benchmarks run: `etw speed FILE ROUNDS` plays a recording of Windows' event tracing again
//! and again as far as a record of each event, and prints how many events that was for
//! each second of its CPU, a round a line, and how many times as long as reading the file it took. `etw flood COUNT` plays events that are
//! made up, each of another process, file and key, all the way to ECS, and prints the resident memory in
//! KiB, ten times.

#![allow(clippy::unwrap_used, reason = "it measures, and fails as tests do")]

#[path = "../tests/records/made.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod made;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use endpoint_agent_native::capture::etw::recording::{Frames, TraceFile};
use endpoint_agent_native::capture::etw::templates::{
    KERNEL_FILE, KERNEL_PROCESS, KERNEL_REGISTRY, PROCESS_CLASS,
};
use endpoint_agent_native::capture::{Progress, Source};
use endpoint_agent_native::counters::Counters;
use endpoint_agent_native::engine::{Context, Engine};
use endpoint_agent_native::host::clock::thread_time;
use made::{Made, made};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["speed", file, rounds] => (0..rounds.parse().unwrap()).for_each(|_: u32| speed(file)),
        ["flood", count] => flood(count.parse().unwrap()),
        _ => panic!("etw speed FILE ROUNDS | etw flood COUNT"),
    }
}

fn speed(file: &str) {
    let begin = thread_time();
    black_box(std::fs::read(file).unwrap());
    let reading = thread_time() - begin;
    let mut source = TraceFile::open(Path::new(file)).unwrap();
    let mut events = 0_u64;
    let begin = thread_time();
    loop {
        let progress = source.drain(Duration::ZERO, &mut |event| {
            black_box(event);
            events += 1;
        });
        if progress.unwrap() == Progress::Ended {
            break;
        }
    }
    let taken = (thread_time() - begin) as f64;
    assert!(source.losses().is_empty());
    println!("{} {}", events as f64 * 1e9 / taken, taken / reading as f64);
}

fn flood(count: u64) {
    let context = Context {
        agent_id: "0".repeat(64),
        boot_id: [0; 16],
        envelope: br#""agent":{"id":"0"},"host":{"hostname":"0"}"#.to_vec(),
        root: "/nonexistent".into(),
        live: false,
    };
    let mut engine = Engine::new(context, Arc::new(Counters::default()));
    let mut player = Frames::default();
    let (mut played, mut told) = (0, 0_u64);
    let mut body = Vec::new();
    while played < count {
        for event in lives(played) {
            body.clear();
            event.write(&mut body);
            // Behind the head of the frame.
            player.play(1, &body[8..], &mut |event| {
                engine.feed(&event, &mut || 1, &mut |record| {
                    black_box(record);
                    told += 1;
                });
            });
            played += 1;
            if played % (count / 10) == 0 {
                println!("{}", resident());
            }
        }
    }
    assert!(told > played / 2, "{told} of {played} events were told");
}

/// A process starts, opens and creates a file, opens and sets a value of the registry, and does not end.
fn lives(number: u64) -> [Made; 6] {
    let pid = (number % (1 << 30)) as u32 | 4;
    let command = format!(r"C:\tools\number-{number}.exe --of {}", number / 2);
    let path = format!(r"\Device\HarddiskVolume3\Users\somebody\number-{number}.txt");
    let key = format!(r"\REGISTRY\MACHINE\SOFTWARE\Vendor\Number-{number}");
    let all = [
        made(&KERNEL_PROCESS, 1, 5)
            .number("ProcessID", pid.into())
            .number("CreateTime", number)
            .text("ImageName", path.clone()),
        made(&PROCESS_CLASS, 1, 4)
            .number("ProcessId", pid.into())
            .text("CommandLine", command),
        made(&KERNEL_FILE, 12, 1)
            .number("FileObject", number | 8)
            .text("FileName", path.clone()),
        made(&KERNEL_FILE, 30, 1)
            .number("FileObject", number | 8)
            .text("FileName", path),
        made(&KERNEL_REGISTRY, 1, 0)
            .number("KeyObject", number | 8)
            .number("Disposition", 1)
            .text("RelativeName", key),
        made(&KERNEL_REGISTRY, 5, 0)
            .number("KeyObject", number | 8)
            .number("Type", 1)
            .text("ValueName", "value"),
    ];
    all.map(|event| event.by(pid, pid).after(number * 100))
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let digits: String = line.unwrap().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
