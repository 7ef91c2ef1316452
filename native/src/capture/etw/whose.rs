//! Records of the event log tell of processes by their numbers, which are others' later. Which one was
//! meant is known for sure where it was created before the record, and is there still, had not ended by
//! then, or was the last that had the number, as far as that was told. (An end is written after it.)

use super::raw::of_epoch;
use super::tell::{ACTOR, SOURCE, TARGET, Teller, push_parent, push_process};
use crate::ecs::windows::named;
use crate::event::{Findings, LogRecord, ProcessKey, Role};

impl Teller {
    /// Adds to a record of this host's event log what is known of the processes that it names.
    ///
    /// `time`: of its writing, nanoseconds since the epoch. `created`: when the process that has a
    /// number now was created, 100 ns since 1601.
    pub fn complete(
        &mut self,
        record: &mut LogRecord,
        time: u64,
        created: &dyn Fn(u32) -> Option<u64>,
    ) {
        let (pids, time) = named(record, time);
        let time = of_epoch(time);
        let mut findings = Findings::default();
        for (role, pid) in Role::ALL.into_iter().zip(pids) {
            let is_known = findings.processes[role as usize].is_some();
            let Some(pid) = pid.filter(|_| !is_known) else {
                continue;
            };
            let is_older = |start: &u64| *start <= time;
            let asked = || created(pid).filter(is_older);
            let asked = || asked().map(|start| ProcessKey { pid, start });
            let Some(key) = self.processes.held(pid, time).or_else(asked) else {
                continue;
            };
            findings.processes[role as usize] = Some(key);
            let Some(process) = self.processes.find(key) else {
                continue;
            };
            match role {
                Role::Actor => {
                    let parent = pids[Role::Parent as usize];
                    let mut process = process.clone();
                    // The record may take another one for its parent.
                    if parent.is_some_and(|parent| parent != process.parent) {
                        (process.parent, process.ancestors) = Default::default();
                    }
                    push_process(&mut findings, &ACTOR, &process);
                }
                Role::Parent => push_parent(&mut findings, Some(key), &process.program),
                Role::Source => push_process(&mut findings, &SOURCE, process),
                Role::Target => push_process(&mut findings, &TARGET, process),
            }
        }
        if findings.processes.iter().any(Option::is_some) {
            record.findings = Some(Box::new(findings));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::capture::etw::processes::{Process, Program};
    use crate::capture::etw::raw::since_epoch;
    use crate::ecs::windows::providers::{SECURITY, SYSMON};

    /// 100 ns since 1601, of some day.
    const NOW: u64 = 133_000_000_000_000_000;

    fn key(pid: u32, start: u64) -> ProcessKey {
        ProcessKey { pid, start }
    }

    /// A table that knows a shell and what it has started.
    fn teller() -> Teller {
        let mut teller = Teller::default();
        let runs = |start, image: &str| Process {
            key: Some(start),
            program: Arc::new(Program {
                image: image.into(),
                command_line: format!("{image} /x"),
            }),
            ..Process::default()
        };
        let shell = runs(key(10, NOW), "shell.exe");
        let tool = Process {
            parent: 10,
            ancestors: shell.heritage(10),
            ..runs(key(20, NOW + 5), "tool.exe")
        };
        teller.processes.learn(10, shell);
        teller.processes.learn(20, tool);
        teller
    }

    fn started(pid: &str, parent: &str) -> LogRecord {
        LogRecord {
            provider: SECURITY.into(),
            id: 4688,
            data: [("NewProcessId", pid), ("ProcessId", parent)]
                .into_iter()
                .collect(),
            ..LogRecord::default()
        }
    }

    fn complete(
        teller: &mut Teller,
        mut record: LogRecord,
        time: u64,
        created: &dyn Fn(u32) -> Option<u64>,
    ) -> Option<Findings> {
        teller.complete(&mut record, since_epoch(time), created);
        record.findings.map(|findings| *findings)
    }

    #[test]
    fn a_process_that_is_still_there_and_older_than_the_record_is_the_one() {
        let mut teller = teller();
        let is_there = |pid| match pid {
            10 => Some(NOW),
            20 => Some(NOW + 5),
            30 => Some(NOW + 6),
            _ => None,
        };
        let told = complete(&mut teller, started("0x14", "0xA"), NOW + 6, &is_there).unwrap();
        let expected = [Some(key(20, NOW + 5)), Some(key(10, NOW)), None, None];
        assert_eq!(told.processes, expected);
        let facts: Vec<_> = told.facts.iter().collect();
        assert_eq!(
            facts,
            [
                ("Image", "tool.exe"),
                ("CommandLine", "tool.exe /x"),
                ("ParentProcessId", "10"),
                ("ParentImage", "shell.exe"),
                ("ParentCommandLine", "shell.exe /x")
            ]
        );
        // The number was another's then.
        let told = complete(&mut teller, started("0x14", "0xA"), NOW + 4, &is_there).unwrap();
        assert_eq!(told.processes, [None, Some(key(10, NOW)), None, None]);
        assert_eq!(told.facts.get("ParentImage"), Some("shell.exe"));
        assert_eq!(told.facts.get("Image"), None);
        // One that the table does not know has its guid alone, and one that is gone nothing.
        let told = complete(&mut teller, started("0x1E", "0x28"), NOW + 6, &is_there).unwrap();
        assert_eq!(told.processes, [Some(key(30, NOW + 6)), None, None, None]);
        assert!(told.facts.is_empty());
        let gone = complete(&mut teller, started("0x28", "-"), NOW + 6, &is_there);
        assert_eq!(gone, None);
    }

    #[test]
    fn another_process_with_the_number_now_is_not_the_one() {
        let mut teller = teller();
        let reused = |pid| (pid == 20).then_some(NOW + 50);
        let after = complete(&mut teller, started("0x14", "-"), NOW + 60, &reused).unwrap();
        assert_eq!(after.processes[0], Some(key(20, NOW + 50)));
        assert!(after.facts.is_empty(), "what the one before ran");
        let told = |teller: &mut Teller, time| {
            let told = complete(teller, started("0x14", "-"), time, &reused);
            told.map(|it| it.processes[0].unwrap().start - NOW)
        };
        // Nobody has said yet when the one before has ended.
        assert_eq!(told(&mut teller, NOW + 30), None);
        // That it had not by then is known once later events have come, unless some were lost.
        teller.processes.told(NOW + 35);
        assert_eq!(told(&mut teller, NOW + 30), Some(5));
        assert_eq!(told(&mut teller, NOW + 36), None);
        teller.processes.lost(NOW + 35);
        assert_eq!(told(&mut teller, NOW + 30), None);
        teller.processes.end(20, NOW + 40);
        assert_eq!(told(&mut teller, NOW + 30), Some(5));
        assert_eq!(told(&mut teller, NOW + 41), None);
        assert_eq!(told(&mut teller, NOW + 4), None);
    }

    #[test]
    fn a_record_of_an_end_is_of_the_one_that_had_the_number_last() {
        let mut teller = teller();
        let is_gone = |_| None;
        teller.processes.end(20, NOW + 40);
        let told = |teller: &mut Teller, time| {
            let told = complete(teller, started("0x14", "-"), time, &is_gone);
            told.map(|it| it.processes[0].unwrap().start - NOW)
        };
        assert_eq!(told(&mut teller, NOW + 42), None, "it may be another's");
        teller.processes.told(NOW + 45);
        assert_eq!(told(&mut teller, NOW + 42), Some(5));
        teller.processes.lost(NOW + 45);
        assert_eq!(told(&mut teller, NOW + 42), None, "another's was lost");
        assert_eq!(told(&mut teller, NOW + 40), Some(5));
    }

    #[test]
    fn a_record_may_name_another_parent() {
        let mut teller = teller();
        let is_there = |pid| (pid == 20).then_some(NOW + 5);
        let told = complete(&mut teller, started("0x14", "0x63"), NOW + 9, &is_there).unwrap();
        assert_eq!(told.processes, [Some(key(20, NOW + 5)), None, None, None]);
        assert_eq!(told.facts.get("ParentImage"), None);
    }

    #[test]
    fn the_time_is_that_of_the_act() {
        let mut teller = teller();
        let accessed = |time: &str, machine: &str| LogRecord {
            provider: SYSMON.into(),
            id: 10,
            computer: "host.example.org".into(),
            data: [
                ("UtcTime", time),
                ("SourceProcessId", "10"),
                ("TargetProcessId", "20"),
                ("ClientMachine", machine),
            ]
            .into_iter()
            .collect(),
            ..LogRecord::default()
        };
        let is_there = |pid| match pid {
            10 => Some(NOW),
            20 => Some(NOW + 5),
            _ => None,
        };
        let later = NOW + 10_000_000;
        // NOW is 2022-06-18T04:26:40Z; what is written has milliseconds.
        let then = "2022-06-18 04:26:40.000";
        let mut told = |time, machine| {
            let told = complete(&mut teller, accessed(time, machine), later, &is_there);
            told.map(|it| it.processes.map(|key| key.map(|key| key.pid)))
        };
        let both = Some([Some(10), None, None, Some(20)]);
        assert_eq!(told(then, ""), both);
        assert_eq!(told("-", ""), both);
        assert_eq!(told("2022-06-18 04:26:39.999", ""), None);
        assert_eq!(told(then, "HOST"), both);
        assert_eq!(told(then, "OTHER"), None, "a number of another host");
    }
}
