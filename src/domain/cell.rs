//! What spreadsheets and keyboards do to a value before it means anything: foreign digits, invisible
//! characters, Excel's text tricks. Shared by phone numbers, amounts and the other cells of a sheet.

/// How much of a foreign text a message shows.
const SHOWN_MAX: usize = 60;

/// Something that was cleaned away and is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CellNote {
    /// Arabic-Indic, Persian or full-width digits were read as 0 to 9.
    ForeignDigits,
    /// Direction marks, zero-width or no-break characters were left out.
    Invisible,
    /// `="…"`, quotes or a leading apostrophe: ways to say that a cell is text.
    TextTrick,
}

impl CellNote {
    /// What was done, in words.
    pub fn why(self) -> &'static str {
        match self {
            Self::ForeignDigits => "foreign digits were read as 0 to 9",
            Self::Invisible => "invisible characters were left out",
            Self::TextTrick => "the quotes or the apostrophe around the text were left out",
        }
    }
}

/// A foreign text as a message shows it: trimmed, unseen characters escaped, at most 60 characters of it.
pub fn shown(raw: &str) -> String {
    let mut shown = String::new();
    for (count, character) in raw.trim().chars().enumerate() {
        if count == SHOWN_MAX {
            shown.push('…');
            break;
        }
        if character.is_control() || matches!(plain(character), Plain::Nothing) || is_line_break(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_line_break(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether marks in a value make it be seen in another order than it stands. An override always does; where the
/// direction is right to left, groups of digits change places, and a number in one piece does not.
pub fn is_turned(raw: &str) -> bool {
    raw.contains(['\u{202D}', '\u{202E}'])
        || (raw.contains(['\u{202B}', '\u{2067}']) && digit_groups(raw) > 1)
}

fn digit_groups(raw: &str) -> usize {
    let seen: String = raw
        .chars()
        .filter(|character| !matches!(plain(*character), Plain::Nothing))
        .collect();
    let groups = seen.split(|character: char| !character.is_numeric());
    groups.filter(|group| !group.is_empty()).count()
}

/// Whether characters that take no room stand in a value; spaces of any kind do.
pub(super) fn has_hidden(raw: &str) -> bool {
    raw.chars()
        .any(|character| matches!(plain(character), Plain::Nothing))
}

/// The text of a cell that is no number, such as a code: tricks undone and told, its digits left alone.
pub fn as_text(raw: &str) -> (&str, Option<CellNote>) {
    let trimmed = raw.trim();
    let inner = without_text_trick(trimmed).trim();
    (
        inner,
        (inner.len() != trimmed.len()).then_some(CellNote::TextTrick),
    )
}

/// A value with the tricks undone: digits are ASCII, every space is U+0020, dashes are `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub text: String,
    pub notes: Vec<CellNote>,
}

/// Undoes the tricks. Whatever it does not know stays as it is, for the parser to refuse.
pub(super) fn clean(raw: &str) -> Cleaned {
    let mut notes = Vec::new();
    let mut text = String::with_capacity(raw.len());
    for character in raw.chars() {
        match plain(character) {
            Plain::Same(kept) => text.push(kept),
            Plain::Digit(digit) => {
                notes.push(CellNote::ForeignDigits);
                text.push(digit);
            }
            Plain::Space => {
                notes.push(CellNote::Invisible);
                text.push(' ');
            }
            Plain::Nothing => notes.push(CellNote::Invisible),
        }
    }
    let trimmed = text.trim();
    let inner = without_text_trick(trimmed);
    if inner.len() != trimmed.len() {
        notes.push(CellNote::TextTrick);
    }
    notes.sort_unstable();
    notes.dedup();
    Cleaned {
        text: inner.trim().to_owned(),
        notes,
    }
}

enum Plain {
    Same(char),
    Digit(char),
    Space,
    Nothing,
}

fn plain(character: char) -> Plain {
    match character {
        '\u{0660}'..='\u{0669}' => digit(character, '\u{0660}'),
        '\u{06F0}'..='\u{06F9}' => digit(character, '\u{06F0}'),
        '\u{FF10}'..='\u{FF19}' => digit(character, '\u{FF10}'),
        '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Plain::Space,
        '\u{00AD}'
        | '\u{061C}'
        | '\u{180E}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}' => Plain::Nothing,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}' => Plain::Same('-'),
        '\u{FF0B}' => Plain::Same('+'),
        '\t' | '\n' | '\r' => Plain::Same(' '),
        other => Plain::Same(other),
    }
}

fn digit(character: char, zero: char) -> Plain {
    let value = u32::from(character) - u32::from(zero);
    Plain::Digit(char::from_digit(value, 10).unwrap_or(character))
}

fn without_text_trick(text: &str) -> &str {
    let around = |open: &str, close: char| text.strip_prefix(open)?.strip_suffix(close);
    around("=\"", '"')
        .or_else(|| around("\"", '"'))
        .or_else(|| around("'", '\''))
        .or_else(|| text.strip_prefix(['\'', '\u{2018}', '\u{2019}']))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_are_undone_and_told() {
        for (raw, text, notes) in [
            ("0555", "0555", vec![]),
            ("=\"0555\"", "0555", vec![CellNote::TextTrick]),
            ("'0555", "0555", vec![CellNote::TextTrick]),
            ("\u{2019}0555", "0555", vec![CellNote::TextTrick]),
            ("'0555'", "0555", vec![CellNote::TextTrick]),
            ("\"0555\"", "0555", vec![CellNote::TextTrick]),
            ("\"", "\"", vec![]),
            ("=\"0555", "=\"0555", vec![]),
            ("٠٥٥٥", "0555", vec![CellNote::ForeignDigits]),
            ("۰۵۵۵", "0555", vec![CellNote::ForeignDigits]),
            ("\u{200f}0555\u{200b}", "0555", vec![CellNote::Invisible]),
            ("05\u{a0}55", "05 55", vec![CellNote::Invisible]),
            ("05\u{2011}55", "05-55", vec![]),
            ("=HYPERLINK(1)", "=HYPERLINK(1)", vec![]),
        ] {
            assert_eq!(
                clean(raw),
                Cleaned {
                    text: text.to_owned(),
                    notes
                },
                "{raw:?}"
            );
        }
    }

    #[test]
    fn what_a_message_shows_is_short_and_seen() {
        assert_eq!(shown(" a\u{202e}b\nc\u{0}d "), "a\\u{202e}b\\u{a}c\\u{0}d");
        assert_eq!(shown("رقم é"), "رقم é");
        assert_eq!(shown(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
        assert_eq!(shown(&"x".repeat(60)), "x".repeat(60));
    }

    #[test]
    fn a_text_keeps_its_digits() {
        assert_eq!(as_text(" PLAN_٥ "), ("PLAN_٥", None));
        assert_eq!(as_text("=\"007\""), ("007", Some(CellNote::TextTrick)));
    }
}
