//! Files of the event log (`.evtx`) as a source of events.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binxml::Reader;
use super::chunk::{self, Begin, Chunk};
use crate::capture::{Hook, HookState, Progress, Source, begins_with};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};

/// What a file of the event log begins with.
pub const MAGIC: [u8; 8] = *b"ElfFile\0";

/// Bytes of a file's head that say something.
const HEAD: usize = 128;
/// Bytes of a chunk that say which it is.
const BEGIN: usize = 32;

/// A file of the event log that is read from its oldest record on.
pub struct LogFile {
    file: File,
    path: PathBuf,
    /// Where chunks begin, the oldest first.
    chunks: VecDeque<u64>,
    chunk: Vec<u8>,
    reader: Reader,
    /// It was closed in good order, so that its checksums are true.
    is_closed: bool,
    /// Time of the last record, nanoseconds since the epoch.
    time: u64,
    untold: Damage,
    told: Damage,
}

/// What cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Damage {
    records: u64,
    /// Chunks without a head, of which nobody knows what was in them.
    chunks: u64,
    /// Chunks that are not what was written. What can be read of them is.
    changed: u64,
}

impl AddAssign for Damage {
    fn add_assign(&mut self, more: Self) {
        self.records += more.records;
        self.chunks += more.chunks;
        self.changed += more.changed;
    }
}

impl LogFile {
    /// A file begins like one of the event log.
    pub fn is_at(path: &Path) -> bool {
        begins_with(path, MAGIC)
    }

    /// Opens a file and finds its chunks.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let failed = |error| Error::Recording(format!("cannot open {shown}: {error}"));
        let mut file = File::open(path).map_err(failed)?;
        let mut head = Vec::with_capacity(HEAD);
        Read::take(&mut file, HEAD as u64)
            .read_to_end(&mut head)
            .map_err(failed)?;
        if head.len() < HEAD || !head.starts_with(&MAGIC) {
            return Err(Error::Recording(format!(
                "{shown} is not a file of the event log"
            )));
        }
        let major = u16::from_le_bytes([head[38], head[39]]);
        if major != 3 {
            return Err(Error::Recording(format!(
                "{shown} has version {major} of the event log's format, and only 3 is known"
            )));
        }
        let first = u16::from_le_bytes([head[40], head[41]]);
        let mut this = Self {
            file,
            path: path.into(),
            chunks: VecDeque::new(),
            chunk: Vec::new(),
            reader: Reader::default(),
            is_closed: head[120] & 1 == 0,
            time: 0,
            untold: Damage::default(),
            told: Damage::default(),
        };
        this.find_chunks(first.into()).map_err(failed)?;
        Ok(this)
    }

    /// A full log goes on at its begin, so chunks stand in the order of their records' numbers.
    fn find_chunks(&mut self, first: u64) -> io::Result<()> {
        let end = self.file.seek(SeekFrom::End(0))?;
        let mut found = Vec::new();
        for at in (first..end).step_by(chunk::SIZE) {
            self.read_at(at, BEGIN)?;
            match Begin::of(&self.chunk) {
                Begin::Chunk(number) => found.push((number, at)),
                Begin::Empty => {}
                Begin::Damaged => self.untold.chunks += 1,
            }
        }
        found.sort_unstable();
        self.chunks = found.into_iter().map(|(_, at)| at).collect();
        Ok(())
    }

    /// Reads so many bytes, or those that there are.
    fn read_at(&mut self, at: u64, count: usize) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.chunk.clear();
        Read::take(&mut self.file, count as u64).read_to_end(&mut self.chunk)?;
        Ok(())
    }

    /// What to say at the end, if not all of it could be read.
    fn end(&self) -> Result<Progress> {
        let mut all = self.told;
        all += self.untold;
        if all == Damage::default() {
            return Ok(Progress::Ended);
        }
        let Damage {
            records,
            chunks,
            changed,
        } = all;
        let path = self.path.display();
        Err(Error::Recording(format!(
            "{path} is damaged: {records} records and {chunks} chunks of records cannot be read, \
             {changed} chunks are not what was written; the rest was read"
        )))
    }
}

impl Source for LogFile {
    fn drain(&mut self, _timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        let Some(at) = self.chunks.pop_front() else {
            return self.end();
        };
        self.read_at(at, chunk::SIZE)
            .map_err(Error::io("cannot read", &self.path))?;
        let Self { reader, time, .. } = self;
        let chunk = Chunk::new(&self.chunk);
        if self.is_closed && !chunk.is_intact() {
            self.untold.changed += 1;
        }
        self.untold.records += chunk.read(reader, &mut |event| {
            *time = event.time;
            sink(event);
        });
        Ok(Progress::Running)
    }

    fn finish(&mut self, _sink: &mut dyn FnMut(Event)) -> Result<()> {
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        let untold = std::mem::take(&mut self.untold);
        self.told += untold;
        let lost = [("record", untold.records), ("chunk", untold.chunks)];
        let loss = |(what, count)| Loss {
            what,
            count,
            cause: "malformed record",
            place: "event log",
            from: self.time,
            to: self.time,
        };
        lost.into_iter()
            .filter(|&(_, count)| count > 0)
            .map(loss)
            .collect()
    }

    fn coverage(&self) -> Vec<Hook> {
        vec![Hook {
            name: format!("event log {}", self.path.display()),
            state: HookState::Attached,
            reason: String::new(),
        }]
    }

    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }
}
