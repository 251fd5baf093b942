//! Algerian mobile numbers: `0[567]` and eight digits (API page `2-validation`), read as people write them.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;

use super::cell::{self, CellNote};

/// An Algerian mobile number in the national form that the API takes: `0778037340`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phone(CompactString);

/// What was done to a number on the way in; told to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PhoneNote {
    /// `+213`, `00213` or `213` was turned into the leading zero.
    International,
    /// The trunk zero had been kept behind the country code.
    TrunkZero,
    /// The leading zero was missing and was put back: a repair.
    MissingZero,
    /// `tel:` or another word for telephone stood in front.
    Label,
    /// A comma, semicolon or dot stood behind.
    Punctuation,
    /// Foreign digits, invisible characters, text tricks.
    Cell(CellNote),
}

impl PhoneNote {
    /// Whether digits were added, not just rewritten: repairs are listed one by one.
    pub fn is_repair(self) -> bool {
        matches!(self, Self::MissingZero)
    }

    /// What was done, in words.
    pub fn why(self) -> &'static str {
        match self {
            Self::International => "the country code was replaced by the leading zero",
            Self::TrunkZero => "the zero behind the country code was kept once",
            Self::MissingZero => "the leading zero, which spreadsheets drop, was put back",
            Self::Label => "the word in front was left out",
            Self::Punctuation => "the mark behind the number was left out",
            Self::Cell(note) => note.why(),
        }
    }
}

/// A number and what was done to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneReading {
    /// The number.
    pub phone: Phone,
    /// What was done; empty for a number written plainly.
    pub notes: Vec<PhoneNote>,
}

/// Why a text is no mobile number. Each message says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Nothing there.
    #[error("the phone number is empty")]
    Empty,
    /// `2,13556E+11`: a spreadsheet has thrown digits away.
    #[error(
        "`{0}` is a number that a spreadsheet has shortened: digits are gone; format the column as text and enter the number again"
    )]
    DigitsLost(String),
    /// A decimal number, not a phone number.
    #[error("`{0}` looks like a decimal number; format the column as text and enter the number again")]
    Decimal(String),
    /// A day, a month and a year.
    #[error("`{0}` looks like a date, not a phone number")]
    Date(String),
    /// Marks in it turn its direction.
    #[error("`{0}` holds marks that show its digits in another order than they stand; type the number again")]
    Turned(String),
    /// Two numbers in one place.
    #[error("`{0}` holds more than one number; write one number to a row")]
    Several(String),
    /// A character that no phone number has.
    #[error("`{value}` has a `{found}` in it; a phone number has digits, spaces, dots and dashes")]
    Character {
        /// The text as it came.
        value: String,
        /// The first character that does not belong.
        found: char,
    },
    /// Not ten digits.
    #[error("`{value}` has {digits} digits; a mobile number has 10, as in `0778037340`")]
    Length {
        /// The text as it came.
        value: String,
        /// How many digits it has.
        digits: usize,
    },
    /// A country code that is not Algeria's.
    #[error("`{0}` is not an Algerian number; the country code is +213")]
    Foreign(String),
    /// 02, 03 and 04: fixed lines.
    #[error("`{0}` is a fixed line; mobile numbers begin with 05, 06 or 07")]
    FixedLine(String),
    /// Ten digits with another beginning.
    #[error("`{0}` is no mobile number; those begin with 05, 06 or 07")]
    NotMobile(String),
}

impl Phone {
    /// The ten digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a number as people and spreadsheets write it, and says what it had to do.
    pub fn read(raw: &str) -> Result<PhoneReading, PhoneError> {
        if is_plain(raw) {
            return Ok(PhoneReading {
                phone: Self(raw.into()),
                notes: Vec::new(),
            });
        }
        if cell::is_turned(raw) {
            return Err(PhoneError::Turned(cell::shown(raw)));
        }
        let cleaned = cell::clean(raw);
        let mut notes: Vec<_> = cleaned.notes.into_iter().map(PhoneNote::Cell).collect();
        let text = without_company(&cleaned.text, &mut notes);
        refuse_shapes(text, raw)?;
        let plus = text.trim_start_matches(['(', ' ']).starts_with('+');
        let digits = digits_of(text, raw)?;
        let national = national_form(&digits, plus, raw, &mut notes)?;
        let phone = mobile(national, raw)?;
        Ok(PhoneReading { phone, notes })
    }
}

