//! Foreign text made harmless: plan names, provider messages and cells of sheets may hold anything.
//!
//! Control characters can drive a terminal, direction characters can make one order look like another, and
//! line breaks can forge lines of our own.

/// Opens an isolate whose direction is that of its first letter (FSI).
const FIRST_STRONG_ISOLATE: char = '\u{2068}';
/// Closes it (PDI).
const POP_ISOLATE: char = '\u{2069}';

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

/// Each line of `text`, clean; empty ones are left out.
pub(super) fn clean_lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| clean(line).trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// `text`, isolated if it holds right-to-left letters: what stands beside it keeps its place on the line.
pub fn isolate(text: &str) -> String {
    if text.chars().any(is_right_to_left) {
        format!("{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}")
    } else {
        text.to_owned()
    }
}

/// The first `characters_max` characters of `text`, the last one `…` if some were cut.
pub(super) fn cap(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters_max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Whether a character must not reach a terminal, or a field of a line: C0, C1, and what turns the direction.
pub(super) fn is_dangerous(character: char) -> bool {
    character.is_control() || is_direction(character)
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

fn is_right_to_left(character: char) -> bool {
    matches!(
        character,
        '\u{0590}'..='\u{08ff}'
            | '\u{fb1d}'..='\u{fdff}'
            | '\u{fe70}'..='\u{fefc}'
            | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}'
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
        assert_eq!(clean_lines("a\n\n\u{1b}\nb\t\n"), ["a", "b"]);
    }

    #[test]
    fn letters_of_every_script_stay() {
        for text in ["رصيد غير كاف", "Forfait été 50 Go", "می‌خواهم", "👨‍👩‍👧"]
        {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn only_right_to_left_text_is_isolated() {
        assert_eq!(isolate("Djezzy"), "Djezzy");
        assert_eq!(isolate("عرض 100"), "\u{2068}عرض 100\u{2069}");
    }

    #[test]
    fn long_text_is_capped_by_characters() {
        assert_eq!(cap("دينار", 5), "دينار");
        assert_eq!(cap("ab cdef", 4), "ab…");
        assert_eq!(cap("abcdef", 4), "abc…");
    }
}
