//! Scenarios of the whole room: a home directory, a file, some variables and flags, and what comes of them.

mod api_keys;
mod example;
mod init;
mod precedence;
mod refusals;

use std::fs;
use std::path::PathBuf;

use super::{Config, Env, OutputFormat, Overrides, Places};
use crate::error::{Error, Result};

/// A user with a home of their own.
struct Scene {
    home: tempfile::TempDir,
    vars: Vec<(String, String)>,
    overrides: Overrides,
}

impl Scene {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap_or_else(|error| panic!("{error}")),
            vars: Vec::new(),
            overrides: Overrides::default(),
        }
    }

    /// With this private file in the platform's place.
    fn file(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        self.other_file(".config/oneclick/config.toml", bytes)
    }

    /// With this private file somewhere in the home.
    fn other_file(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.at(path);
        let written =
            fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| fs::write(&path, bytes));
        written.unwrap_or_else(|error| panic!("{error}"));
        self.mode(&path, 0o600)
    }

    #[cfg(unix)]
    fn mode(self, path: &std::path::Path, mode: u32) -> Self {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap_or_else(|error| panic!("{error}"));
        self
    }

    #[cfg(not(unix))]
    fn mode(self, _path: &std::path::Path, _mode: u32) -> Self {
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    fn profile(mut self, name: &str) -> Self {
        self.overrides.profile = Some(name.to_owned());
        self
    }

    fn output(mut self, format: OutputFormat) -> Self {
        self.overrides.output = Some(format);
        self
    }

    fn config(mut self, path: &str) -> Self {
        self.overrides.config = Some(self.at(path));
        self
    }

    fn simulate(mut self) -> Self {
        self.overrides.simulate = true;
        self
    }

    fn at(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn path(&self) -> PathBuf {
        self.at(".config/oneclick/config.toml")
    }

    fn env(&self) -> Env {
        Env::of(self.vars.clone())
    }

    fn try_load(&self) -> Result<Config> {
        Config::load(&self.overrides, &self.env(), &Places::under(self.home.path()))
    }

    fn load(&self) -> Config {
        self.try_load()
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.hints))
    }

    fn refusal(&self) -> Error {
        match self.try_load() {
            Ok(_) => panic!("it was accepted"),
            Err(error) => error,
        }
    }

    fn key_refusal(&self) -> Error {
        match self.load().api_key(&self.env()) {
            Ok(_) => panic!("the key was accepted"),
            Err(error) => error,
        }
    }

    /// Code, message and hints as lines, with `~` for the home.
    fn told(&self, error: &Error) -> String {
        let home = self.home.path().display().to_string();
        let lines = [format!("{}: {}", error.code, error.message)]
            .into_iter()
            .chain(error.hints.iter().map(|hint| format!("hint: {hint}")));
        lines.collect::<Vec<_>>().join("\n").replace(&home, "~")
    }

    /// Value and origin of one row of `config show`, with `~` for the home.
    fn row(&self, key: &str) -> (Option<String>, String) {
        let home = self.home.path().display().to_string();
        let rows = self.load().rows();
        let row = rows.into_iter().find(|row| row.key == key);
        let row = row.unwrap_or_else(|| panic!("no row `{key}`"));
        (
            row.value.map(|value| value.replace(&home, "~")),
            row.origin.replace(&home, "~"),
        )
    }
}

fn said(value: &str, origin: &str) -> (Option<String>, String) {
    (Some(value.to_owned()), origin.to_owned())
}