/// The common case, for sheets of a million: nothing to clean, nothing to tell.
fn is_plain(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    bytes.len() == 10
        && bytes[0] == b'0'
        && matches!(bytes[1], b'5'..=b'7')
        && bytes.iter().all(u8::is_ascii_digit)
}

/// Words for a telephone that stand in front of a number; the longer first where one begins another.
const LABELS: &[&str] = &[
    "téléphone",
    "telephone",
    "portable",
    "mobile",
    "phone",
    "tél",
    "tel",
    "mob",
    "gsm",
    "الهاتف",
    "هاتف",
];

/// The number without a word in front (`tel:`) and marks behind (`0555123456,`), told where there were any.
fn without_company<'a>(text: &'a str, notes: &mut Vec<PhoneNote>) -> &'a str {
    let mut number = text;
    if let Some(rest) = LABELS.iter().find_map(|label| without_label(text, label)) {
        notes.push(PhoneNote::Label);
        number = rest;
    }
    let bare = number.trim_end_matches([',', ';', '.', ':', ' ']);
    if bare.len() < number.len() && bare.ends_with(|c: char| c.is_ascii_digit()) {
        notes.push(PhoneNote::Punctuation);
        number = bare;
    }
    number
}

fn without_label<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let head = text.get(..label.len())?;
    let rest = text[label.len()..].trim_start_matches(['.', ':', ' ']);
    (head.to_lowercase() == label && rest.starts_with(|c: char| c.is_ascii_digit() || "+(".contains(c)))
        .then_some(rest)
}

/// Refuses what must not be read as a number even though digits could be picked from it.
fn refuse_shapes(text: &str, raw: &str) -> Result<(), PhoneError> {
    if text.is_empty() {
        return Err(PhoneError::Empty);
    }
    let scientific = text.split_once(['e', 'E']).is_some_and(|(mantissa, exponent)| {
        let number =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || "+-.,".contains(c));
        number(mantissa) && number(exponent)
    });
    if scientific {
        return Err(PhoneError::DigitsLost(cell::shown(raw)));
    }
    if text.chars().filter(char::is_ascii_digit).count() >= 18 {
        return Err(PhoneError::Several(cell::shown(raw)));
    }
    if text.starts_with('-') && text.contains(|c: char| c.is_ascii_digit()) {
        return Err(PhoneError::Character {
            value: cell::shown(raw),
            found: '-',
        });
    }
    if is_date(text) {
        return Err(PhoneError::Date(cell::shown(raw)));
    }
    if is_decimal(text) {
        return Err(PhoneError::Decimal(cell::shown(raw)));
    }
    Ok(())
}

/// A day, a month and a year in front: `05-12-2026 14` has ten digits, and no phone number is grouped so.
fn is_date(text: &str) -> bool {
    let mut groups = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty());
    let mut next = |lengths: std::ops::RangeInclusive<usize>| {
        let group = groups.next().filter(|group| lengths.contains(&group.len()))?;
        group.parse::<u16>().ok()
    };
    let (Some(one), Some(other), Some(year)) = (next(1..=2), next(1..=2), next(4..=4)) else {
        return false;
    };
    let (day, month) = (one.max(other), one.min(other));
    (1..=31).contains(&day) && (1..=12).contains(&month) && (1900..=2100).contains(&year)
}

/// `05.55.12.34.56` is a spelling; `555123456.0`, `55512345,6` and `7780373.40` are what is left of a number cell.
fn is_decimal(text: &str) -> bool {
    let Some((whole, fraction)) = text.rsplit_once(['.', ',']) else {
        return false;
    };
    let is_lone = text.matches(['.', ',']).count() == 1;
    let is_zero = !fraction.is_empty() && fraction.chars().all(|c| c == '0');
    fraction.len() == 1 || (is_lone && (is_zero || whole.len() <= 1 || !is_grouping(whole, fraction)))
}

