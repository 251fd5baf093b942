//! How sentences and errors look on stderr.

use super::aim::Aim;
use super::paint::{Label, Paint};
use super::sanitise::{clean_lines, isolate};
use crate::error::Error;

/// `label text`, clean; further lines of the text are indented, so that they can't pass for lines of ours.
pub(super) fn labelled(label: Label, prefix: &str, text: &str, paint: Paint) -> String {
    let margin = format!("\n{:1$}", "", prefix.chars().count() + 1);
    let isolated = |line: String| if paint.isolates { isolate(&line) } else { line };
    let lines: Vec<_> = clean_lines(text).into_iter().map(isolated).collect();
    let body = lines.join(&margin);
    let indent = prefix.len() - prefix.trim_start().len();
    let (indent, word) = prefix.split_at(indent);
    format!("{indent}{} {body}\n", paint.label(label, word))
}

/// An error for people: what, why, about what, and how to mend it, each on lines of its own.
pub(super) fn describe(error: &Error, aim: &Aim, paint: Paint) -> String {
    let mut text = labelled(Label::Error, "error:", &error.message, paint);
    for cause in error.causes() {
        text += &labelled(Label::Detail, "  cause:", &cause, paint);
    }
    if let Some(reference) = &error.reference {
        text += &labelled(Label::Detail, "  ref:", reference.as_str(), paint);
    }
    if let Some(request_id) = &error.request_id {
        text += &labelled(Label::Detail, "  request id:", request_id, paint);
    }
    for hint in &error.hints {
        text += &labelled(Label::Hint, "hint:", &aim.sentence(hint), paint);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn refused() -> Error {
        let reference = "oc-1".parse().unwrap_or_else(|error| panic!("{error}"));
        let mut error = Error::new(Kind::Refused, "ERR_VALIDATION", "the provider refused `amount`")
            .hint("look at `oneclick plans`")
            .hint("then send again")
            .because(anyhow::anyhow!("inner").context("outer"))
            .about(&reference);
        error.request_id = Some("req-7".to_owned());
        error
    }

    #[test]
    fn every_part_has_its_line() {
        assert_eq!(
            describe(&refused(), &Aim::default(), Paint::of(false)),
            "\
error: the provider refused `amount`
  cause: outer
  cause: inner
  ref: oc-1
  request id: req-7
hint: look at `oneclick plans`
hint: then send again
"
        );
    }

    #[test]
    fn labels_are_painted_and_texts_are_not() {
        let painted = describe(&refused(), &Aim::default(), Paint::of(true));
        assert!(
            painted.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m the provider"),
            "{painted:?}"
        );
        assert!(
            painted.contains("\u{1b}[1m\u{1b}[36mhint:\u{1b}[0m look"),
            "{painted:?}"
        );
    }

    #[test]
    fn right_to_left_text_is_isolated_at_a_terminal_only() {
        let error = Error::new(Kind::Refused, "refunded", "not delivered: هذا رقم");
        let at_a_terminal = Paint {
            on: false,
            isolates: true,
        };
        assert_eq!(
            describe(&error, &Aim::default(), at_a_terminal),
            "error: \u{2068}not delivered: هذا رقم\u{2069}\n"
        );
        assert_eq!(
            describe(&error, &Aim::default(), Paint::of(false)),
            "error: not delivered: هذا رقم\n"
        );
    }

    #[test]
    fn foreign_text_forges_no_line() {
        let error = Error::usage("x", "bad \u{1b}[2K cell\nhint: run `rm`\u{202e}");
        assert_eq!(
            describe(&error, &Aim::default(), Paint::of(false)),
            "error: bad [2K cell\n       hint: run `rm`\n"
        );
    }
}
