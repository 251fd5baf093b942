//! The stretch of time that a report closes: a day, a month or a range, in Algiers time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::when::algiers;
use super::{When, in_algiers};

/// A month of the calendar, written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// Its first day.
    first: Date,
    /// The first day of the one behind it.
    next: Date,
}

/// A text that is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no month; write it as `2026-11`")]
pub struct MonthError(pub String);

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let read = || {
            let (year, month) = text.trim().split_once('-')?;
            let are_digits = year.len() == 4 && month.len() == 2;
            let (year, month) = (year.parse::<i16>().ok()?, month.parse::<i8>().ok()?);
            let first = Date::new(year, month, 1).ok().filter(|_| are_digits)?;
            let next = first.last_of_month().tomorrow().ok()?;
            Some(Self { first, next })
        };
        read().ok_or_else(|| MonthError(text.to_owned()))
    }
}

/// From a moment up to another, which is not part of it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment of it.
    pub from: Timestamp,
    /// The first moment behind it.
    pub to: Timestamp,
}

impl Period {
    /// The day that `when` names.
    pub fn day(when: When, now: Timestamp) -> Self {
        Self {
            from: when.moment(now),
            to: when.end(now),
        }
    }

    /// All of a month.
    pub fn month(month: Month) -> Self {
        Self {
            from: start(month.first),
            to: start(month.next),
        }
    }

    /// From `since`, or the very beginning, up to the end of `until`, or now.
    pub fn between(since: Option<When>, until: Option<When>, now: Timestamp) -> Self {
        Self {
            from: since.map_or(Timestamp::UNIX_EPOCH, |when| when.moment(now)),
            to: until.map_or(now, |when| when.end(now)),
        }
    }

    /// How long it is; nothing where it ends before it begins.
    pub fn length(self) -> Duration {
        Duration::try_from(self.to.duration_since(self.from)).unwrap_or(Duration::ZERO)
    }

    /// Whether it is one day, or a part of one.
    pub fn is_a_day(self) -> bool {
        self.length() <= Duration::from_hours(24)
    }
}

impl fmt::Display for Period {
    /// `2026-11-25`, `2026-11`, or from when to when.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (in_algiers(self.from), in_algiers(self.to));
        let is_whole = from.ends_with("00:00") && to.ends_with("00:00");
        let day = from.get(..10).unwrap_or_default();
        let month = day.get(..7).unwrap_or_default();
        if is_whole && self.length() == Duration::from_hours(24) {
            return formatter.pad(day);
        }
        if month.parse().is_ok_and(|month| Self::month(month) == *self) {
            return formatter.pad(month);
        }
        if self.from == Timestamp::UNIX_EPOCH {
            return write!(formatter, "up to {to}");
        }
        write!(formatter, "{from} to {to}")
    }
}

/// When a day begins in Algiers.
fn start(day: Date) -> Timestamp {
    day.to_zoned_datetime(algiers())
        .map_or(Timestamp::MIN, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn when(text: &str) -> When {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn month(text: &str) -> Period {
        Period::month(text.parse().unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn days_and_months_begin_at_midnight_in_algiers() {
        let now = moment("2026-11-24T23:30:00Z");
        let today = Period::day(When::DaysBack(0), now);
        assert_eq!(today.from, moment("2026-11-24T23:00:00Z"));
        assert_eq!(today.to, moment("2026-11-25T23:00:00Z"));
        assert_eq!(month("2026-11").from, moment("2026-10-31T23:00:00Z"));
        assert_eq!(month("2026-11").to, moment("2026-11-30T23:00:00Z"));
        assert_eq!(month("2026-12").to, moment("2026-12-31T23:00:00Z"));
        assert_eq!(month("2028-02").length(), Duration::from_hours(29 * 24));
    }

    #[test]
    fn a_range_takes_its_last_day_whole() {
        let now = moment("2026-11-24T12:00:00Z");
        let range = Period::between(Some(when("2026-11-01")), Some(when("2026-11-15")), now);
        assert_eq!(range.to, moment("2026-11-15T23:00:00Z"));
        assert_eq!(Period::between(Some(when("2026-11-01")), None, now).to, now);
        let backwards = Period::between(Some(when("2026-11-15")), Some(when("2026-11-01")), now);
        assert_eq!(backwards.length(), Duration::ZERO);
    }

    #[test]
    fn a_period_is_named_as_people_name_it() {
        let now = moment("2026-11-24T12:00:00Z");
        let named = |since, until| Period::between(since, until, now).to_string();
        assert_eq!(Period::day(When::DaysBack(1), now).to_string(), "2026-11-23");
        assert_eq!(month("2026-11").to_string(), "2026-11");
        assert_eq!(
            named(Some(when("2026-11-01")), Some(when("2026-11-02"))),
            "2026-11-01 00:00 to 2026-11-03 00:00"
        );
        assert_eq!(named(None, None), "up to 2026-11-24 13:00");
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "11-2026",
            "2026-11-01",
            "-026-11",
        ] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
