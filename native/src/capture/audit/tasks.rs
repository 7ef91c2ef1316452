//! The processes of the host by their numbers: records tell a number, an event needs the start.

use lru::LruCache;

use super::call::Ids;
use super::host::Host;
use crate::event::{Credentials, Event, LoginSession, ProcessKey};
use crate::host::procfs;

/// Processes that are remembered; beyond it those that were quiet for longest are asked of /proc
/// again.
const MAX_TASKS: usize = 65_536;

/// What is known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Which process.
    pub key: ProcessKey,
    /// With whose rights it acts.
    pub credentials: Credentials,
    /// All of its ids as its last record told them; a child begins with its parent's.
    pub ids: Option<Ids>,
    /// Since whose login.
    pub login: LoginSession,
    /// Its acts are not reported.
    pub muted: bool,
    /// Its birth is not told yet.
    pub unborn: bool,
}

/// The processes.
pub struct Tasks {
    known: LruCache<u32, Task>,
    /// This process and those it starts are not reported; 0 if all are.
    muted: u32,
}

impl Tasks {
    /// None is known yet.
    pub fn new(muted: u32) -> Self {
        Self {
            known: LruCache::unbounded(),
            muted,
        }
    }

    /// A process is there, started by `parent`. Of one that is known nothing is forgotten; another
    /// one that had its number is.
    pub fn snapshot(&mut self, event: &Event, parent: Option<u32>) {
        let known = self.known.peek(&event.process.pid).copied();
        let known = known.filter(|task| task.key == event.process);
        let parent = parent.and_then(|pid| self.known.peek(&pid));
        let muted = parent.is_some_and(|parent| parent.muted);
        let task = self.learn(event, muted || known.is_some_and(|task| task.muted));
        if let Some(Task { ids, unborn, .. }) = known {
            self.put(Task {
                ids,
                unborn,
                ..task
            });
        }
    }

    fn learn(&mut self, event: &Event, muted: bool) -> Task {
        let key = event.process;
        let task = Task {
            key,
            credentials: event.credentials,
            ids: None,
            login: event.login,
            muted: muted || key.pid == self.muted,
            unborn: false,
        };
        self.put(task);
        task
    }

    fn put(&mut self, task: Task) {
        self.known.put(task.key.pid, task);
        if self.known.len() > MAX_TASKS {
            self.known.pop_lru();
        }
    }

    /// A process created another at a time since the boot. /proc knows best when that was; of a
    /// process that is gone, or whose number is another's by now, the kernel's word is taken, which is
    /// microseconds later.
    pub fn fork(
        &mut self,
        parent: u32,
        child: u32,
        time: u64,
        host: &mut Host,
    ) -> Option<(Task, Task)> {
        let parent = self.of(parent, host)?;
        let told = time / procfs::TICK;
        // The clocks may be read on both sides of a tick.
        let start = host.start(child).filter(|start| *start <= told + 1);
        let start = start.unwrap_or(told);
        let key = ProcessKey { pid: child, start };
        let child = Task {
            key,
            unborn: true,
            ..parent
        };
        self.put(child);
        Some((parent, child))
    }

    /// A process, if anybody knows it.
    pub fn of(&mut self, pid: u32, host: &mut Host) -> Option<Task> {
        if let Some(task) = self.known.get(&pid) {
            return Some(*task);
        }
        let event = host.process(pid)?;
        Some(self.learn(&event, false))
    }

    /// Whether the birth of a process is known and not told yet. Of some only the number is known.
    pub fn is_unborn(&self, key: ProcessKey) -> bool {
        let itself = |task: &Task| task.key == key || key.start == ProcessKey::UNKNOWN_START;
        let known = self.known.peek(&key.pid);
        known.is_some_and(|task| task.unborn && itself(task))
    }

    /// What a record tells of a process is newer than what is known.
    pub fn update(&mut self, pid: u32, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.known.get_mut(&pid) {
            change(task);
        }
    }

