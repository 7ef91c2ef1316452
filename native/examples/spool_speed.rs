//! Prints what the queue costs per record of about 1 KB: `cargo run --release --example spool_speed`.
//!
//! Appending is measured against copying the same bytes into memory, in the same run.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use endpoint_agent_native::counters::{Counter, Counters};
use endpoint_agent_native::spool::{Limits, Settings, Spool};

const RECORDS: u64 = 400_000;
const DRAIN: u64 = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let records: Vec<Vec<u8>> = (0..1000).map(record).collect();
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!("{} bytes a record", bytes / records.len());
    let copying = per_record(RECORDS, || copy(&records));
    println!("copy    {copying:>8.0} ns");

    let directory = tempdir()?;
    let settings = Settings::new(&directory, 100_000_000, Duration::from_secs(1));
    let counters = Arc::new(Counters::default());
    let spool = Spool::open(settings, counters.clone())?;
    let appending = per_record(RECORDS, || append(&spool, &records));
    println!(
        "append  {appending:>8.0} ns, {:.1} copies",
        appending / copying
    );

    let (delivered, size, body, time) = drain(&spool)?;
    println!(
        "batch   {:>8.0} ns, of {delivered} records",
        time.as_nanos() as f64 / delivered as f64
    );
    println!(
        "bodies  {:>8.1} % of {size} bytes",
        100.0 * body as f64 / size as f64
    );
    assert_eq!(counters.get(Counter::Spooled), RECORDS);
    drop(spool);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

fn tempdir() -> std::io::Result<std::path::PathBuf> {
    let directory = std::env::temp_dir().join(format!("spool-speed-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    Ok(directory)
}

fn per_record(records: u64, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / records as f64
}

fn copy(records: &[Vec<u8>]) {
    let mut buffer = Vec::with_capacity(512 << 10);
    for record in records.iter().cycle().take(RECORDS as usize) {
        if buffer.len() + record.len() > buffer.capacity() {
            black_box(&buffer);
            buffer.clear();
        }
        buffer.extend_from_slice(record);
    }
    black_box(&buffer);
}

fn append(spool: &Spool, records: &[Vec<u8>]) {
    for drain in 0..RECORDS / DRAIN {
        let start = (drain * DRAIN) as usize % records.len();
        spool.append_all(
            records[start..start + DRAIN as usize]
                .iter()
                .map(Vec::as_slice),
        );
        spool.flush();
    }
}

fn drain(spool: &Spool) -> endpoint_agent_native::error::Result<(usize, usize, usize, Duration)> {
    let limits = Limits {
        enough: 250,
        max_records: 250,
        max_bytes: 10 << 20,
        max_wait: Duration::ZERO,
    };
    let (mut count, mut size, mut body) = (0, 0, 0);
    let start = Instant::now();
    while let Some(batch) = spool.next_batch(&limits, Duration::ZERO)? {
        count += batch.count();
        size += batch.size();
        body += batch.body().len();
        spool.ack(&batch);
    }
    Ok((count, size, body, start.elapsed()))
}

/// An event of about the shape and size of a process start.
fn record(n: u64) -> Vec<u8> {
    let hash = |salt: u64| {
        (n + 1)
            .wrapping_mul(salt | 1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
    };
    let (pid, parent) = (1000 + n * 7 % 30_000, 900 + n % 90);
    let command = [
        "ls -la",
        "grep -r TODO src",
        "cat /etc/passwd",
        "gcc -O2 -c main.c -o main.o",
    ][(n % 4) as usize];
    format!(
        r#"{{"@timestamp":"2026-01-02T03:{:02}:{:02}.{:03}Z","agent":{{"id":"{:016x}{:016x}{:016x}{:016x}","version":"0.1.0"}},"ecs":{{"version":"8.11.0"}},"event":{{"action":"process-created","category":["process"],"code":1,"kind":"event","provider":"SEKOIA-IO-Endpoint","sequence":{n},"type":["start"]}},"host":{{"hostname":"web-17.example.org","ip":["192.0.2.17","2001:db8::17"],"os":{{"type":"linux"}}}},"process":{{"args":["/bin/sh","-c","{command}"],"command_line":"/bin/sh -c {command}","executable":"/usr/bin/dash","name":"dash","parent":{{"command_line":"/usr/sbin/cron -f","executable":"/usr/sbin/cron","name":"cron","pid":{parent}}},"pid":{pid},"start":"2026-01-02T03:04:05.678Z","working_directory":"/home/user/{:x}"}},"related":{{"user":["root","user"]}},"sekoiaio":{{"process":{{"guid":"{:016x}-{:016x}","parent_guid":"{:016x}-{:016x}"}}}},"user":{{"effective":{{"id":"0","name":"root"}},"id":"1000","name":"user"}}}}"#,
        n / 60 % 60, n % 60, n % 1000, 1u64, 2u64, 3u64, 4u64, hash(3) >> 50, hash(5), hash(7), hash(parent), hash(11),
    )
    .into_bytes()
}
