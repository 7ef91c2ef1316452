//! The bundle behind the program: a tar.gz of one version's folder.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::Failure;

const MARK: &[u8; 24] = b"endpoint-agent's bundle:";
const SIZE: usize = 24 + 8 + 8 + 32 + 32;

/// What the build writes where it puts a bundle behind the program: where it begins, its length, its
/// digest and its version. It lies within the program, so that a signature may be put behind all.
#[used]
static PLACE: [u8; SIZE] = {
    let mut place = [0; SIZE];
    let mut at = 0;
    while at < MARK.len() {
        place[at] = MARK[at];
        at += 1;
    }
    place
};

/// The bundle that this program carries.
pub struct Bundle {
    offset: u64,
    length: u64,
    digest: [u8; 32],
    /// Of the agent in it.
    pub version: String,
}

impl Bundle {
    /// None, if it is the program of a version.
    pub fn carried() -> Option<Self> {
        // SAFETY: it is a static of this type; the compiler must not know its content, which is
        // changed behind its back.
        let place = unsafe { (&raw const PLACE).read_volatile() };
        let (numbers, rest) = place[MARK.len()..].split_at(16);
        let (digest, version) = rest.split_at(32);
        let number =
            |at: usize| u64::from_le_bytes(std::array::from_fn(|index| numbers[at + index]));
        let version = String::from_utf8_lossy(version);
        (number(8) > 0).then(|| Self {
            offset: number(0),
            length: number(8),
            digest: std::array::from_fn(|index| digest[index]),
            version: version.trim_end_matches('\0').to_owned(),
        })
    }

    /// Unpacks it into a folder, below which lies the version's own then.
    pub fn unpack(&self, folder: &Path) -> Result<(), Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
        let bytes = self
            .read(&own)
            .map_err(|error| Failure::io("read", &own, &error))?;
        if Sha256::digest(&bytes)[..] != self.digest {
            return Err(Failure::new(format!(
                "{} is damaged; fetch it again",
                own.display()
            )));
        }
        let mut archive = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
        archive.set_preserve_permissions(false);
        archive
            .unpack(folder)
            .map_err(|error| Failure::io("unpack to", folder, &error))
    }

    fn read(&self, own: &Path) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(own)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.take(self.length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
