//! What a simulator is opened with, and why it may refuse.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;

use super::fault::Fault;
use super::switches::Switches;

/// How the simulator behaves. The defaults follow the live evidence where the provider's pages disagree.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides every draw of a fault and every id; the same seed and calls give the same run.
    pub seed: u64,
    /// The only key that is accepted.
    pub key: String,
    /// The account's phone number, as `/v3/validate` shows it and stored refs carry it.
    pub username: String,
    /// What the key is for.
    pub environment: Environment,
    /// Dinars at the start of a new set of books; books that exist keep their own balance.
    pub balance: Decimal,
    /// Simulated milliseconds in a real one; 0 stands still until time is advanced.
    pub speed: u32,
    /// Calls in a simulated minute; `None` follows the environment (60 or 120), `Some(0)` is unlimited.
    pub rate: Option<u32>,
    /// Real time that each answer is held back.
    pub latency: Duration,
    /// Which reading of each contradiction holds.
    pub switches: Switches,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// The directory of the books; `None` keeps them in memory.
    pub store: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            key: "simulator".to_owned(),
            username: "+213770000000".to_owned(),
            environment: Environment::Sandbox,
            balance: Decimal::from(50_000),
            speed: 1,
            rate: None,
            latency: Duration::ZERO,
            switches: Switches::default(),
            faults: Vec::new(),
            store: None,
        }
    }
}

impl Options {
    /// Calls allowed in a simulated minute; `None` is no limit.
    pub(super) fn quota(&self) -> Option<usize> {
        let rate = self.rate.unwrap_or(match self.environment {
            Environment::Sandbox => 60,
            Environment::Production => 120,
        });
        usize::try_from(rate).ok().filter(|rate| *rate > 0)
    }
}

/// What the key is for; the same host serves both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Nothing is delivered.
    Sandbox,
    /// The real thing, as far as a simulator goes.
    Production,
}

impl Environment {
    /// The word in `data.apiKey.type`.
    pub(super) fn key_type(self) -> &'static str {
        match self {
            Self::Sandbox => "SANDBOX",
            Self::Production => "PRODUCTION",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        })
    }
}

/// A word that names no environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no environment; there are `sandbox` and `production`")]
pub struct EnvironmentError(pub String);

impl FromStr for Environment {
    type Err = EnvironmentError;

    fn from_str(word: &str) -> Result<Self, EnvironmentError> {
        match word {
            "sandbox" => Ok(Self::Sandbox),
            "production" => Ok(Self::Production),
            _ => Err(EnvironmentError(word.to_owned())),
        }
    }
}

/// Why the simulator could not open or use its books.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The directory or the file cannot be read, written or locked.
    #[error("the simulator's books at `{path}` cannot be used", path = path.display())]
    Store {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A complete line is not one that the simulator writes.
    #[error("the simulator's books at `{path}` are damaged in line {line}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
    },
    /// The file was begun by a version whose lines mean something else.
    #[error("the simulator's books at `{path}` have version {version}, which this program does not know", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in its first line.
        version: u32,
    },
}