/// Whether a lone dot between these two sets groups apart, as in `0555.123456`, `+213.555123456`, `05 55 12 34.56`.
fn is_grouping(whole: &str, fraction: &str) -> bool {
    let head = whole.trim_start_matches(['(', ' ']);
    let is_international = head.starts_with('+') || head.starts_with("00");
    let group = whole
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    let is_one_group = group.len() + usize::from(head.starts_with('+')) == head.len();
    if !fraction.chars().all(|c| c.is_ascii_digit()) {
        return group.len() <= if is_international { 5 } else { 4 };
    }
    match (is_one_group, fraction.len()) {
        (true, 9 | 10) => is_international,
        (true, 6) => group.len() == 4 && head.starts_with('0'),
        (false, 2) => group.len() == 2 && (is_international || head.starts_with('0')),
        (false, 3 | 4 | 6) => group.len() <= 4 && (is_international || head.starts_with('0')),
        (true | false, _) => false,
    }
}

fn digits_of(text: &str, raw: &str) -> Result<String, PhoneError> {
    let mut digits = String::with_capacity(14);
    let mut is_start = true;
    for character in text.chars() {
        let was_start = is_start;
        is_start &= matches!(character, '(' | ' ');
        match character {
            '0'..='9' => digits.push(character),
            ' ' | '-' | '.' | '(' | ')' => {}
            '+' if was_start => {}
            found => {
                return Err(PhoneError::Character {
                    value: cell::shown(raw),
                    found,
                });
            }
        }
    }
    Ok(digits)
}

/// Turns every accepted spelling into digits that begin with zero, or leaves them for `mobile` to refuse.
fn national_form(
    digits: &str,
    plus: bool,
    raw: &str,
    notes: &mut Vec<PhoneNote>,
) -> Result<String, PhoneError> {
    let international = if plus {
        Some(
            digits
                .strip_prefix("213")
                .ok_or_else(|| PhoneError::Foreign(cell::shown(raw)))?,
        )
    } else if let Some(rest) = digits.strip_prefix("00") {
        Some(
            rest.strip_prefix("213")
                .ok_or_else(|| PhoneError::Foreign(cell::shown(raw)))?,
        )
    } else {
        digits
            .strip_prefix("213")
            .filter(|rest| rest.len() == 9 || (rest.len() == 10 && rest.starts_with('0')))
    };
    let Some(rest) = international else {
        if digits.len() == 9 && digits.starts_with(['5', '6', '7']) {
            notes.push(PhoneNote::MissingZero);
            return Ok(format!("0{digits}"));
        }
        return Ok(digits.to_owned());
    };
    notes.push(PhoneNote::International);
    if rest.starts_with('0') {
        notes.push(PhoneNote::TrunkZero);
        return Ok(rest.to_owned());
    }
    Ok(format!("0{rest}"))
}

fn mobile(national: String, raw: &str) -> Result<Phone, PhoneError> {
    let value = || cell::shown(raw);
    if national.is_empty() {
        return Err(PhoneError::Empty);
    }
    let second = national.chars().nth(1);
    let fixed = national.starts_with('0') && matches!(second, Some('2'..='4'));
    if fixed && matches!(national.len(), 9 | 10) {
        return Err(PhoneError::FixedLine(value()));
    }
    if national.len() != 10 {
        return Err(PhoneError::Length {
            value: value(),
            digits: national.len(),
        });
    }
    if national.starts_with('0') && matches!(second, Some('5'..='7')) {
        Ok(Phone(national.into()))
    } else {
        Err(PhoneError::NotMobile(value()))
    }
}

impl FromStr for Phone {
    type Err = PhoneError;

    /// Reads every accepted spelling, and forgets what was done.
    fn from_str(raw: &str) -> Result<Self, PhoneError> {
        Self::read(raw).map(|reading| reading.phone)
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests;
