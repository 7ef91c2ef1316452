//! Recordings: raw kernel records in a file, and the source that plays them back.
//!
//! A recording is the magic, the boot id of the host it was made on, and then records of
//! `bpf/event.h` back to back, each with its size in its first field. It begins with the clock and
//! the processes that were there, so that a replay needs nothing of the host; what the audit source
//! asked the host later on is among its records. Occurrences that the
//! kernel folded into a repeat were never records, and are not part of a recording.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zerocopy::{FromBytes, IntoBytes};

use super::audit::Player;
use super::ebpf::decode::{self, Clock, Malformed};
use super::ebpf::wire::{self, kind};
use super::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Action, Event, Loss};

/// Its last byte counts the changes of the records' layout.
const MAGIC: [u8; 8] = *b"EPAREC\x00\x04";

/// The largest record the kernel side makes, with room to spare.
const RECORD_LIMIT: usize = 1 << 17;

/// How many records a replay hands over at once.
const STRIDE: usize = 4096;

/// A recording that is being made.
pub struct Recorder {
    file: BufWriter<File>,
    path: PathBuf,
    clock: Option<Clock>,
    failure: Option<io::Error>,
    /// A failure was told, and nothing more is written.
    is_ended: bool,
}

impl Recorder {
    /// Starts a new file, readable by its owner alone; an existing one is not overwritten.
    pub fn create(path: &Path, boot_id: [u8; 16]) -> Result<Self> {
        let failed = |error| Error::Recording(format!("cannot create {}: {error}", path.display()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let mut file = BufWriter::with_capacity(1 << 16, file.map_err(failed)?);
        file.write_all(&MAGIC)
            .and_then(|()| file.write_all(&boot_id))
            .map_err(failed)?;
        Ok(Self {
            file,
            path: path.into(),
            clock: None,
            failure: None,
            is_ended: false,
        })
    }

    /// Appends one record, after the clock where that has moved by a millisecond or more.
    pub fn write(&mut self, record: &[u8], clock: Clock) {
        if self.is_ended || self.failure.is_some() {
            return;
        }
        let moved = self
            .clock
            .is_none_or(|known| known.offset.abs_diff(clock.offset) >= 1_000_000);
        let outcome = if moved {
            self.write_clock(clock)
        } else {
            Ok(())
        }
        .and_then(|()| self.file.write_all(record));
        self.failure = outcome.err();
    }

    fn write_clock(&mut self, clock: Clock) -> io::Result<()> {
        self.clock = Some(clock);
        let size = size_of::<wire::Clock>() as u32;
        let header = wire::Header {
            size,
            kind: kind::CLOCK,
            ..Default::default()
        };
        self.file.write_all(
            wire::Clock {
                header,
                offset: clock.offset,
            }
            .as_bytes(),
        )
    }

    /// Makes what was appended visible to readers of the file; a failure is told once.
    pub fn flush(&mut self) -> Option<String> {
        if self.is_ended {
            return None;
        }
        let error = self.failure.take().or_else(|| self.file.flush().err())?;
        self.is_ended = true;
        Some(format!(
            "the recording {} ends here: {error}",
            self.path.display()
        ))
    }
}

/// A recording that is played back as fast as it is drained.
pub struct Replay {
    file: BufReader<File>,
    path: PathBuf,
    boot_id: [u8; 16],
    clock: Clock,
    record: Vec<u8>,
    /// Plays what the audit source has read, if that was recorded.
    audit: Option<Box<Player>>,
    malformed: u64,
}

impl Replay {
    /// Opens a recording and checks its head.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error| Error::Recording(format!("cannot open {}: {error}", path.display()));
        let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(failed)?);
        let mut head = [0_u8; 24];
        let (magic, boot_id) = match file.read_exact(&mut head) {
            Ok(()) => head.split_at(MAGIC.len()),
            Err(_) => (&head[..0], &head[..0]),
        };
        if magic != MAGIC {
            let path = path.display();
            return Err(Error::Recording(format!(
                "{path} is not a recording; make one with `endpoint-agent run --record FILE`"
            )));
        }
        Ok(Self {
            boot_id: boot_id.try_into().unwrap_or_default(),
            file,
            path: path.into(),
            clock: Clock::default(),
            record: Vec::new(),
            audit: None,
            malformed: 0,
        })
    }

