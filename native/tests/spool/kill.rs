//! A process killed while it writes, takes and acknowledges.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::spool::{Batch, Settings, Spool};

use crate::help::*;

const ROUNDS: u64 = 8;
const FOLDER: &str = "SPOOL_TEST_FOLDER";
const FIRST: &str = "SPOOL_TEST_FIRST";

/// Many segments, and no eviction in the time a round takes.
fn roomy(directory: &Path) -> Settings {
    small(directory, 100_000_000)
}

/// Room for about 130 records.
fn tight(directory: &Path) -> Settings {
    small(directory, 5_000)
}

/// The folder and the first record of a process that is to be killed.
fn task() -> (PathBuf, u64) {
    let of = |name| std::env::var(name).unwrap();
    (of(FOLDER).into(), of(FIRST).parse().unwrap())
}

#[test]
#[ignore = "a process that a test below kills"]
fn works_until_it_is_killed() {
    let (folder, first) = task();
    let spool = open(roomy(&folder));
    let mut say = std::io::stdout();
    for start in (first..).step_by(10) {
        append_ten(&spool, start, &mut say);
        if start % 30 == 0 {
            work(&spool, &mut say);
        }
    }
}

#[test]
#[ignore = "a process that a test below kills"]
fn overflows_until_it_is_killed() {
    let (folder, first) = task();
    let spool = open(tight(&folder));
    let mut say = std::io::stdout();
    let mut held: Option<std::sync::Arc<Batch>> = None;
    for start in (first..).step_by(10) {
        append_ten(&spool, start, &mut say);
        if (start - first) % 90 == 80 {
            if let Some(batch) = held {
                settle(&spool, &batch, &mut say);
            }
            held = take(&spool, 20);
        }
    }
}

fn append_ten(spool: &Spool, start: u64, say: &mut impl Write) {
    (start..start + 10).for_each(|n| assert!(spool.append(record(n).as_bytes())));
    assert!(spool.flush());
    writeln!(say, "flushed {}", start + 9).unwrap();
}

fn work(spool: &Spool, say: &mut impl Write) {
    let batch = take(spool, 20).unwrap();
    writeln!(say, "taken {}", batch.id()).unwrap();
    settle(spool, &batch, say);
}

fn settle(spool: &Spool, batch: &Batch, say: &mut impl Write) {
    let last = *numbers(batch).last().unwrap();
    writeln!(say, "acking {last}").unwrap();
    assert!(spool.ack(batch));
    writeln!(say, "acked {last}").unwrap();
}

/// What a process said before it was killed.
#[derive(Debug, Default)]
struct Said {
    flushed: u64,
    /// The batch it had in hand, and had not begun to acknowledge.
    taken: Option<String>,
    acking: u64,
    acked: u64,
    /// Batches acknowledged: all of 20 records in the process that overflows.
    batches: u64,
}

/// Runs one of the processes above until it has said so many words, kills it, and hears it out.
fn run_and_kill(process: &str, folder: &Path, first: u64, words: u64) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("kill::{process}"),
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Said {
        acking: first,
        acked: first,
        ..Said::default()
    };
    let mut heard = 0;
    for line in BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
    {
        said.hear(&line);
        heard += 1;
        if heard == words {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(heard >= words, "the process ended by itself");
    said
}

impl Said {
    fn hear(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("flushed", n)) => self.flushed = n.parse().unwrap(),
            Some(("taken", id)) => self.taken = Some(id.to_owned()),
            Some(("acking", n)) => {
                (self.acking, self.taken) = (n.parse::<u64>().unwrap() + 1, None)
            }
            Some(("acked", n)) => {
                self.acked = n.parse::<u64>().unwrap() + 1;
                self.batches += 1;
            }
            _ => {}
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_wrote() {
    let root = folder();
    let mut first = 0;
    for round in 0..ROUNDS {
        let said = run_and_kill(
            "works_until_it_is_killed",
            root.path(),
            first,
            40 + round * 13,
        );
        let spool = open(roomy(root.path()));
        let head = take(&spool, 20).unwrap();
        if let Some(id) = &said.taken {
            assert_eq!(head.id().to_string(), *id, "{said:?}");
        }
        let left = VecDeque::from(drain(&spool));
        let (start, end) = (*left.front().unwrap(), *left.back().unwrap());
        assert!(
            start == said.acking || start == said.acked,
            "{start} {said:?}"
        );
        assert!(end >= said.flushed, "{end} {said:?}");
        assert!(left.iter().copied().eq(start..=end), "{said:?}");
        assert!(
            count(&spool, Counter::Damaged) <= 1,
            "a torn last record at most"
        );
        assert_balance(&spool);
        first = end + 1;
    }
}

#[test]
fn a_killed_process_leaves_no_eviction_untold() {
    let root = folder();
    let (mut first, mut delivered) = (0, 0);
    for round in 0..ROUNDS {
        let said = run_and_kill(
            "overflows_until_it_is_killed",
            root.path(),
            first,
            60 + round * 13,
        );
        let spool = open(tight(root.path()));
        assert_balance(&spool);
        let left = drain(&spool);
        first = left.last().unwrap() + 1;
        delivered += 20 * said.batches + left.len() as u64;
        // Nobody tells in this test, so every run is left the evictions of all before it.
        let evicted = count(&spool, Counter::Evicted);
        let missing = first - delivered - count(&spool, Counter::Damaged) - evicted;
        let is_in_doubt = said.acking > said.acked;
        assert!(
            missing == 0 || is_in_doubt && missing == 20,
            "{missing} {said:?}"
        );
        delivered += missing;
        assert!(evicted > 100 * (round + 1), "{evicted}");
    }
}
