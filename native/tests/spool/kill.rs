//! A process killed while it writes, takes and acknowledges.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use endpoint_agent_native::counters::Counter;
use endpoint_agent_native::spool::{Settings, Spool};

use crate::help::*;

const ROUNDS: u64 = 8;
const FOLDER: &str = "SPOOL_TEST_FOLDER";
const FIRST: &str = "SPOOL_TEST_FIRST";

/// Many segments, and no eviction in the time a round takes.
fn queue(directory: &Path) -> Settings {
    small(directory, 100_000_000)
}

#[test]
#[ignore = "the process that the next test kills"]
fn works_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let spool = open(queue(Path::new(&folder)));
    let mut say = std::io::stdout();
    for start in (first..).step_by(10) {
        (start..start + 10).for_each(|n| assert!(spool.append(record(n).as_bytes())));
        assert!(spool.flush());
        writeln!(say, "flushed {}", start + 9).unwrap();
        if start % 30 == 0 {
            work(&spool, &mut say);
        }
    }
}

fn work(spool: &Spool, say: &mut impl Write) {
    let batch = take(spool, 20).unwrap();
    let last = *numbers(&batch).last().unwrap();
    writeln!(say, "taken {}", batch.id()).unwrap();
    writeln!(say, "acking {last}").unwrap();
    assert!(spool.ack(&batch));
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
}

/// Runs the process above until it has said so many words, kills it, and hears it out.
fn run_and_kill(folder: &Path, first: u64, words: u64) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::works_until_it_is_killed",
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
            Some(("acked", n)) => self.acked = n.parse::<u64>().unwrap() + 1,
            _ => {}
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_wrote() {
    let root = folder();
    let mut first = 0;
    for round in 0..ROUNDS {
        let said = run_and_kill(root.path(), first, 40 + round * 13);
        let spool = open(queue(root.path()));
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
