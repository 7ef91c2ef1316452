//! One gzip compressor for all bodies, so that its memory is taken once.

use std::io::Read;

use flate2::read::GzDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};

use crate::error::{Error, Result};

/// Measured on events of 1 KB (`examples/spool_speed.rs`): a body is a third smaller than at level
/// 1 for 0.5 µs more an event, and level 3 makes it no smaller.
const LEVEL: u32 = 2;
/// Output grows by so many bytes at a time.
const STEP: usize = 32 << 10;
const WINDOW_BITS: u8 = 15;

/// A reusable compressor.
#[derive(Debug)]
pub(super) struct Gzip(Compress);

impl Gzip {
    pub fn new() -> Self {
        Self(Compress::new_gzip(Compression::new(LEVEL), WINDOW_BITS))
    }

    /// `text` as one gzip member.
    pub fn compress(&mut self, text: &[u8]) -> Result<Vec<u8>> {
        self.0.reset();
        let mut body = Vec::new();
        loop {
            body.reserve(STEP);
            let rest = &text[self.0.total_in() as usize..];
            let status = self.0.compress_vec(rest, &mut body, FlushCompress::Finish);
            match status.map_err(|error| Error::Spool(format!("cannot compress: {error}")))? {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => {}
            }
        }
        body.shrink_to_fit();
        Ok(body)
    }
}

/// The `size` bytes that [`Gzip::compress`] made `body` of.
pub(super) fn decompress(body: &[u8], size: usize) -> Result<Vec<u8>> {
    let mut text = Vec::with_capacity(size);
    GzDecoder::new(body)
        .take(size as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| Error::Spool(format!("cannot decompress: {error}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_compressor_makes_many_bodies() {
        let mut gzip = Gzip::new();
        let noise: Vec<u8> = (0..100_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        for text in [&b""[..], b"{}\n", &noise, &[b'x'; 300_000]] {
            let body = gzip.compress(text).unwrap();
            assert_eq!(decompress(&body, text.len()).unwrap(), text);
        }
    }
}
