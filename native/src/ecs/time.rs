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
        put(&mut self.text[20..23], time / 1_000_000 % 1_000);
        // It is ASCII.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Nanoseconds since the epoch in UTC, cut to 100 ns, without zeros at the end of its fraction.
    pub fn show_exactly(&mut self, time: u64) -> String {
        let mut text = *b"0000-00-00T00:00:00.0000000";
        text[..19].copy_from_slice(&self.show(time).as_bytes()[..19]);
        put(&mut text[20..], time / 100 % 10_000_000);
        // It is ASCII.
        let whole = std::str::from_utf8(&text).unwrap_or_default();
        [whole.trim_end_matches('0').trim_end_matches('.'), "Z"].concat()
    }

    fn set_second(&mut self) {
        let (year, month, day) = civil(self.second / 86_400);
        let seconds = self.second % 86_400;
        for (place, value) in [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, seconds / 3_600),
            (14..16, seconds / 60 % 60),
            (17..19, seconds % 60),
        ] {
            put(&mut self.text[place], value);
        }
    }
}

/// Writes a number in as many digits as there is room for.
fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Nanoseconds since the epoch of a time in UTC, such as `2021-12-16T10:25:32.3518358Z`; of one
/// before it, 0.
pub fn parse(text: &str) -> Option<u64> {
    let (whole, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let digits = fraction
        .strip_prefix('.')
        .unwrap_or(if fraction.is_empty() { "0" } else { "" });
    let shape = whole
        .bytes()
        .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let is_time = shape.eq(b"0000-00-00T00:00:00".iter().copied());
    let is_fraction =
        (1..=9).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    if !is_time || !is_fraction {
        return None;
    }
    let number = |from: usize, to: usize| whole[from..to].parse::<u64>().ok();
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(number(0, 4)?, month, day);
    let seconds = days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let nanoseconds = format!("{digits:0<9}").parse::<u64>().ok()?;
    Some(
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(nanoseconds),
    )
}

/// Days since the epoch until a day of a year, as [`civil`] counts them.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year.saturating_sub(u64::from(month <= 2));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + day_of_year).saturating_sub(719_468)
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
    use super::{Clock, parse};

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

    #[test]
    fn reads_what_it_shows() {
        let mut clock = Clock::new();
        for time in (0..4_000).map(|step| step * 1_000_003 * SECOND + 351_835_800) {
            assert_eq!(parse(&clock.show_exactly(time)), Some(time));
        }
        assert_eq!(
            parse("2021-12-16T10:25:32.351835800Z"),
            Some(1_639_650_332_351_835_800)
        );
        assert_eq!(parse("2021-12-16T10:25:32Z"), Some(1_639_650_332 * SECOND));
        assert_eq!(parse("1601-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("0000-01-01T00:00:00Z"), Some(0));
        for odd in [
            "",
            "Z",
            "2021-12-16T10:25:32",
            "2021-13-16T10:25:32Z",
            "2021-12-00T10:25:32Z",
            "2021-12-16T10:25:32.Z",
            "2021-12-16T10:25:32.1234567890Z",
            "2021-12-16T10:25:32x1Z",
            "2021-12-16T10:25:3\u{e9}Z",
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }
}
