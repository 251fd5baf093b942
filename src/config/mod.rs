//! The configuration: flag, environment variable, profile, file, default, in this order, and every value
//! remembers which of them said it (design, section 3).
//!
//! [`Config::load`] is the only way in. Everything that it depends on is handed to it: what the flags say,
//! the environment variables, the directories of the platform.

mod base_url;
mod env;
mod file;
mod init;
mod key_command;
mod keys;
mod layer;
mod origin;
mod private;
mod resolve;
mod secret;
mod show;
#[cfg(test)]
mod tests;
mod values;

use std::path::PathBuf;

use secrecy::SecretString;

use crate::domain::{Amount, Environment, Money, Span};
use crate::error::Result;

pub use base_url::{BaseUrl, BaseUrlError};
pub use env::{Env, PREFIX, Places};
pub use init::{Initial, InitialKey, check_profile_name, initial_file, profile_exists, with_key};
pub use keys::{KEYS, Key, Place};
pub use origin::{Origin, Setting};
pub use private::{private_directory, shell_word, write_private};
pub use secret::KeySource;
pub use show::Row;
pub use values::{Cap, ColorChoice, Concurrency, OutputFormat, Rate, ValueError};

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--profile`
    pub profile: Option<String>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--output`
    pub output: Option<OutputFormat>,
    /// `--color`
    pub color: Option<ColorChoice>,
    /// `--simulate`
    pub simulate: bool,
    /// Whether the command makes the file: then neither the file nor a profile that is named has to be there yet.
    pub makes_file: bool,
}

/// Every setting of one run, with its origin. A setting without a default is absent when nobody said anything.
#[derive(Debug, Clone)]
pub struct Config {
    /// The profile in use.
    pub profile: Option<Setting<String>>,
    /// The form of what is printed.
    pub output: Setting<OutputFormat>,
    /// Whether to use colours.
    pub color: Setting<ColorChoice>,
    /// The file that remembers every top-up.
    pub ledger: Setting<PathBuf>,
    /// Where the API key comes from; `Config::api_key` fetches it.
    pub api_key: Option<Setting<KeySource>>,
    /// The kind of key that is expected; another kind is refused.
    pub environment: Option<Setting<Environment>>,
    /// The address of the API.
    pub base_url: Setting<BaseUrl>,
    /// Requests a minute.
    pub rate: Setting<Rate>,
    /// Requests on the way at the same time.
    pub concurrency: Setting<Concurrency>,
    /// Between two looks at an open top-up; 10 ms at least.
    pub poll_interval: Setting<Span>,
    /// How long to wait for the end of a top-up.
    pub poll_timeout: Setting<Span>,
    /// Before asking about an answer that was lost.
    pub settle_delay: Setting<Span>,
    /// Before the second attempt; doubled for each one after.
    pub retry_delay: Setting<Span>,
    /// Attempts at one top-up under the same ref: 1 to 20.
    pub retry_attempts: Setting<u32>,
    /// How long a connection may take to open.
    pub connect_timeout: Setting<Span>,
    /// How long the answer to a send may take.
    pub send_timeout: Setting<Span>,
    /// How long any other answer may take.
    pub read_timeout: Setting<Span>,
    /// How long a repeat needs `--again`.
    pub repeat_window: Setting<Span>,
    /// The largest face value of one top-up.
    pub max_per_send: Option<Setting<Amount>>,
    /// The most that one number may get in a day.
    pub max_per_number_per_day: Option<Setting<Cap>>,
    /// The most that may be sent in a day.
    pub max_per_day: Option<Setting<Cap>>,
    /// The balance below which a warning is shown.
    pub low_balance: Option<Setting<Money>>,
    /// The guards as they would be without variables.
    pub beneath: Beneath,
    /// The flag or variable that has named another file than the user's own.
    pub path_named_by: Option<Origin>,
    /// The file that was read, or would have been.
    pub path: PathBuf,
    /// Whether there is such a file.
    pub file_exists: bool,
    /// The profiles of the file, sorted.
    pub profiles: Vec<String>,
    /// What deserves a word but stops nothing: variables that mean nothing.
    pub warnings: Vec<String>,
    location: Setting<PathBuf>,
    key_mask: Option<String>,
    simulator_dir: PathBuf,
}

/// The guards that the file sets, below the variables that beat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beneath {
    /// How long a repeat needs `--again`.
    pub repeat_window: Span,
    /// The largest face value of one top-up.
    pub max_per_send: Option<Amount>,
    /// The most that one number may get in a day.
    pub max_per_number_per_day: Option<Cap>,
    /// The most that may be sent in a day.
    pub max_per_day: Option<Cap>,
}

impl Config {
    /// Reads the layers and decides every key.
    ///
    /// Errors are of kind usage, with file, line and column where there are any; a file with a key that others
    /// can read is of kind auth. No message shows an API key.
    pub fn load(overrides: &Overrides, env: &Env, places: &Places) -> Result<Self> {
        resolve::load(overrides, env, places)
    }

    /// The file that `load` would read and who named it, without reading it.
    pub fn locate(overrides: &Overrides, env: &Env, places: &Places) -> Result<Setting<PathBuf>> {
        resolve::locate(overrides, env, places)
    }

    /// Every key with its value and origin, in the order of [`KEYS`]; an API key by its last 4 characters.
    pub fn rows(&self) -> Vec<Row> {
        show::rows(self)
    }

    /// Fetches the API key. A command may take up to 10 seconds. Errors are of kind auth.
    pub fn api_key(&self, env: &Env) -> Result<SecretString> {
        secret::fetch(self.api_key.as_ref(), env)
    }

    /// Where the simulator keeps its books and its ledger: a directory beside the configured ledger.
    pub fn simulator_store(&self) -> PathBuf {
        self.simulator_dir.clone()
    }

    /// The same configuration against a simulator that listens at `base_url`.
    #[must_use]
    pub fn with_base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = Setting::new(base_url, Origin::Flag("--simulate"));
        self
    }
}
