//! Timestamps: `2026-01-19T12:50:54.116Z`.

/// Writes the timestamps of one stream, in which most fall into the same second as the one before.
#[derive(Debug)]
pub struct Clock {
    /// Seconds since the epoch that `text` shows.
    second: u64,
    text: [u8; 24],
}

impl Clock {
    /// Shows the epoch.
    pub fn new() -> Self {
        Self {
            second: 0,
            text: *b"1970-01-01T00:00:00.000Z",
        }
    }

    /// Nanoseconds since the epoch in UTC, cut to milliseconds.
    pub fn show(&mut self, time: u64) -> &str {
        let second = time / 1_000_000_000;
        if second != self.second {
            self.second = second;
            self.set_second();
        }
        self.put(20, 3, time / 1_000_000 % 1_000);
        // It is ASCII.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    fn set_second(&mut self) {
        let (year, month, day) = civil(self.second / 86_400);
        let fields = [(0, 4, year), (5, 2, month), (8, 2, day)];
        let seconds = self.second % 86_400;
        let clock = [
            (11, 2, seconds / 3_600),
            (14, 2, seconds / 60 % 60),
            (17, 2, seconds % 60),
        ];
        for (at, width, value) in fields.into_iter().chain(clock) {
            self.put(at, width, value);
        }
    }

    fn put(&mut self, at: usize, width: usize, mut value: u64) {
        for digit in self.text[at..at + width].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Year, month and day of a number of days since the epoch.
///
/// Years are counted from March, so that the leap day is the last of its year and every month's
/// first day has one formula (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::Clock;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn shows_milliseconds_in_utc() {
        let mut clock = Clock::new();
        assert_eq!(clock.show(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            clock.show(1_768_827_054_116_999_999),
            "2026-01-19T12:50:54.116Z"
        );
        assert_eq!(
            clock.show(1_768_827_054_117_000_000),
            "2026-01-19T12:50:54.117Z"
        );
        assert_eq!(
            clock.show(1_768_827_055 * SECOND),
            "2026-01-19T12:50:55.000Z"
        );
    }

    #[test]
    fn knows_leap_years_and_the_ends_of_the_range() {
        let mut clock = Clock::new();
        assert_eq!(clock.show(951_782_400 * SECOND), "2000-02-29T00:00:00.000Z");
        assert_eq!(clock.show(951_868_800 * SECOND), "2000-03-01T00:00:00.000Z");
        assert_eq!(
            clock.show(4_107_542_400 * SECOND),
            "2100-03-01T00:00:00.000Z"
        );
        assert_eq!(clock.show(u64::MAX), "2554-07-21T23:34:33.709Z");
    }
}
