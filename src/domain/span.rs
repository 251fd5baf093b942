//! Lengths of time as the configuration spells them: `100ms`, `5s`, `15m`, `12h`, `2d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest length accepted: a year. Anything longer is a slip of the keyboard.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// A length of time that remembers nothing of its spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span(Duration);

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no length of time; write a whole number and a unit, as in `100ms`, `5s`, `15m`, `12h` or `2d`"
)]
pub struct SpanError(pub String);

impl Span {
    /// So many milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError(text.to_owned());
        let trimmed = text.trim();
        let unit_at = trimmed
            .find(|character: char| !character.is_ascii_digit())
            .ok_or_else(wrong)?;
        let (digits, unit) = trimmed.split_at(unit_at);
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        let milliseconds: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let span = Duration::from_millis(count.checked_mul(milliseconds).ok_or_else(wrong)?);
        if span > LONGEST {
            Err(wrong())
        } else {
            Ok(Self(span))
        }
    }
}

impl fmt::Display for Span {
    /// The shortest exact spelling: `1500ms`, `5s`, `12h`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let (count, unit) = match milliseconds {
            0 => (0, "s"),
            whole if whole % 3_600_000 == 0 => (whole / 3_600_000, "h"),
            whole if whole % 60_000 == 0 => (whole / 60_000, "m"),
            whole if whole % 1_000 == 0 => (whole / 1_000, "s"),
            fraction => (fraction, "ms"),
        };
        formatter.pad(&format!("{count}{unit}"))
    }
}

/// A length of time as people say it, by its greatest unit: `40 s`, `12 min`, `3 h`, `2 days`. Rounded down.
pub fn in_words(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_read_and_written_back() {
        for (text, milliseconds, again) in [
            ("100ms", 100, "100ms"),
            ("1500ms", 1_500, "1500ms"),
            ("5s", 5_000, "5s"),
            (" 90 s ", 90_000, "90s"),
            ("60s", 60_000, "1m"),
            ("15m", 900_000, "15m"),
            ("12h", 43_200_000, "12h"),
            ("2d", 172_800_000, "48h"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(span, Span::from_millis(milliseconds), "{text}");
            assert_eq!(span.to_string(), again, "{text}");
        }
    }

    #[test]
    fn people_hear_the_greatest_unit() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "1.5s",
            "5 parsecs",
            "99999999999999999999s",
            "400d",
            "18446744073709551615h",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
