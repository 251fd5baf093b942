//! Moments as operators write them, in Algiers time: UTC+1 the whole year, without daylight saving.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use super::Span;

/// A day.
const DAY: Duration = Duration::from_hours(24);

/// A moment, or how to find it from now: `2026-11-24`, `2026-11-24T08:00:00+01:00`, `today`, `yesterday`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// An exact moment.
    At(Timestamp),
    /// The beginning of a day in Algiers.
    Day(Date),
    /// The beginning of today, or of so many days before.
    DaysBack(u8),
    /// So long ago.
    Ago(Span),
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no moment; write a day as `2026-11-24`, an exact time as `2026-11-24T08:00:00+01:00`, `today`, `yesterday`, or how long ago, as in `12h` or `7d`"
)]
pub struct WhenError(pub String);

impl When {
    /// The moment itself.
    pub fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Day(day) => day
                .to_zoned_datetime(algiers())
                .map_or(Timestamp::MIN, |zoned| zoned.timestamp()),
            Self::DaysBack(days) => start_of_day(back(now, DAY * u32::from(days))),
            Self::Ago(span) => back(now, span.duration()),
        }
    }

    /// The moment that a range up to this one ends at: a day counts whole.
    pub fn end(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day(_) | Self::DaysBack(_) => {
                self.moment(now).saturating_add(DAY).unwrap_or(Timestamp::MAX)
            }
            Self::At(_) | Self::Ago(_) => self.moment(now),
        }
    }
}

fn back(moment: Timestamp, by: Duration) -> Timestamp {
    moment.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

pub(super) fn algiers() -> TimeZone {
    TimeZone::fixed(Offset::constant(1))
}

/// When the day of a moment began in Algiers.
pub fn start_of_day(moment: Timestamp) -> Timestamp {
    moment
        .to_zoned_datetime(algiers())
        .start_of_day()
        .map_or(moment, |zoned| zoned.timestamp())
}

/// A moment as people in Algiers read it: `2026-11-24 21:05`.
pub fn in_algiers(moment: Timestamp) -> String {
    moment
        .to_zoned_datetime(algiers())
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

/// The day of a moment in Algiers: `2026-11-24`.
pub fn day_in_algiers(moment: Timestamp) -> String {
    moment
        .to_zoned_datetime(algiers())
        .strftime("%Y-%m-%d")
        .to_string()
}

impl FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        let trimmed = text.trim();
        match trimmed.to_ascii_lowercase().as_str() {
            "today" => return Ok(Self::DaysBack(0)),
            "yesterday" => return Ok(Self::DaysBack(1)),
            _ => {}
        }
        if let Ok(span) = trimmed.parse() {
            return Ok(Self::Ago(span));
        }
        if let Ok(moment) = trimmed.parse() {
            return Ok(Self::At(moment));
        }
        let is_date = trimmed.len() == 10;
        trimmed
            .parse()
            .ok()
            .filter(|_| is_date)
            .map(Self::Day)
            .ok_or_else(|| WhenError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn moments_are_read_in_algiers_time() {
        // Half past midnight in Algiers is still the day before in UTC.
        let now = moment("2026-11-23T23:30:00Z");
        for (text, start, end) in [
            ("today", "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
            ("yesterday", "2026-11-22T23:00:00Z", "2026-11-23T23:00:00Z"),
            ("2026-11-01", "2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z"),
            (
                "2026-11-01T08:00:00+01:00",
                "2026-11-01T07:00:00Z",
                "2026-11-01T07:00:00Z",
            ),
            ("12h", "2026-11-23T11:30:00Z", "2026-11-23T11:30:00Z"),
        ] {
            let when: When = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(when.moment(now), moment(start), "{text}");
            assert_eq!(when.end(now), moment(end), "{text}");
        }
        assert_eq!(in_algiers(now), "2026-11-24 00:30");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "soon", "2026-13-01", "24/11/2026", "2026-11-24T08:00"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
