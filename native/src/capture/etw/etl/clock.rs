//! The clock of a file: what its numbers are in Windows' time.

use super::super::payload::number;
use crate::capture::etw::Malformed;

/// The clock, and what else the head of a file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// A number of the clock, and that moment in 100 ns since 1601.
    base: (u64, u64),
    /// 100 ns in this many ticks are this many.
    scale: (u64, u64),
    /// Bytes of each buffer.
    pub buffer: usize,
    /// Events that the session has lost, and buffers of them.
    pub lost: u32,
    #[allow(missing_docs)]
    pub buffers_lost: u32,
}

impl Clock {
    /// Reads a `TRACE_LOGFILE_HEADER`, which was written at that time of the clock.
    pub fn read(head: &[u8], now: u64, is_64: bool) -> Result<Self, Malformed> {
        // Two names, then a time zone of 172 bytes.
        let times = if is_64 { 248 } else { 240 };
        let head = head
            .get(..times + 32)
            .ok_or(Malformed("the head of the file is short"))?;
        let u32_at = |at: usize| number(&head[at..at + 4]) as u32;
        let u64_at = |at: usize| number(&head[at..at + 8]);
        let scale = match u32_at(times + 24) {
            1 => (10_000_000, u64_at(times + 8)),
            2 => (1, 1),
            3 => (10, u32_at(52).into()),
            _ => return Err(Malformed("its clock is unknown")),
        };
        if scale.1 == 0 {
            return Err(Malformed("its clock stands still"));
        }
        Ok(Self {
            base: (now, u64_at(times + 16)),
            scale,
            buffer: u32_at(0) as usize,
            lost: u32_at(48),
            buffers_lost: u32_at(times + 28),
        })
    }

    /// When the file begins, in 100 ns since 1601.
    pub fn begin(&self) -> u64 {
        self.base.1
    }

    /// A time of the clock in 100 ns since 1601.
    pub fn time(&self, ticks: u64) -> u64 {
        let (base, begin) = self.base;
        let passed = i128::from(ticks.cast_signed()) - i128::from(base.cast_signed());
        let passed = passed * i128::from(self.scale.0) / i128::from(self.scale.1);
        let time = i128::from(begin) + passed;
        u64::try_from(time.clamp(0, u64::MAX.into())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    /// The head of a file of a clock of this kind.
    fn head(kind: u32, frequency: u64, megahertz: u32) -> Vec<u8> {
        let mut head = vec![0; 280];
        head[52..56].copy_from_slice(&megahertz.to_le_bytes());
        head[256..264].copy_from_slice(&frequency.to_le_bytes());
        head[264..272].copy_from_slice(&1_000_000_u64.to_le_bytes());
        head[272..276].copy_from_slice(&kind.to_le_bytes());
        head
    }

    #[test]
    fn ticks_are_times() {
        let performance = Clock::read(&head(1, 3_000_000, 0), 900, true).unwrap();
        assert_eq!(performance.time(900), 1_000_000);
        assert_eq!(performance.time(900 + 3_000_000), 11_000_000);
        assert_eq!(performance.time(600), 999_000);
        let system = Clock::read(&head(2, 0, 0), 1_000_000, true).unwrap();
        assert_eq!(system.time(1_000_017), 1_000_017);
        let cycles = Clock::read(&head(3, 0, 2_000), 0, true).unwrap();
        assert_eq!(cycles.time(2_000_000), 1_010_000);
        assert_eq!(cycles.time(u64::MAX), 1_000_000);
        assert_eq!(performance.time(1 << 63), 0);
    }

    #[test]
    fn heads_that_are_none_are_refused() {
        let read = |head: &[u8]| Clock::read(head, 0, true).unwrap_err().0;
        assert_eq!(read(&[0; 279]), "the head of the file is short");
        assert_eq!(read(&head(4, 1, 1)), "its clock is unknown");
        assert_eq!(read(&head(1, 0, 1)), "its clock stands still");
        assert_eq!(read(&head(3, 1, 0)), "its clock stands still");
        // Of 32 bits all of it stands 8 bytes earlier.
        assert!(Clock::read(&head(2, 1, 1)[8..], 0, false).is_ok());
    }
}
