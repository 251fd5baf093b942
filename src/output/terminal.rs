//! Who is reading: what is known of the three streams, and what the environment asks for.

use std::env;
use std::io::IsTerminal;
use std::str::FromStr;

/// The width where none is known.
const COLUMNS_DEFAULT: usize = 80;

/// What `--color` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// On terminals, unless the environment says otherwise.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// A word that is no choice of colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no choice of colour; it is `auto`, `always` or `never`")]
pub struct ColourError(pub String);

impl Colour {
    /// The word of `--color`, and in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(word: &str) -> Result<Self, ColourError> {
        [Self::Auto, Self::Always, Self::Never]
            .into_iter()
            .find(|colour| colour.word() == word)
            .ok_or_else(|| ColourError(word.to_owned()))
    }
}

/// The surroundings of the process, as far as output depends on them. [`Terminal::detect`] looks; tests say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact of the surroundings"
)]
pub struct Terminal {
    /// Whether somebody can answer.
    pub stdin_is_terminal: bool,
    /// Whether data is read by people.
    pub stdout_is_terminal: bool,
    /// Whether messages are read by people.
    pub stderr_is_terminal: bool,
    /// The width in columns: `COLUMNS`, else the terminal's own, else 80.
    pub columns: usize,
    /// `NO_COLOR` is set to something.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set to something other than `0`.
    pub clicolor_force: bool,
    /// `TERM=dumb`: it can neither colour nor redraw a line.
    pub dumb: bool,
}

impl Terminal {
    /// Looks at the streams and the environment of this process.
    pub fn detect() -> Self {
        let filled = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            columns: detect_columns(),
            no_color: filled("NO_COLOR").is_some(),
            clicolor_force: filled("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            dumb: filled("TERM").is_some_and(|value| value == "dumb"),
        }
    }

    /// Nobody at any stream: what a script's pipes look like.
    pub fn pipes() -> Self {
        Self {
            stdin_is_terminal: false,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            columns: COLUMNS_DEFAULT,
            no_color: false,
            clicolor_force: false,
            dumb: false,
        }
    }

    /// Somebody at a terminal of this width.
    pub fn people(columns: usize) -> Self {
        Self {
            stdin_is_terminal: true,
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            columns,
            ..Self::pipes()
        }
    }

    /// Whether a stream takes colour. The flag goes before the environment, and a no before a yes.
    pub(super) fn takes_colour(&self, asked: Colour, is_terminal: bool) -> bool {
        match asked {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if self.no_color => false,
            Colour::Auto => self.clicolor_force || (is_terminal && !self.dumb),
        }
    }
}

fn detect_columns() -> usize {
    env::var("COLUMNS")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .filter(|columns| *columns > 0)
        .or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .filter(|columns| *columns > 0)
        .unwrap_or(COLUMNS_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_goes_before_the_environment() {
        let opposed = Terminal {
            no_color: true,
            ..Terminal::people(80)
        };
        assert!(opposed.takes_colour(Colour::Always, true));
        assert!(!opposed.takes_colour(Colour::Auto, true));
        let forced = Terminal {
            clicolor_force: true,
            ..Terminal::pipes()
        };
        assert!(forced.takes_colour(Colour::Auto, false));
        assert!(!forced.takes_colour(Colour::Never, false));
    }

    #[test]
    fn of_itself_only_a_terminal_that_can_takes_colour() {
        let people = Terminal::people(80);
        assert!(people.takes_colour(Colour::Auto, true));
        assert!(!people.takes_colour(Colour::Auto, false));
        assert!(!Terminal { dumb: true, ..people }.takes_colour(Colour::Auto, true));
        let both = Terminal {
            no_color: true,
            clicolor_force: true,
            ..people
        };
        assert!(!both.takes_colour(Colour::Auto, true));
    }

    #[test]
    fn words_are_read_back() {
        for colour in [Colour::Auto, Colour::Always, Colour::Never] {
            assert_eq!(colour.word().parse(), Ok(colour));
        }
        assert!("yes".parse::<Colour>().is_err());
    }
}
