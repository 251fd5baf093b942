//! Foreign text on a terminal: one line where a line is meant, right-to-left letters kept in their place, not too
//! long. What is dangerous in it and what a formula is stands in `domain::foreign`, for files too.

pub use crate::domain::foreign::clean;

/// Opens an isolate whose direction is that of its first letter (FSI).
const FIRST_STRONG_ISOLATE: char = '\u{2068}';
/// Closes it (PDI).
const POP_ISOLATE: char = '\u{2069}';

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
    fn lines_stay_lines_and_empty_ones_go() {
        assert_eq!(clean_lines("a\n\n\u{1b}\nb\t\n"), ["a", "b"]);
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
