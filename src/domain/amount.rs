//! Face values: whole dinars, read as people and spreadsheets write them.

use std::fmt;
use std::str::FromStr;

use super::cell::{self, CellNote};
use super::money::group_thousands;

/// A face value in whole dinars (DZD), from 1 to ten million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Amount(u32);

/// The largest face value accepted anywhere; the largest plan of the provider ends at 300 000.
const LARGEST: u32 = 10_000_000;

/// What was done to an amount on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AmountNote {
    /// `DA`, `DZD` or `دج` was left out.
    Currency,
    /// `,-` or `.-`, which says that there are no centimes, was left out.
    NoCentimes,
    /// Thousands were set apart by a mark that is never a decimal one: `1'000`, `1٬000`.
    Grouped,
    /// Foreign digits, invisible characters, text tricks.
    Cell(CellNote),
}

impl AmountNote {
    /// What was done, in words.
    pub fn why(self) -> &'static str {
        match self {
            Self::Currency => "the currency was left out",
            Self::NoCentimes => "the mark for no centimes was left out",
            Self::Grouped => "the marks between thousands were left out",
            Self::Cell(note) => note.why(),
        }
    }
}

/// An amount and what was done to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountReading {
    /// The amount.
    pub amount: Amount,
    /// What was done; empty for an amount written plainly.
    pub notes: Vec<AmountNote>,
}

/// Why a text is no amount. Each message says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Nothing there.
    #[error("the amount is empty")]
    Empty,
    /// Zero.
    #[error("the amount is 0; a top-up has at least 1 DZD")]
    Zero,
    /// Below zero.
    #[error("`{0}` is negative; an amount is a whole number of dinars above 0")]
    Negative(String),
    /// Marks in it turn its direction.
    #[error("`{0}` holds marks that show its digits in another order than they stand; type the amount again")]
    Turned(String),
    /// Cents.
    #[error("`{0}` has a fraction; amounts are whole dinars")]
    Fraction(String),
    /// `1.000` and `1,000`.
    #[error("`{value}` is ambiguous: {readings}")]
    Ambiguous {
        /// The text as it came.
        value: String,
        /// Both of its readings, and what to write.
        readings: String,
    },
    /// `5e2`.
    #[error("`{0}` is in scientific notation; write the amount in plain digits")]
    Scientific(String),
    /// More than any plan takes.
    #[error("`{0}` is more than any plan takes; the most is {max} DZD", max = LARGEST)]
    TooLarge(String),
    /// Anything else.
    #[error("`{0}` is no amount; write whole dinars in plain digits, as in `500`")]
    NotANumber(String),
}

impl Amount {
    /// So many dinars.
    pub fn of(dinars: u32) -> Result<Self, AmountError> {
        match dinars {
            0 => Err(AmountError::Zero),
            1..=LARGEST => Ok(Self(dinars)),
            _ => Err(AmountError::TooLarge(dinars.to_string())),
        }
    }

    /// The number of dinars.
    pub fn dinars(self) -> u32 {
        self.0
    }

    /// With groups of three, as people read it: `10 000`.
    pub fn grouped(self) -> String {
        group_thousands(&self.0.to_string())
    }

    /// Reads an amount as people and spreadsheets write it, and says what it had to do.
    pub fn read(raw: &str) -> Result<AmountReading, AmountError> {
        if let Some(dinars) = plain(raw) {
            let (amount, notes) = (Self::of(dinars)?, Vec::new());
            return Ok(AmountReading { amount, notes });
        }
        let told = || cell::shown(raw);
        // Two amounts, one above the other, must not become one.
        if raw.trim().contains(['\n', '\r', '\t']) {
            return Err(AmountError::NotANumber(told()));
        }
        if cell::is_turned(raw) {
            return Err(AmountError::Turned(told()));
        }
        let cleaned = cell::clean(raw);
        let has_hidden = cell::has_hidden(raw);
        // A no-break space between thousands is how French Excel writes; it is no oddity worth a note.
        let mut notes: Vec<_> = cleaned
            .notes
            .into_iter()
            .filter(|note| *note != CellNote::Invisible || has_hidden)
            .map(AmountNote::Cell)
            .collect();
        let number = without_company(&cleaned.text, &mut notes).replace('\u{066B}', ",");
        let digits = whole_digits(&number, raw, &mut notes)?;
        let dinars: u32 = match digits.trim_start_matches('0') {
            "" => 0,
            significant if significant.len() > 8 => return Err(AmountError::TooLarge(told())),
            significant => significant.parse().map_err(|_| AmountError::NotANumber(told()))?,
        };
        let amount = Self::of(dinars)?;
        Ok(AmountReading { amount, notes })
    }
}

/// The common case, for sheets of a million: digits alone, few enough to fit.
fn plain(raw: &str) -> Option<u32> {
    let fits = (1..=7).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| raw.parse().ok()).flatten()
}

