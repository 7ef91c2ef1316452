//! Digests of files and, on Windows, their signatures, by a thread that lets others go first.
//!
//! A version of an executed file is read once. The thread uses at most one part in [`SHARE`] of a
//! CPU and has at most [`MAX_JOBS`] files to do; whoever waits for it decides how long.
//!
//! The time of a file's change is as coarse as the kernel's clock, so of what has changed within
//! the last [`content::TICK`], two contents may have one version. A written file is not read before
//! that is over. A program may be gone by then: it is read at once, and while it runs, it cannot be
//! changed.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::error::{Error, Result};
use crate::event::{Content, FileVersion, Inspection, Signature, Unread};
use crate::host::content::{self, Mounts, Place, is_fresh};
use crate::host::{thread, wall};

/// Files that wait for the thread; as many again may wait for their time.
const MAX_JOBS: usize = 256;
/// Versions that are remembered, of some 200 bytes each.
const MAX_KNOWN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// The thread may use one part in so many of a CPU on average,
const SHARE: u64 = 50;
/// and so many nanoseconds at once after a rest.
const BURST: u64 = 1_000_000_000;
/// Bytes read at once.
const BLOCK: usize = 32_768;

/// Which files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of the largest file; 0 reads none.
    pub max_size: u64,
    /// Files, and folders with all below them, that are left out.
    pub excluded: Vec<PathBuf>,
    /// Where proc and everything else is found.
    pub root: PathBuf,
}

/// A file to be read.
#[derive(Debug)]
pub struct Job {
    /// Chosen by whoever asks.
    pub number: u64,
    /// Where it may be found, the best place first.
    pub places: Vec<Place>,
    /// Which it has to be, as far as that is told; without the time of its change where it is being
    /// written. Where the file system is unknown, the thread finds it out, and the time with it.
    pub version: FileVersion,
    /// When what is told of it happened, nanoseconds since the epoch.
    pub time: u64,
    /// It is being written, so that its version is of no use later.
    pub is_written: bool,
    /// Its time is too short ago to tell this version from others: it has to be found at the only
    /// place before it is read and after.
    pub is_fresh: bool,
    /// Not to be read before.
    pub after: Instant,
}

/// What came of a job.
#[derive(Debug)]
pub struct Answer {
    /// Its number.
    pub number: u64,
    /// What was found.
    pub content: Content,
    /// Nothing more will be.
    pub is_last: bool,
}

/// The asking side. Dropping it ends the thread once it has read its file.
#[derive(Debug)]
pub struct Hashes {
    jobs: SyncSender<Job>,
    done: Receiver<Answer>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    known: Mutex<LruCache<FileVersion, Arc<Inspection>>>,
    budget: Budget,
}

impl Hashes {
    /// Starts the thread; none if no file is to be read.
    pub fn start(settings: Settings) -> Result<Option<Self>> {
        if settings.max_size == 0 {
            return Ok(None);
        }
        let (jobs, taken) = mpsc::sync_channel(MAX_JOBS);
        let (answer, done) = mpsc::channel();
        let shared = Arc::new(Shared {
            settings,
            known: Mutex::new(LruCache::new(MAX_KNOWN)),
            budget: Budget::new(Instant::now()),
        });
        let reader = Reader {
            shared: shared.clone(),
            block: vec![0; BLOCK],
            mounts: Mounts::default(),
        };
        // Nobody joins it: it may be waiting for a disk.
        std::thread::Builder::new()
            .name("hashes".into())
            .stack_size(content::STACK)
            .spawn(move || reader.work(&taken, &answer))
            .map_err(Error::io("cannot start a thread for", "hashes"))?;
        Ok(Some(Self { jobs, done, shared }))
    }

    /// What is known of a file's content at once; none where [`Hashes::read`] could tell.
    pub fn ask(&self, path: &[u8], version: &FileVersion) -> Option<Content> {
        let Settings {
            max_size, excluded, ..
        } = &self.shared.settings;
        if excluded
            .iter()
            .any(|excluded| content::is_within(path, excluded))
        {
            return Some(Content::Unasked);
        }
        if version.filesystem != 0 && !content::is_local(version.filesystem) {
            return Some(Content::Unread(Unread::NotLocal));
        }
        if version.size > *max_size {
            return Some(Content::Unread(Unread::TooLarge));
        }
        // Who asks never waits for the thread, which may be put aside at any moment.
        if version.changed != 0
            && let Ok(mut known) = self.shared.known.try_lock()
            && let Some(found) = known.get(version)
        {
            return Some(Content::Known(found.clone()));
        }
        let is_allowed = self.shared.budget.allows(Instant::now());
        (!is_allowed).then_some(Content::Unread(Unread::TooMuch))
    }

