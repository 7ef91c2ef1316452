//! Recordings of events of Windows, and the source that plays them back.
//!
//! A recording is the magic, and frames. A frame is its size with this head, its kind and two bytes of
//! zeros, and what is in it; all numbers are little-endian.
//!
//! | kind | what is in it |
//! |---|---|
//! | 1 | an event: its `EVENT_HEADER`, the bytes of what is attached, each of that with its type and its size (16 bits both), and the event's data |
//! | 2 | the name of the host |
//! | 3 | a device and the drive that it is, with a NUL between them |
//! | 4 | a SID and the account that it is of, likewise |
//! | 5 | how many events the session has lost (64 bits), and when that was seen (100 ns since 1601) |
//! | 6 | the `EVENT_HEADER` of an event whose layout the agent did not have, and Windows' `TRACE_EVENT_INFO` of it |
//!
//! It stands for itself: what the host was asked is in it. Records of the kernel of Linux have another
//! head and another clock, so they have a format of their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Malformed;
use super::payload::number;
use super::player::Player;
use super::raw::{HEADER, Header, since_epoch};
use super::tell::Trouble;
use crate::capture::{Hook, HookState, Progress, Source, begins_with};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};

/// What a recording begins with. Its last byte counts the changes of the format.
pub const MAGIC: [u8; 8] = *b"EPAETW\x00\x01";

/// Bytes of a frame's head, and most of a frame: an event has at most 64 KiB.
const FRAME: usize = 8;
const MAX_FRAME: usize = 1 << 17;

/// How many frames are played at once.
const STRIDE: usize = 4096;

/// What is in a frame.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// An event.
    Event {
        /// Its `EVENT_HEADER`.
        header: &'a [u8],
        /// What is attached, by its type.
        attached: &'a [(u16, &'a [u8])],
        /// Its data.
        data: &'a [u8],
    },
    /// The name of the host.
    Host(&'a str),
    /// A device, and the drive that it is.
    Drive(&'a str, &'a str),
    /// A SID, and the account that it is of.
    Account(&'a str, &'a str),
    /// The `EVENT_HEADER` of an event, and how Windows says that such events are laid out.
    Layout(&'a [u8], &'a [u8]),
    /// So many events were lost, seen at this time.
    Lost(u64, u64),
}

impl Frame<'_> {
    /// Writes it.
    pub fn write(&self, file: &mut impl Write) -> io::Result<()> {
        let (kind, body) = match self {
            Frame::Event {
                header,
                attached,
                data,
            } => (1, event(header, attached.iter().copied(), data)),
            Frame::Host(name) => (2, name.as_bytes().to_vec()),
            Frame::Drive(one, other) => (3, [*one, *other].join("\0").into()),
            Frame::Account(one, other) => (4, [*one, *other].join("\0").into()),
            Frame::Layout(header, info) => (6, [*header, *info].concat()),
            Frame::Lost(count, time) => (5, [count.to_le_bytes(), time.to_le_bytes()].concat()),
        };
        write_frame(file, kind, &body)
    }
}

/// Writes a frame of this kind with this in it.
pub fn write_frame(file: &mut impl Write, kind: u8, body: &[u8]) -> io::Result<()> {
    let size = (FRAME + body.len()) as u32;
    file.write_all(&size.to_le_bytes())?;
    file.write_all(&[kind, 0, 0, 0])?;
    file.write_all(body)
}

/// What is in the frame of an event.
pub fn event<'a>(
    header: &[u8],
    attached: impl Iterator<Item = (u16, &'a [u8])>,
    data: &[u8],
) -> Vec<u8> {
    let mut body = Vec::with_capacity(header.len() + 4 + data.len());
    body.extend(header);
    body.extend([0; 4]);
    for (kind, bytes) in attached {
        body.extend(kind.to_le_bytes());
        body.extend((bytes.len() as u16).to_le_bytes());
        body.extend(bytes);
    }
    let size = (body.len() - header.len() - 4) as u32;
    body[header.len()..header.len() + 4].copy_from_slice(&size.to_le_bytes());
    body.extend(data);
    body
}

/// A recording that is played back as fast as it is drained.
pub struct TraceFile {
    file: BufReader<File>,
    path: PathBuf,
    frame: Vec<u8>,
    frames: Frames,
}

/// Plays frames, whatever they are.
#[derive(Debug, Default)]
pub struct Frames {
    /// Tells what is in them.
    pub player: Player,
}

impl Frames {
    /// Plays one: its kind, and what is in it.
    pub fn play(&mut self, kind: u16, body: &[u8], sink: &mut dyn FnMut(Event)) {
        if let Err(trouble) = self.frame(kind, body, sink) {
            self.player.count(trouble);
        }
    }