    /// The boot that was recorded: part of every process's identity.
    pub fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }

    /// Reads the next record into the buffer. False at the end of the file.
    fn next_record(&mut self) -> Result<bool> {
        let mut size = [0_u8; 4];
        match self
            .file
            .read(&mut size)
            .map_err(Error::io("cannot read", &self.path))?
        {
            0 => return Ok(false),
            read => self.read_exact_into(&mut size, read)?,
        }
        let whole = u32::from_ne_bytes(size) as usize;
        if !(size_of::<wire::Header>()..=RECORD_LIMIT).contains(&whole) {
            return Err(self.damaged(&format!("a record of {whole} bytes")));
        }
        self.record.resize(whole, 0);
        self.record[..4].copy_from_slice(&size);
        let rest = self.file.read_exact(&mut self.record[4..]);
        rest.map(|()| true)
            .map_err(|_| self.damaged("half a record at its end"))
    }

    fn read_exact_into(&mut self, size: &mut [u8; 4], read: usize) -> Result<()> {
        let rest = self.file.read_exact(&mut size[read..]);
        rest.map_err(|_| self.damaged("half a record at its end"))
    }

    fn damaged(&self, what: &str) -> Error {
        Error::Recording(format!("{} is damaged: it has {what}", self.path.display()))
    }

    fn play(&mut self, sink: &mut dyn FnMut(Event)) {
        let kind = wire::Header::read_from_prefix(&self.record).map(|(header, _)| header.kind);
        let outcome = match kind {
            Ok(kind::CLOCK) => wire::Clock::read_from_prefix(&self.record)
                .map(|(clock, _)| self.clock.offset = clock.offset)
                .map_err(|_| Malformed::Short),
            Ok(kind::AUDIT) => self.play_audit(sink),
            _ => decode::decode(&self.record, self.clock).map(|event| {
                if let (Some(audit), Action::Snapshot(_)) = (&mut self.audit, &event.action) {
                    audit.snapshot(&event);
                }
                sink(event);
            }),
        };
        self.malformed += u64::from(outcome.is_err());
    }

    fn play_audit(&mut self, sink: &mut dyn FnMut(Event)) -> std::result::Result<(), Malformed> {
        match &mut self.audit {
            Some(audit) => audit.play(&self.record, sink),
            None => {
                let audit = Player::begin(&self.record).ok_or(Malformed::Unknown("begin"))?;
                self.audit = Some(Box::new(audit));
                Ok(())
            }
        }
    }
}

impl Source for Replay {
    fn drain(&mut self, _timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        for _ in 0..STRIDE {
            if !self.next_record()? {
                if let Some(mut audit) = self.audit.take() {
                    audit.end(sink);
                }
                return Ok(Progress::Ended);
            }
            self.play(sink);
        }
        Ok(Progress::Running)
    }

    fn finish(&mut self, _sink: &mut dyn FnMut(Event)) -> Result<()> {
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        let count = std::mem::take(&mut self.malformed);
        let loss = Loss {
            what: "record",
            count,
            cause: "malformed record",
            place: "recording",
            from: self.clock.offset,
            to: self.clock.offset,
        };
        if count == 0 { Vec::new() } else { vec![loss] }
    }

    fn coverage(&self) -> Vec<Hook> {
        let name = format!("recording {}", self.path.display());
        vec![Hook {
            name,
            state: HookState::Attached,
            reason: String::new(),
        }]
    }

    fn notices(&mut self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recorder on a disk without room, that has to write more than it buffers or less.
    fn recorder() -> Recorder {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        Recorder {
            file: BufWriter::with_capacity(1 << 16, full),
            path: "/dev/full".into(),
            clock: None,
            failure: None,
            is_ended: false,
        }
    }

    #[test]
    fn a_recording_that_fails_says_so_once() {
        for size in [100, 1 << 17] {
            let mut recorder = recorder();
            recorder.write(&vec![0; size], Clock::default());
            let told = recorder.flush().unwrap();
            assert!(
                told.contains("/dev/full ends here: No space left"),
                "{told}"
            );
            recorder.write(&vec![0; size], Clock::default());
            assert_eq!(recorder.flush(), None);
            assert_eq!(recorder.flush(), None);
        }
    }
}
