//! JSON text: indented or on one line, and safe to look at.

use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::foreign::is_dangerous;

/// Indented by two spaces, ending in a line break.
pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// On one line, ending in a line break.
pub(super) fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// The same JSON with C1, DEL and direction characters as `\uXXXX`. Those can stand only inside strings, and
/// JSON itself has already escaped C0.
pub(super) fn escape_invisible(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && is_dangerous(character) {
            // Writing to a String can't fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_is_the_same_json() {
        let value = serde_json::json!({"a": "x\u{202e}y\u{9b}z\u{1b}\u{feff}\n\u{7f}", "b": [1, "عرض"]});
        for text in [pretty(&value), line(&value)] {
            let safe = escape_invisible(&text);
            assert_eq!(serde_json::from_str::<Value>(&safe).ok(), Some(value.clone()));
            assert!(safe.contains(r"x\u202ey\u009bz\u001b\ufeff\n\u007f"), "{safe}");
            assert!(safe.contains("عرض"));
        }
    }

    #[test]
    fn numbers_keep_every_digit() {
        let value: Value = serde_json::from_str("12503.750000000000000001").unwrap_or_default();
        assert_eq!(line(&value), "12503.750000000000000001\n");
    }
}
