//! One value with its two spellings: exact for scripts, comfortable for people.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::paint::Tone;
use super::sanitise;
use crate::domain::foreign::neutralise;
use crate::domain::{Amount, Money, State};

/// The most characters of foreign text that a terminal gets; off a terminal nothing is cut.
const FOREIGN_CHARACTERS_MAX: usize = 300;

/// What stands for nothing on a terminal.
const NOTHING_SHOWN: &str = "-";

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Exact, for scripts.
    pub plain: String,
    /// For people.
    pub shown: String,
    /// Whether others wrote it: then it is capped on a terminal, and neutralised in CSV.
    pub foreign: bool,
    /// How it looks in colour.
    pub tone: Tone,
}

impl Cell {
    /// A text of our own.
    pub fn text(text: impl Into<String>) -> Self {
        let plain = text.into();
        Self {
            shown: plain.clone(),
            plain,
            foreign: false,
            tone: Tone::Plain,
        }
    }

    /// A text that others wrote: names, messages, cells of a sheet.
    pub fn foreign(text: impl Into<String>) -> Self {
        Self {
            foreign: true,
            ..Self::text(text)
        }
    }

    /// Dinars with their decimals: `12503.75`, shown as `12 503.75`.
    pub fn money(money: Money) -> Self {
        Self::text(money.to_string()).shown_as(money.grouped())
    }

    /// Whole dinars: `10000`, shown as `10 000`.
    pub fn amount(amount: Amount) -> Self {
        Self::text(amount.dinars().to_string()).shown_as(amount.grouped())
    }

    /// A moment: RFC 3339 in UTC with milliseconds, shown in Algiers time to the second.
    pub fn time(moment: Timestamp) -> Self {
        Self::text(exact_time(moment)).shown_as(algiers_time(moment))
    }

    /// The word of a state, in the tone of how it ended.
    pub fn state(state: State) -> Self {
        let tone = match state {
            State::Fulfilled => Tone::Good,
            State::Refunded | State::Rejected | State::Conflict => Tone::Bad,
            State::Unknown | State::InReview => Tone::Warning,
            State::Planned | State::Cancelled | State::WrittenOff => Tone::Muted,
            State::Sending | State::Accepted => Tone::Plain,
        };
        Self::text(state.word()).tone(tone)
    }

    /// A count or another whole number.
    pub fn number(number: impl Into<u64>) -> Self {
        Self::text(number.into().to_string())
    }

    /// A count that people see where there is something to count: `0` for scripts.
    pub fn some(number: u64) -> Self {
        let cell = Self::number(number);
        if number == 0 {
            cell.shown_as(NOTHING_SHOWN).tone(Tone::Muted)
        } else {
            cell
        }
    }

    /// `yes` or `no`, and `true` or `false` for scripts.
    pub fn yes(yes: bool) -> Self {
        Self::text(yes.to_string()).shown_as(if yes { "yes" } else { "no" })
    }

    /// Nothing: an empty field for scripts, `-` for people.
    pub fn none() -> Self {
        Self::text("").shown_as(NOTHING_SHOWN).tone(Tone::Muted)
    }

    /// The cell of a value, or of nothing.
    pub fn maybe<T>(value: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        value.map_or_else(Self::none, make)
    }

    /// The same value in another spelling for people.
    #[must_use]
    pub fn shown_as(mut self, shown: impl Into<String>) -> Self {
        self.shown = shown.into();
        self
    }

    /// At most `characters_max` characters for people; scripts still get all of it.
    #[must_use]
    pub fn shortened(mut self, characters_max: usize) -> Self {
        self.shown = sanitise::cap(&sanitise::clean(&self.shown), characters_max);
        self
    }

    /// The same value in another tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Whether there is nothing in it.
    pub fn is_none(&self) -> bool {
        let is_nothing = self.plain.is_empty() || self.plain == "0";
        is_nothing && (self.shown.is_empty() || self.shown == NOTHING_SHOWN)
    }

    /// One clean line for a terminal, not yet isolated or painted: widths are measured on it.
    pub(super) fn for_people(&self) -> String {
        let cleaned = sanitise::clean(&self.shown).trim().to_owned();
        if cleaned.is_empty() {
            NOTHING_SHOWN.to_owned()
        } else if self.foreign {
            sanitise::cap(&cleaned, FOREIGN_CHARACTERS_MAX)
        } else {
            cleaned
        }
    }

    /// A field between tabs.
    pub(super) fn for_tabs(&self) -> String {
        sanitise::clean(&self.plain)
    }

    /// A field of CSV, not yet quoted.
    pub(super) fn for_csv(&self) -> String {
        let cleaned = sanitise::clean(&self.plain);
        if self.foreign {
            neutralise(&cleaned)
        } else {
            cleaned
        }
    }
}

/// RFC 3339 in UTC with milliseconds: how every time is spelt for scripts.
pub(super) fn exact_time(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

/// Algeria keeps UTC+1 all year, so no time zone database is needed.
fn algiers_time(moment: Timestamp) -> String {
    Offset::constant(1)
        .to_datetime(moment)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn money_and_amounts_are_exact_for_scripts_and_grouped_for_people() {
        let balance = Cell::money(money("12503.75"));
        assert_eq!(
            (balance.for_tabs(), balance.for_people()),
            ("12503.75".into(), "12 503.75".into())
        );
        let amount = Cell::amount(Amount::of(10_000).unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(
            (amount.for_csv(), amount.for_people()),
            ("10000".into(), "10 000".into())
        );
        let loss = Cell::money(money("-3.75"));
        assert_eq!(loss.for_csv(), "-3.75", "our own numbers stay numbers");
    }

    #[test]
    fn times_are_utc_for_scripts_and_algiers_for_people() {
        let moment: Timestamp = "2026-11-24T20:05:10.5Z".parse().unwrap_or_default();
        let cell = Cell::time(moment);
        assert_eq!(cell.for_tabs(), "2026-11-24T20:05:10.500Z");
        assert_eq!(cell.for_people(), "2026-11-24 21:05:10");
        let late: Timestamp = "2026-12-31T23:30:00Z".parse().unwrap_or_default();
        assert_eq!(Cell::time(late).for_people(), "2027-01-01 00:30:00");
    }

    #[test]
    fn nothing_is_a_dash_for_people_only() {
        let nothing = Cell::maybe(None, Cell::money);
        assert!(nothing.is_none());
        assert_eq!(
            (nothing.for_tabs(), nothing.for_people()),
            (String::new(), "-".into())
        );
        assert_eq!(Cell::foreign("\u{202e} ").for_people(), "-");
    }

    #[test]
    fn foreign_text_is_capped_for_people_only() {
        let long = Cell::foreign("é".repeat(1_000));
        assert_eq!(long.for_people().chars().count(), FOREIGN_CHARACTERS_MAX);
        assert_eq!(long.for_tabs().chars().count(), 1_000);
        assert_eq!(Cell::foreign("a\nbcdef").shortened(4).for_people(), "a b…");
    }

    #[test]
    fn foreign_text_can_break_no_field_and_run_no_formula() {
        let cell = Cell::foreign("=1+1\tx\n\u{1b}[2J");
        assert_eq!(cell.for_tabs(), "=1+1 x [2J");
        assert_eq!(cell.for_csv(), "'=1+1 x [2J");
    }
}