    /// Has a file read; false if too many wait for that already.
    pub fn read(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// What came of a job, or the first of it: verifying a signature may take longer than an event can
    /// wait. Waits for it until then.
    pub fn done(&self, wait: Duration) -> Option<Answer> {
        self.done.recv_timeout(wait).ok()
    }
}

/// The thread.
struct Reader {
    shared: Arc<Shared>,
    block: Vec<u8>,
    mounts: Mounts,
}

impl Reader {
    fn work(mut self, jobs: &Receiver<Job>, done: &Sender<Answer>) {
        thread::yield_to_others();
        // In the order of their time, since all wait equally long.
        let mut early: VecDeque<Job> = VecDeque::new();
        loop {
            let now = Instant::now();
            let next = match early.pop_front_if(|job| job.after <= now) {
                Some(job) => Ok(job),
                None => match early.front() {
                    Some(job) => jobs.recv_timeout(job.after.saturating_duration_since(now)),
                    None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                },
            };
            let (number, content) = match next {
                Ok(job) if job.after <= Instant::now() => (job.number, self.read(job, done)),
                Ok(job) if early.len() < MAX_JOBS => {
                    early.push_back(job);
                    continue;
                }
                Ok(job) => (job.number, Content::Unread(Unread::TooMuch)),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let answer = Answer {
                number,
                content,
                is_last: true,
            };
            if done.send(answer).is_err() {
                return;
            }
        }
    }

    fn read(&mut self, job: Job, done: &Sender<Answer>) -> Content {
        if !self.shared.budget.allows(Instant::now()) {
            return Content::Unread(Unread::TooMuch);
        }
        let begun = thread::cpu_time();
        let found = self.inspect(job, done);
        let used = thread::cpu_time().saturating_sub(begun);
        self.shared.budget.spend(Instant::now(), used);
        found.map_or_else(Content::Unread, Content::Known)
    }

    fn inspect(
        &mut self,
        mut job: Job,
        done: &Sender<Answer>,
    ) -> std::result::Result<Arc<Inspection>, Unread> {
        let Settings { root, max_size, .. } = &self.shared.settings;
        if job.version.filesystem == 0 {
            let executed = (!job.is_written).then_some(job.time);
            self.mounts
                .complete(root, &mut job.places, &mut job.version, executed)?;
            job.is_fresh = !job.is_written && is_fresh(&job.version, job.time);
        }
        let is_kept = !job.is_written && !job.is_fresh;
        // A panic elsewhere leaves the cache whole.
        let known = || {
            let known = self.shared.known.lock();
            known.unwrap_or_else(PoisonError::into_inner)
        };
        if is_kept && let Some(found) = known().get(&job.version) {
            return Ok(found.clone());
        }
        let find = || content::open(root, &job.places, &job.version);
        let (file, version) = find()?;
        // Where the event does not tell the version, only now it is known.
        if is_kept && let Some(found) = known().get(&version) {
            return Ok(found.clone());
        }
        if version.size > *max_size {
            return Err(Unread::TooLarge);
        }
        if job.is_written && is_fresh(&version, wall::now()) {
            return Err(Unread::Changing);
        }
        let digests = content::digest(&file, &version, &mut self.block);
        let mut found = Inspection {
            digests: digests.ok_or(Unread::Changing)?,
            signature: Signature::Unknown,
        };
        if job.is_fresh {
            find()?;
        }
        if content::CAN_VERIFY {
            // Without whoever asked, the last answer ends the thread.
            let _ = done.send(Answer {
                number: job.number,
                content: Content::Known(found.clone().into()),
                is_last: false,
            });
            found.signature = content::signature(&file, &job.places, &version);
        }
        let found = Arc::new(found);
        if is_kept {
            known().put(version, found.clone());
        }
        Ok(found)
    }
}

/// CPU time that may be used: [`BURST`] at most, and one part in [`SHARE`] of what passes. A file
/// that takes more than is left is paid for later. Only the thread spends.
#[derive(Debug)]
struct Budget {
    begun: Instant,
    /// When everything is paid for, nanoseconds on [`Budget::at`]'s scale.
    paid: AtomicU64,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self {
            begun: now,
            paid: AtomicU64::new(0),
        }
    }

    fn allows(&self, now: Instant) -> bool {
        self.paid.load(Ordering::Relaxed) <= self.at(now)
    }

    /// `used`: nanoseconds.
    fn spend(&self, now: Instant, used: u64) {
        let rested = self.at(now) - BURST * SHARE;
        let paid = self.paid.load(Ordering::Relaxed).max(rested);
        let paid = paid.saturating_add(used.saturating_mul(SHARE));
        self.paid.store(paid, Ordering::Relaxed);
    }

    /// Never less than a whole burst, which is there at the begin.
    fn at(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.begun).as_nanos();
        // Some five centuries fit.
        BURST * SHARE + passed as u64
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
#[cfg(test)]
#[cfg(windows)]
mod tests_windows;
