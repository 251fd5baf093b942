//! Whose orders they are: the account, its environment, and the fingerprint that stands for a key.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Which of the provider's two worlds a key belongs to (API page `authentication`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Environment {
    /// Simulated answers, no real money.
    Sandbox,
    /// Real money.
    Production,
}

/// A word that names no environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no environment; it is `sandbox` or `production`")]
pub struct EnvironmentError(pub String);

impl Environment {
    /// The word in the configuration, the ledger and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl FromStr for Environment {
    type Err = EnvironmentError;

    fn from_str(word: &str) -> Result<Self, EnvironmentError> {
        match word.trim().to_ascii_lowercase().as_str() {
            "sandbox" => Ok(Self::Sandbox),
            "production" => Ok(Self::Production),
            _ => Err(EnvironmentError(word.to_owned())),
        }
    }
}

/// An account in one environment. Orders of different accounts never meet in one view, guard or sweep.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account {
    /// The account's name at the provider: its phone number in the form `+213…`.
    pub username: String,
    /// Sandbox or production.
    pub environment: Environment,
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.username, self.environment)
    }
}

/// Stands for a key where the key itself must not be: in caches. It can't be turned back into the key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyFingerprint(String);

impl KeyFingerprint {
    /// The fingerprint of `key` as used against `base_url`: the same key means another account elsewhere.
    pub fn of(key: &str, base_url: &str) -> Self {
        let digest = Sha256::new()
            .chain_update("oneclick key fingerprint 1\n")
            .chain_update(base_url.as_bytes())
            .chain_update("\n")
            .chain_update(key.as_bytes())
            .finalize();
        Self(hex(digest.iter().take(16)))
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Two hexadecimal digits for each byte.
pub fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = bytes.into_iter();
    let mut text = String::with_capacity(2 * bytes.size_hint().0);
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.push(DIGITS[usize::from(half)].into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_are_read_as_people_write_them() {
        assert_eq!("SANDBOX".parse(), Ok(Environment::Sandbox));
        assert_eq!(" production ".parse(), Ok(Environment::Production));
        assert!("prod".parse::<Environment>().is_err());
    }

    #[test]
    fn a_fingerprint_tells_keys_and_hosts_apart_and_hides_the_key() {
        let one = KeyFingerprint::of("key-one", "https://a");
        assert_eq!(one, KeyFingerprint::of("key-one", "https://a"));
        assert_ne!(one, KeyFingerprint::of("key-two", "https://a"));
        assert_ne!(one, KeyFingerprint::of("key-one", "https://b"));
        assert!(!one.as_str().contains("key"));
        assert_eq!(one.as_str().len(), 32);
    }
}
