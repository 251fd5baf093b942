//! Foreign text made harmless: plan names, provider messages and cells of sheets may hold anything.
//!
//! Control characters can drive a terminal, direction characters can make one order look like another, line
//! breaks can forge lines of our own, and a spreadsheet runs what looks like a formula.

/// `text` on one line: line breaks and tabs become a space, control and direction characters are left out.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        if is_break(character) {
            if !cleaned.ends_with(' ') {
                cleaned.push(' ');
            }
        } else if !is_dangerous(character) {
            cleaned.push(character);
        }
    }
    cleaned
}

/// Whether a character must not reach a terminal, or a field of a line: C0, C1, and what turns the direction.
pub fn is_dangerous(character: char) -> bool {
    character.is_control() || is_direction(character)
}

/// Whether a spreadsheet would run the cell instead of showing it. Spreadsheets in East Asian languages take the
/// wide signs too; a tab or a line end in front is a way round guards that look at the first character only.
pub fn is_formula(text: &str) -> bool {
    text.trim_start().starts_with(FORMULA_SIGNS)
        || text.trim_start_matches(' ').starts_with(['\t', '\r', '\n'])
}

/// What a formula begins with.
pub const FORMULA_SIGNS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Text that a spreadsheet would run as a formula gets an apostrophe in front.
pub fn neutralise(text: &str) -> String {
    if is_formula(text) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn is_direction(character: char) -> bool {
    matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{feff}'
    )
}

fn is_break(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_left_out() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m"), "[31mred[0m");
        assert_eq!(clean("title \u{1b}]0;x\u{7}"), "title ]0;x");
        assert_eq!(clean("c1 \u{9b}2J \u{7f}\u{0}"), "c1 2J ");
    }

    #[test]
    fn what_turns_the_direction_is_left_out() {
        assert_eq!(
            clean("0778\u{202e}0437\u{2066}\u{200f}\u{61c}\u{feff}"),
            "07780437"
        );
    }

    #[test]
    fn breaks_become_one_space() {
        assert_eq!(clean("a\r\nb\tc\u{2028}d\u{85}e"), "a b c d e");
    }

    #[test]
    fn letters_of_every_script_stay() {
        for text in ["رصيد غير كاف", "Forfait été 50 Go", "می‌خواهم", "👨‍👩‍👧"]
        {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn formulas_are_neutralised() {
        assert_eq!(neutralise("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(neutralise(" @SUM(1)"), "' @SUM(1)");
        assert_eq!(neutralise("\u{a0}\u{ff1d}1"), "'\u{a0}\u{ff1d}1");
        assert_eq!(neutralise(" \tx"), "' \tx");
        for harmless in ["500 - 3", "a=1", "'=1", "", "  x"] {
            assert_eq!(neutralise(harmless), harmless);
        }
    }
}