/// Words for the dinar, in lower case; the longer first where one ends another.
const CURRENCY: &[&str] = &[
    "dinars algériens",
    "dinars algeriens",
    "dinars",
    "dinar",
    "dzd",
    "d.a.",
    "d.a",
    "da.",
    "da",
    "دينار جزائري",
    "دينار",
    "د.ج.",
    "د.ج",
    "دج",
];

/// The number without its currency, in front or behind, and without a mark for no centimes; told.
fn without_company<'a>(text: &'a str, notes: &mut Vec<AmountNote>) -> &'a str {
    let mut number = without_currency(text);
    if number.len() != text.len() {
        notes.push(AmountNote::Currency);
    }
    let bare = number.trim_end_matches('-');
    if let Some(whole) = bare.strip_suffix(['.', ','])
        && bare.len() < number.len()
        && whole.ends_with(|c: char| c.is_ascii_digit())
    {
        notes.push(AmountNote::NoCentimes);
        number = whole;
    }
    number
}

fn without_currency(text: &str) -> &str {
    let behind = |word: &&str| {
        let cut = text.len().checked_sub(word.len())?;
        (text.get(cut..)?.to_lowercase() == **word).then(|| text[..cut].trim_end())
    };
    let before = |word: &&str| {
        (text.get(..word.len())?.to_lowercase() == **word).then(|| text[word.len()..].trim_start())
    };
    let mut words = CURRENCY.iter();
    words
        .find_map(|word| behind(word).or_else(|| before(word)))
        .unwrap_or(text)
}

/// The digits of a whole number, or why it is none.
fn whole_digits(number: &str, raw: &str, notes: &mut Vec<AmountNote>) -> Result<String, AmountError> {
    let told = || cell::shown(raw);
    if number.is_empty() {
        return Err(AmountError::Empty);
    }
    // Bookkeepers write `(500)`, and some machines `500-`.
    let in_brackets = number.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let negative = number.strip_prefix('-').or_else(|| number.strip_suffix('-'));
    if let Some(rest) = negative.or(in_brackets) {
        let numeric = rest.contains(|c: char| c.is_ascii_digit())
            && rest.chars().all(|c| c.is_ascii_digit() || " .,".contains(c));
        return Err(if numeric {
            AmountError::Negative(told())
        } else {
            AmountError::NotANumber(told())
        });
    }
    let scientific = number.split_once(['e', 'E']).is_some_and(|(mantissa, exponent)| {
        mantissa.starts_with(|c: char| c.is_ascii_digit())
            && exponent
                .trim_start_matches(['+', '-'])
                .chars()
                .all(|c| c.is_ascii_digit())
    });
    if scientific {
        return Err(AmountError::Scientific(told()));
    }
    let (whole, fraction) = match number.rsplit_once(['.', ',']) {
        None => (number, ""),
        Some(parts) => parts,
    };
    let (whole, mark) = joined_groups(whole).ok_or_else(|| AmountError::NotANumber(told()))?;
    if mark.is_some_and(|mark| mark != ' ') {
        notes.push(AmountNote::Grouped);
    }
    match fraction {
        "" if number.ends_with(['.', ',']) => Err(AmountError::NotANumber(told())),
        "" | "0" | "00" => Ok(whole),
        _ if !fraction.chars().all(|c| c.is_ascii_digit()) => Err(AmountError::NotANumber(told())),
        _ if fraction.len() == 3 => Err(ambiguous(&whole, fraction, told())),
        _ => Err(AmountError::Fraction(told())),
    }
}

/// `1.000` may be a thousand or one; of `1.250` the other reading is no amount.
fn ambiguous(whole: &str, fraction: &str, value: String) -> AmountError {
    let significant = |digits: &str| match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    };
    let (low, high) = (significant(whole), significant(&format!("{whole}{fraction}")));
    let readings = match (low.as_str(), fraction) {
        ("0", "000") => return AmountError::Zero,
        (_, "000") => format!("{high} or {low}? write `{high}` or `{low}`"),
        _ => format!("{high} or {low},{fraction}? write `{high}` if that is meant; amounts are whole dinars"),
    };
    AmountError::Ambiguous { value, readings }
}

/// What may stand between thousands and is never a decimal mark.
const GROUP_MARKS: [char; 4] = [' ', '\'', '\u{2019}', '\u{066C}'];

/// `1 000` is one thousand: groups of three behind the first, one and the same mark between. Anything else is
/// refused.
fn joined_groups(whole: &str) -> Option<(String, Option<char>)> {
    let mark = whole.chars().find(|c| GROUP_MARKS.contains(c));
    let mut groups = whole.split(mark.unwrap_or(' '));
    let first = groups.next()?;
    let all_digits = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(first) {
        return None;
    }
    let mut joined = first.to_owned();
    for group in groups {
        if first.len() > 3 || group.len() != 3 || !all_digits(group) {
            return None;
        }
        joined.push_str(group);
    }
    Some((joined, mark))
}

impl FromStr for Amount {
    type Err = AmountError;

    /// Reads every accepted spelling, and forgets what was done.
    fn from_str(raw: &str) -> Result<Self, AmountError> {
        Self::read(raw).map(|reading| reading.amount)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.to_string())
    }
}

#[cfg(test)]
mod tests;