    /// A process has ended. Its number may be another's already.
    pub fn remove(&mut self, key: ProcessKey) {
        if self
            .known
            .peek(&key.pid)
            .is_some_and(|task| task.key == key)
        {
            self.known.pop(&key.pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than a pid can be.
    const GONE: u32 = u32::MAX;

    fn host() -> Host {
        Host::Live {
            root: "/".into(),
            kept: None,
        }
    }

    #[test]
    fn a_child_inherits_and_is_forgotten_with_its_end() {
        let own = std::process::id();
        let (mut tasks, mut host) = (Tasks::new(own), host());
        let parent = tasks.of(own, &mut host).unwrap();
        assert_eq!(Some(parent.key.start), procfs::start("/".as_ref(), own));
        let born = 77 * procfs::TICK + 5;
        let (_, child) = tasks.fork(own, GONE, born, &mut host).unwrap();
        let key = ProcessKey {
            pid: GONE,
            start: 77,
        };
        let unborn = true;
        assert_eq!(
            child,
            Task {
                key,
                unborn,
                ..parent
            }
        );
        assert!(child.muted && tasks.is_unborn(key) && !tasks.is_unborn(parent.key));
        tasks.remove(ProcessKey { start: 76, ..key });
        assert_eq!(tasks.of(GONE, &mut host), Some(child));
        tasks.remove(key);
        assert_eq!(tasks.of(GONE, &mut host), None);
    }

    #[test]
    fn who_has_a_number_now_is_learnt_from_what_is_there() {
        let own = std::process::id();
        let (mut tasks, mut host) = (Tasks::new(own), host());
        tasks.of(own, &mut host);
        tasks.fork(own, GONE, 77 * procfs::TICK, &mut host);
        let (users, groups) = ([0; 4], [0; 4]);
        tasks.update(GONE, |task| task.ids = Some(Ids { users, groups }));
        let child = tasks.of(GONE, &mut host).unwrap();
        let mut seen = Event {
            process: child.key,
            ..host.process(own).unwrap()
        };
        // Its parent has ended, and it is another's child now.
        tasks.snapshot(&seen, Some(1));
        assert_eq!(tasks.of(GONE, &mut host), Some(child));
        assert!(child.muted && child.ids.is_some());
        // It has ended, and nobody has told.
        seen.process.start = 78;
        tasks.snapshot(&seen, Some(1));
        let stranger = tasks.of(GONE, &mut host).unwrap();
        assert_eq!(stranger.key, seen.process);
        assert!(!stranger.muted && stranger.ids.is_none());
    }

    #[test]
    fn a_number_that_is_anothers_by_now_is_not_taken_for_it() {
        let own = std::process::id();
        let (mut tasks, mut host) = (Tasks::new(0), host());
        let start = procfs::start("/".as_ref(), own).unwrap();
        let mut born = |tick: u64| {
            let (_, child) = tasks
                .fork(own, own, tick * procfs::TICK + 1, &mut host)
                .unwrap();
            child.key.start
        };
        assert_eq!(born(start), start);
        assert_eq!(born(start - 1), start);
        assert_eq!(born(start - 3), start - 3);
    }

    #[test]
    fn nobody_is_muted_by_default() {
        let own = std::process::id();
        let (mut tasks, mut host) = (Tasks::new(0), host());
        assert!(!tasks.of(own, &mut host).unwrap().muted);
        assert!(tasks.fork(GONE, GONE - 1, 0, &mut host).is_none());
    }

    #[test]
    fn is_bounded() {
        let own = std::process::id();
        let (mut tasks, mut host) = (Tasks::new(0), host());
        for number in 0..=MAX_TASKS as u32 {
            tasks.of(own, &mut host);
            tasks.fork(own, GONE - number, 0, &mut host);
        }
        assert_eq!(tasks.known.len(), MAX_TASKS);
    }
}
