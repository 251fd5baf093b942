//! Where a value came from: every setting remembers, so that `config show` and errors can tell.

use std::fmt;
use std::path::PathBuf;

/// The layer that decided a value, from the strongest to the weakest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// The chosen profile.
    Profile {
        /// The profile's name.
        name: String,
        /// The file that holds it.
        path: PathBuf,
    },
    /// The top of the file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(formatter, "flag `{flag}`"),
            Self::Variable(name) => write!(formatter, "variable `{name}`"),
            Self::Profile { name, path } => write!(formatter, "profile `{name}` in {}", path.display()),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// `value`, as `origin` said.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// Whether nobody said anything.
    pub fn is_default(&self) -> bool {
        self.origin == Origin::Default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_told_to_operators() {
        let path = PathBuf::from("/home/amina/.config/oneclick/config.toml");
        for (origin, told) in [
            (Origin::Flag("--output"), "flag `--output`"),
            (
                Origin::Variable("ONECLICKDZ_RATE".to_owned()),
                "variable `ONECLICKDZ_RATE`",
            ),
            (
                Origin::Profile {
                    name: "shop".to_owned(),
                    path: path.clone(),
                },
                "profile `shop` in /home/amina/.config/oneclick/config.toml",
            ),
            (Origin::File(path), "/home/amina/.config/oneclick/config.toml"),
            (Origin::Default, "default"),
        ] {
            assert_eq!(origin.to_string(), told);
        }
    }
}
