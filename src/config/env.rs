//! What surrounds the process: its environment variables and the directories of the platform. Both are
//! read once and injected, so that nothing below depends on the machine it runs on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// Every environment variable of this tool begins with it.
pub const PREFIX: &str = "ONECLICKDZ_";

/// A reading of the environment variables. An empty variable counts as unset.
#[derive(Clone, Default)]
pub struct Env {
    vars: BTreeMap<String, OsString>,
}

impl Env {
    /// The variables of this process.
    pub fn process() -> Self {
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        Self { vars }
    }

    /// Exactly these variables.
    pub fn of<N: Into<String>, V: Into<OsString>>(vars: impl IntoIterator<Item = (N, V)>) -> Self {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self { vars }
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars
            .get(name)
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The names of the variables that begin with `prefix` and are not empty, sorted.
    pub fn names_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.vars
            .iter()
            .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
            .map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Env {
    /// Names only: a value may be the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.vars.keys()).finish()
    }
}

/// Where the platform keeps what belongs to a user. A directory is absent where the process has no home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Of configuration files: `~/.config` on Linux, or `XDG_CONFIG_HOME`.
    pub config_dir: Option<PathBuf>,
    /// Of data files: `~/.local/share` on Linux, or `XDG_DATA_HOME`.
    pub data_dir: Option<PathBuf>,
    /// What `~/` stands for.
    pub home: Option<PathBuf>,
}

impl Places {
    /// Those of the user who runs this process.
    pub fn process() -> Self {
        Self {
            config_dir: dirs::config_dir(),
            data_dir: dirs::data_dir(),
            home: dirs::home_dir(),
        }
    }

    /// Those of a user whose home is `home`, as Linux lays it out.
    pub fn under(home: &Path) -> Self {
        Self {
            config_dir: Some(home.join(".config")),
            data_dir: Some(home.join(".local/share")),
            home: Some(home.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_unset() {
        let env = Env::of([
            ("ONECLICKDZ_RATE", ""),
            ("ONECLICKDZ_COLOR", "never"),
            ("TERM", "x"),
        ]);
        assert_eq!(env.get("ONECLICKDZ_RATE"), None);
        assert_eq!(env.get("ONECLICKDZ_COLOR"), Some(OsStr::new("never")));
        assert_eq!(env.names_with(PREFIX).collect::<Vec<_>>(), ["ONECLICKDZ_COLOR"]);
    }

    #[test]
    fn values_are_not_printed_while_debugging() {
        let shown = format!("{:?}", Env::of([("ONECLICKDZ_API_KEY", "a-secret")]));
        assert!(shown.contains("ONECLICKDZ_API_KEY"));
        assert!(!shown.contains("a-secret"));
    }
}
