//! Writes what a live source sees into a recording, which can be replayed anywhere.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::recording::{Frame, MAGIC, write_frame};
use crate::error::{Error, Result};

/// A recording that is written. One that fails ends there, and the capture goes on.
#[derive(Debug)]
pub struct Recorder {
    file: Option<BufWriter<File>>,
    path: PathBuf,
    failure: Option<String>,
}

impl Recorder {
    /// Begins a new file.
    pub fn create(path: &Path) -> Result<Self> {
        let failed =
            |error| Error::Recording(format!("cannot record to {}: {error}", path.display()));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(path);
        let mut file = BufWriter::with_capacity(1 << 18, file.map_err(failed)?);
        file.write_all(&MAGIC).map_err(failed)?;
        Ok(Self {
            file: Some(file),
            path: path.into(),
            failure: None,
        })
    }

    /// Adds a frame.
    pub fn add(&mut self, frame: &Frame) {
        self.with(|file| frame.write(file));
    }

    /// Adds a frame whose content is made already.
    pub fn add_made(&mut self, kind: u8, body: &[u8]) {
        self.with(|file| write_frame(file, kind, body));
    }

    /// Hands what is there to the host.
    pub fn flush(&mut self) {
        self.with(BufWriter::flush);
    }

    /// Why it has ended, once.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    fn with(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        let Some(file) = &mut self.file else {
            return;
        };
        if let Err(error) = write(file) {
            let path = self.path.display();
            self.failure = Some(format!("the recording {path} ends here: {error}"));
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recorder;
    use crate::capture::etw::recording::{Frame, MAGIC};

    #[test]
    fn frames_are_behind_the_magic_of_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.rec");
        let mut recorder = Recorder::create(&path).unwrap();
        recorder.add(&Frame::Host("h"));
        recorder.add_made(1, b"xy");
        recorder.flush();
        let expected = b"\x09\0\0\0\x02\0\0\0h\x0a\0\0\0\x01\0\0\0xy";
        assert_eq!(
            std::fs::read(&path).unwrap(),
            [&MAGIC[..], expected].concat()
        );
        assert_eq!(recorder.take_failure(), None);
        let error = Recorder::create(&path).unwrap_err().to_string();
        assert!(error.contains("cannot record to"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_ends_the_recording_alone() {
        let mut recorder = Recorder {
            file: Some(std::io::BufWriter::new(
                std::fs::File::create("/dev/full").unwrap(),
            )),
            path: "/dev/full".into(),
            failure: None,
        };
        recorder.add(&Frame::Host("h"));
        recorder.flush();
        recorder.add(&Frame::Host("h"));
        let failure = recorder.take_failure().unwrap();
        assert!(failure.starts_with("the recording /dev/full ends here: "));
        assert_eq!(recorder.take_failure(), None);
    }
}
