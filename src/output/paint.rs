//! Colours: what a tone looks like, and whether it is painted at all. Colour never carries meaning alone.

use anstyle::{AnsiColor, Style};

/// What a value says about itself, besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// A good end.
    Good,
    /// A bad end.
    Bad,
    /// It wants a look.
    Warning,
    /// Of little weight.
    Muted,
    /// What the eye looks for first.
    Strong,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Muted => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }
}

/// The labels that begin a line on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Error,
    Warning,
    Hint,
    Note,
    Detail,
}

impl Label {
    fn style(self) -> Style {
        match self {
            Self::Error => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
            Self::Hint => AnsiColor::Cyan.on_default().bold(),
            Self::Note => Style::new().bold(),
            Self::Detail => Style::new().dimmed(),
        }
    }
}

/// Paints, or leaves text as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint {
    /// Whether this stream takes colour.
    pub(super) on: bool,
    /// Whether people read it at a terminal, where right-to-left text must be kept from moving its neighbours.
    pub(super) isolates: bool,
}

impl Paint {
    /// Colour or none, for no terminal.
    #[cfg(test)]
    pub(super) const fn of(on: bool) -> Self {
        Self { on, isolates: false }
    }

    /// `text` in `tone`.
    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        self.apply(tone.style(), text)
    }

    /// `text` as a label.
    pub(super) fn label(self, label: Label, text: &str) -> String {
        self.apply(label.style(), text)
    }

    fn apply(self, style: Style, text: &str) -> String {
        if self.on && style != Style::new() && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_painted_where_colour_is_off() {
        assert_eq!(Paint::of(false).tone(Tone::Bad, "refunded"), "refunded");
        assert_eq!(Paint::of(true).tone(Tone::Plain, "x"), "x");
        assert_eq!(
            Paint::of(true).tone(Tone::Bad, "refunded"),
            "\u{1b}[31mrefunded\u{1b}[0m"
        );
    }
}