    fn frame(
        &mut self,
        kind: u16,
        body: &[u8],
        sink: &mut dyn FnMut(Event),
    ) -> std::result::Result<(), Trouble> {
        let host = self.player.host();
        match kind {
            1 => self.event(body, sink)?,
            2 => host.name = text(body)?.into(),
            3 | 4 => {
                let (one, other) = text(body)?
                    .split_once('\0')
                    .ok_or(Malformed("it has half a pair"))?;
                match kind {
                    3 => host.learn_drive(one, other),
                    _ => host.learn_account(one, other),
                }
            }
            5 => match body.split_at_checked(8) {
                Some((count, time)) if time.len() == 8 => {
                    self.player.lose(number(count), since_epoch(number(time)));
                }
                _ => return Err(Malformed("it is not two numbers").into()),
            },
            6 => {
                let header = Header::read(body)?;
                if self.player.lacks_layout(&header) {
                    self.player.learn_layout(&header, Some(&body[HEADER..]));
                }
            }
            _ => return Err(Trouble::Unknown),
        }
        Ok(())
    }

    fn event(
        &mut self,
        body: &[u8],
        sink: &mut dyn FnMut(Event),
    ) -> std::result::Result<(), Trouble> {
        let header = Header::read(body)?;
        let rest = &body[HEADER..];
        let (size, rest) = rest
            .split_at_checked(4)
            .ok_or(Malformed("it ends too early"))?;
        let (items, data) = rest
            .split_at_checked(number(size) as usize)
            .ok_or(Malformed("what is attached ends too early"))?;
        self.player.tell(&header, Items(items), data, sink);
        Ok(())
    }
}

/// What is attached to an event, up to what is damaged.
struct Items<'a>(&'a [u8]);

impl<'a> Iterator for Items<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_at_checked(4)?;
        let (item, rest) = rest.split_at_checked(number(&head[2..]) as usize)?;
        self.0 = rest;
        Some((number(&head[..2]) as u16, item))
    }
}

fn text(body: &[u8]) -> std::result::Result<&str, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed("it is not UTF-8"))?;
    if text.len() > super::host::MAX_TEXT {
        return Err(Malformed("it is too long"));
    }
    Ok(text)
}

impl TraceFile {
    /// A file begins like a recording.
    pub fn is_at(path: &Path) -> bool {
        begins_with(path, MAGIC)
    }

    /// Opens a recording.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let failed = |error| Error::Recording(format!("cannot open {shown}: {error}"));
        let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(failed)?);
        let mut magic = MAGIC;
        let read = file.read_exact(&mut magic);
        if read.is_err() || magic != MAGIC {
            return Err(Error::Recording(format!(
                "{shown} is not a recording of events of Windows"
            )));
        }
        Ok(Self {
            file,
            path: path.into(),
            frame: Vec::new(),
            frames: Frames::default(),
        })
    }

    /// Reads what is in the next frame, and tells its kind; nothing at the end of the file.
    fn next_frame(&mut self) -> Result<Option<u16>> {
        let Self {
            file, path, frame, ..
        } = self;
        let damaged =
            |what: &str| Error::Recording(format!("{} is damaged: it has {what}", path.display()));
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("half a frame at its end"),
            _ => Error::io("cannot read", &*path)(error),
        };
        if file.fill_buf().map_err(failed)?.is_empty() {
            return Ok(None);
        }
        let mut head = [0; FRAME];
        file.read_exact(&mut head).map_err(failed)?;
        let (size, kind) = (number(&head[..4]) as usize, number(&head[4..6]) as u16);
        if !(FRAME..=MAX_FRAME).contains(&size) {
            return Err(damaged(&format!("a frame of {size} bytes")));
        }
        frame.resize(size - FRAME, 0);
        file.read_exact(frame).map_err(failed)?;
        Ok(Some(kind))
    }
}

impl Source for TraceFile {
    fn drain(&mut self, _timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        for _ in 0..STRIDE {
            let next = self.next_frame();
            if !matches!(next, Ok(Some(_))) {
                self.frames.player.end(sink);
            }
            match next? {
                Some(kind) => self.frames.play(kind, &self.frame, sink),
                None => return Ok(Progress::Ended),
            }
        }
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        self.frames.player.end(sink);
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.frames.player.losses("recording")
    }

    fn coverage(&self) -> Vec<Hook> {
        vec![Hook {
            name: format!("recording {}", self.path.display()),
            state: HookState::Attached,
            reason: String::new(),
        }]
    }

    fn notices(&mut self) -> Vec<String> {
        self.frames.player.notices()
    }
}
