//! Files of event tracing (`.etl`) as a source, on any host.
//!
//! A file is buffers of one size. Each begins with a head ([`buffer`]) and belongs to one processor;
//! the first record of the first says how large they are and what their times mean ([`clock`]). The
//! records of one processor are in order, so the next of the file is the earliest of those that the
//! processors have next.
//!
//! The layouts are those of Windows' documented headers (`evntrace.h`, `evntcons.h`) and of what is
//! published of its tracing by others. A file does not say what its host knew: which device is which
//! drive, and whose SIDs are whose. Names of the host are not in it either.

mod buffer;
mod clock;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Malformed;
use super::player::Player;

use super::raw::since_epoch;
use super::tell::Trouble;
use crate::capture::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};
use buffer::{HEAD, Head, Record};
use clock::Clock;

/// Windows has 16 MiB at most.
const MAX_BUFFER: usize = 16 << 20;
/// Bytes of all buffers that are read at once, one of each processor.
const MAX_OPEN: usize = 256 << 20;
/// Bytes that a buffer has.
const SIZES: RangeInclusive<usize> = HEAD..=MAX_BUFFER;

/// How many records are told at once.
const STRIDE: usize = 4096;

/// A file that is played back as fast as it is drained.
pub struct EtlFile<F = File> {
    path: PathBuf,
    file: F,
    clock: Clock,
    processors: BTreeMap<u16, Processor>,
    player: Player,
    /// Buffers whose records cannot be read.
    compressed: u64,
}

/// The buffers of one processor.
#[derive(Default)]
struct Processor {
    /// Which ones, by their number and where they are.
    waiting: VecDeque<(u64, u64)>,
    /// The one that is read now, and where in it.
    buffer: Vec<u8>,
    at: usize,
    /// The clock's time of its next record, once that was looked at.
    next: Option<u64>,
}

impl EtlFile {
    /// A file begins like one.
    pub fn is_at(path: &Path) -> bool {
        let mut head = [0; HEAD + 8];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
        read.is_ok() && is_first(&head)
    }

    /// Opens a file, and looks where its buffers are.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let failed = |error| Error::Recording(format!("cannot open {shown}: {error}"));
        Self::begin(path, File::open(path).map_err(failed)?)
    }
}

impl<F: Read + Seek + Send> EtlFile<F> {
    /// Begins to read what is said to be at a path.
    pub fn begin(path: &Path, mut file: F) -> Result<Self> {
        let shown = path.display();
        let refuse = |why: &str| Error::Recording(format!("{shown} cannot be read: {why}"));
        let first = read_buffer(&mut file, 0).map_err(Error::io("cannot read", path))?;
        if !is_first(&first) {
            return Err(refuse("it does not begin like a file of event tracing"));
        }
        let clock = match buffer::next(&first, HEAD) {
            Ok(Some((Record::Session(time, is_64, head), _))) => Clock::read(head, time, is_64),
            Ok(_) => return Err(refuse("its head is missing")),
            Err(malformed) => Err(malformed),
        };
        let mut this = Self {
            path: path.into(),
            file,
            clock: clock.map_err(|malformed| refuse(malformed.0))?,
            processors: BTreeMap::new(),
            player: Player::default(),
            compressed: 0,
        };
        this.player
            .lose(this.clock.lost.into(), since_epoch(this.clock.begin()));
        this.find_buffers()
            .map_err(Error::io("cannot read", path))?;
        if this.processors.len().saturating_mul(this.clock.buffer) > MAX_OPEN {
            return Err(refuse(
                "it has more processors and larger buffers than are read at once",
            ));
        }
        Ok(this)
    }

    /// Notes where the buffers are, up to what is none.
    fn find_buffers(&mut self) -> std::io::Result<()> {
        let mut at = 0;
        while let Some(head) = read_head(&mut self.file, at)? {
            let found = Head::read(&head).ok();
            let Some(found) = found.filter(|head| SIZES.contains(&head.size)) else {
                // A file may have been made larger than what was written to it.
                if head != [0; HEAD] {
                    self.player
                        .count(Malformed("a buffer does not begin like one").into());
                }
                break;
            };
            if found.is_compressed {
                self.compressed += 1;
            } else {
                let processor = self.processors.entry(found.processor).or_default();
                processor.waiting.push_back((found.sequence, at));
            }
            at += found.size as u64;
        }
        for processor in self.processors.values_mut() {
            // A file that begins anew when it is full has the newest first.
            let waiting = processor.waiting.make_contiguous();
            waiting.sort_by_key(|(sequence, _)| *sequence);
        }
        Ok(())
    }

