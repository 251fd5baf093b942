//! The kinds of value that only the configuration has: output form, colour, pace, caps.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

use super::keys;

/// A text that is no value of its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not understood; expected {expected}", given.escape_debug())]
pub struct ValueError {
    /// What was written.
    pub given: String,
    /// What a value looks like.
    pub expected: &'static str,
}

impl ValueError {
    fn of(given: &str, key: keys::Key) -> Self {
        Self {
            given: given.to_owned(),
            expected: key.expects,
        }
    }
}

/// The form of what is printed (`-o`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputFormat {
    /// For people; tab-separated off a terminal.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// For spreadsheets.
    Csv,
}

impl OutputFormat {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Table, Self::Json, Self::Jsonl, Self::Csv];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl FromStr for OutputFormat {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::ALL
            .into_iter()
            .find(|format| text.trim().eq_ignore_ascii_case(format.word()))
            .ok_or_else(|| ValueError::of(text, keys::OUTPUT))
    }
}

/// Whether to use colours (`--color`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColorChoice {
    /// On a terminal, unless its user asked for none.
    Auto,
    /// Also off a terminal.
    Always,
    /// Not at all.
    Never,
}

impl ColorChoice {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for ColorChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl FromStr for ColorChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::ALL
            .into_iter()
            .find(|choice| text.trim().eq_ignore_ascii_case(choice.word()))
            .ok_or_else(|| ValueError::of(text, keys::COLOR))
    }
}

/// How many requests a minute may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// What the provider allows: 60 in the sandbox, 120 in production.
    Auto,
    /// So many.
    PerMinute(NonZeroU32),
    /// As many as the provider answers.
    Unlimited,
}

/// The highest number that `rate` takes; above it, `unlimited` says the same more honestly.
const RATE_MAX: u32 = 1_000_000;

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.pad("auto"),
            Self::PerMinute(requests) => formatter.pad(&requests.to_string()),
            Self::Unlimited => formatter.pad("unlimited"),
        }
    }
}

impl FromStr for Rate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "unlimited" => Ok(Self::Unlimited),
            number => number
                .parse()
                .ok()
                .filter(|requests: &NonZeroU32| requests.get() <= RATE_MAX)
                .map(Self::PerMinute)
                .ok_or_else(|| ValueError::of(text, keys::RATE)),
        }
    }
}

/// How many requests may be on the way at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Concurrency {
    /// What suits the pace.
    Auto,
    /// So many.
    Fixed(NonZeroU16),
}

/// More than this many connections to one host help nobody.
const CONCURRENCY_MAX: u16 = 256;

impl fmt::Display for Concurrency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.pad("auto"),
            Self::Fixed(requests) => formatter.pad(&requests.to_string()),
        }
    }
}

impl FromStr for Concurrency {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            number => number
                .parse()
                .ok()
                .filter(|requests: &NonZeroU16| requests.get() <= CONCURRENCY_MAX)
                .map(Self::Fixed)
                .ok_or_else(|| ValueError::of(text, keys::CONCURRENCY)),
        }
    }
}

/// A limit on the face value of many top-ups together, in whole dinars: 1 to a thousand billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cap(u64);

const CAP_MAX: u64 = 1_000_000_000_000;

impl Cap {
    /// The number of dinars.
    pub fn dinars(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.to_string())
    }
}

impl FromStr for Cap {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.trim()
            .parse()
            .ok()
            .filter(|dinars| (1..=CAP_MAX).contains(dinars))
            .map(Self)
            .ok_or_else(|| ValueError::of(text, keys::MAX_PER_DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads<T: FromStr + fmt::Display>(text: &str, again: &str) {
        let value = text
            .parse::<T>()
            .ok()
            .map_or_else(String::new, |value| value.to_string());
        assert_eq!(value, again, "{text:?}");
    }

    #[test]
    fn words_and_numbers_are_read_and_written_back() {
        for format in OutputFormat::ALL {
            reads::<OutputFormat>(format.word(), format.word());
        }
        for choice in ColorChoice::ALL {
            reads::<ColorChoice>(choice.word(), choice.word());
        }
        reads::<OutputFormat>(" JSON ", "json");
        for text in ["auto", "unlimited", "1", "120", "1000000"] {
            reads::<Rate>(text, text);
        }
        for text in ["auto", "1", "256"] {
            reads::<Concurrency>(text, text);
        }
        reads::<Cap>("1000000000000", "1000000000000");
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in ["", "0", "-1", "1.5", "1e3", "fast", "1000001", "4294967296"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for text in ["", "0", "257", "65536", "unlimited"] {
            assert!(text.parse::<Concurrency>().is_err(), "{text}");
        }
        for text in ["", "0", "-5", "10.5", "1000000000001", "none"] {
            assert!(text.parse::<Cap>().is_err(), "{text}");
        }
        assert!("yaml".parse::<OutputFormat>().is_err());
        assert!("yes".parse::<ColorChoice>().is_err());
    }

    #[test]
    fn a_refusal_says_what_is_expected() {
        let error = "yaml"
            .parse::<OutputFormat>()
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some("`yaml` is not understood; expected `table`, `json`, `jsonl` or `csv`")
        );
    }
}