    /// Tells the next record of all. Whether there was one.
    fn step(&mut self, sink: &mut dyn FnMut(Event)) -> Result<bool> {
        let Self {
            path,
            file,
            clock,
            processors,
            player,
            ..
        } = self;
        let mut earliest: Option<(u64, &mut Processor)> = None;
        for processor in processors.values_mut() {
            let time = processor
                .peek(file, player)
                .map_err(Error::io("cannot read", &*path))?;
            let Some(time) = time else { continue };
            if earliest.as_ref().is_none_or(|(before, _)| time < *before) {
                earliest = Some((time, processor));
            }
        }
        let Some((_, processor)) = earliest else {
            return Ok(false);
        };
        processor.tell(clock, player, sink);
        Ok(true)
    }
}

impl Processor {
    /// The clock's time of its next record; nothing if it has none. Opens its next buffer where the
    /// one before is at its end or cannot be read on.
    fn peek(
        &mut self,
        file: &mut (impl Read + Seek),
        player: &mut Player,
    ) -> std::io::Result<Option<u64>> {
        while self.next.is_none() {
            match buffer::next(&self.buffer, self.at) {
                Ok(Some((Record::Event(header, ..), _))) => {
                    self.next = Some(header.time);
                    break;
                }
                Ok(Some((record, after))) => {
                    if matches!(record, Record::Other) {
                        player.count(Trouble::Unknown);
                    }
                    self.at = after;
                    continue;
                }
                Ok(None) => {}
                Err(malformed) => player.count(malformed.into()),
            }
            self.buffer = Vec::new();
            let Some((_, place)) = self.waiting.pop_front() else {
                break;
            };
            self.buffer = read_buffer(file, place)?;
            self.at = HEAD;
        }
        Ok(self.next)
    }

    /// Tells the record that was looked at.
    fn tell(&mut self, clock: &Clock, player: &mut Player, sink: &mut dyn FnMut(Event)) {
        self.next = None;
        if let Ok(Some((Record::Event(mut header, attached, data), after))) =
            buffer::next(&self.buffer, self.at)
        {
            header.time = clock.time(header.time);
            player.tell(&header, attached, data, sink);
            self.at = after;
        }
    }
}

/// The first bytes are those of a file: a head of a buffer, and behind it the record about the session.
fn is_first(bytes: &[u8]) -> bool {
    let Ok(head) = Head::read(bytes) else {
        return false;
    };
    let record = bytes.get(HEAD..HEAD + 8).unwrap_or_default();
    SIZES.contains(&head.size) && matches!(record, [_, _, 1 | 2, 0xc0, _, _, 0, 0])
}

/// The head of the buffer at a place; nothing at the end of the file.
fn read_head(file: &mut (impl Read + Seek), at: u64) -> std::io::Result<Option<[u8; HEAD]>> {
    let mut head = [0; HEAD];
    file.seek(SeekFrom::Start(at))?;
    match file.read_exact(&mut head) {
        Ok(()) => Ok(Some(head)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is used of the buffer at a place; less where the file ends before.
fn read_buffer(file: &mut (impl Read + Seek), at: u64) -> std::io::Result<Vec<u8>> {
    let Some(head) = read_head(file, at)? else {
        return Ok(Vec::new());
    };
    let used = Head::read(&head).map_or(HEAD, |head| head.used.min(MAX_BUFFER));
    let mut bytes = head.to_vec();
    let mut rest = Read::take(file, (used - HEAD) as u64);
    rest.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl<F: Read + Seek + Send> Source for EtlFile<F> {
    fn drain(&mut self, _timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        for _ in 0..STRIDE {
            if !self.step(sink)? {
                self.player.end(sink);
                return Ok(Progress::Ended);
            }
        }
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        self.player.end(sink);
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        let begin = since_epoch(self.clock.begin());
        let buffers = |count: u64, cause, place| Loss {
            what: "buffer",
            count,
            cause,
            place,
            from: begin,
            to: begin,
        };
        let compressed = std::mem::take(&mut self.compressed);
        let lost = std::mem::take(&mut self.clock.buffers_lost);
        let mut all = self.player.losses("trace file");
        all.extend([
            buffers(compressed, "compressed", "trace file"),
            buffers(lost.into(), "buffers full", "tracing session"),
        ]);
        all.retain(|loss| loss.count > 0);
        all
    }

    fn coverage(&self) -> Vec<Hook> {
        vec![Hook {
            name: format!("trace file {}", self.path.display()),
            state: HookState::Attached,
            reason: String::new(),
        }]
    }

    fn notices(&mut self) -> Vec<String> {
        self.player.notices()
    }
}
