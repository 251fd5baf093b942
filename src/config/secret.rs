//! The API key: where it comes from, how it is fetched, and how little of it is ever shown.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::env::Env;
use super::keys::API_KEY;
use super::origin::Setting;
use super::{key_command, private};
use crate::error::{Error, Kind, Result};

/// Keys are some dozens of characters; whatever is longer is another text.
pub(super) const KEY_BYTES_MAX: u64 = 4096;

/// Where the API key comes from. The key itself is fetched when it is needed.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// `ONECLICKDZ_API_KEY`.
    Variable,
    /// What a shell command prints.
    Command(String),
    /// What a file holds.
    File(PathBuf),
    /// What `api_key` in the configuration file says.
    Inline(SecretString),
}

impl KeySource {
    /// The name of the key of the configuration that decides.
    pub fn key_name(&self) -> &'static str {
        match self {
            Self::Variable | Self::Inline(_) => "api_key",
            Self::Command(_) => "api_key_command",
            Self::File(_) => "api_key_file",
        }
    }
}

/// Fetches the key. Every failure is of kind auth, and none shows any of it.
pub(super) fn fetch(source: Option<&Setting<KeySource>>, env: &Env) -> Result<SecretString> {
    let Some(Setting { value, origin }) = source else {
        return Err(missing());
    };
    match value {
        KeySource::Variable => {
            let value = env.get(API_KEY.variable).ok_or_else(missing)?;
            let text = value.to_str().ok_or_else(|| malformed(&origin.to_string()))?;
            checked(text.trim(), &origin.to_string())
        }
        KeySource::Inline(key) => checked(key.expose_secret().trim(), &origin.to_string()),
        KeySource::File(path) => read_file(path),
        KeySource::Command(command) => {
            let output = key_command::run(command, key_command::TIME_MAX)?;
            checked(output.expose_secret(), &key_command::named(command))
        }
    }
}

fn missing() -> Error {
    auth("key_missing", "there is no API key")
        .hint("`oneclick config init` asks for it and keeps it in a private file")
        .hint("or set `ONECLICKDZ_API_KEY`")
        .hint("or try the command without a key: `--simulate`")
}

pub(super) fn auth(code: &str, message: impl Into<String>) -> Error {
    Error::new(Kind::Auth, code, message)
}

fn read_file(path: &Path) -> Result<SecretString> {
    let unreadable = |error: std::io::Error| {
        let message = format!("can't read the API key from {}", path.display());
        auth("key_file_unreadable", message).because(error)
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if private::others_can_read(&metadata) {
        let message = format!("{} holds the API key and others can read it", path.display());
        return Err(auth("key_file_permissions", message).hint(private::chmod_hint(path)));
    }
    let mut bytes = Vec::new();
    file.take(KEY_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let whence = path.display().to_string();
    let text = secret_text(bytes).ok_or_else(|| malformed(&whence))?;
    checked(text.expose_secret().trim(), &whence)
}

/// The text of bytes that may be a key: neither too long nor of another encoding.
pub(super) fn secret_text(bytes: Vec<u8>) -> Option<SecretString> {
    if bytes.len() as u64 > KEY_BYTES_MAX {
        return None;
    }
    String::from_utf8(bytes).ok().map(SecretString::from)
}

/// A key goes into a header of its own: printable ASCII without spaces, or it is refused before it is sent.
fn checked(key: &str, whence: &str) -> Result<SecretString> {
    if key.is_empty() {
        return Err(auth("key_empty", format!("the API key from {whence} is empty")));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed(whence));
    }
    Ok(SecretString::from(key))
}

pub(super) fn malformed(whence: &str) -> Error {
    let message = format!("the API key from {whence} holds a space or another character that no key has");
    auth("key_malformed", message).hint("copy the key again from the dashboard; it stands alone on one line")
}

/// The last 4 characters of a key, for people to tell keys apart; nothing of a short or odd one.
pub(super) fn mask(key: &str) -> String {
    let key = key.trim();
    let shown = key.len().checked_sub(4).filter(|_| key.len() >= 12);
    match shown {
        Some(start) if key.bytes().all(|byte| byte.is_ascii_graphic()) => format!("…{}", &key[start..]),
        _ => "…".to_owned(),
    }
}

/// The mask of a key that is at hand without running or reading anything.
pub(super) fn mask_at_hand(source: Option<&Setting<KeySource>>, env: &Env) -> Option<String> {
    match source.map(|setting| &setting.value) {
        Some(KeySource::Inline(key)) => Some(mask(key.expose_secret())),
        Some(KeySource::Variable) => env.get(API_KEY.variable).map(|key| mask(&key.to_string_lossy())),
        Some(KeySource::Command(_) | KeySource::File(_)) | None => None,
    }
}

/// How a source is shown to people; a command only by its first word, since the others may hold the key.
pub(super) fn shown(source: &KeySource) -> String {
    match source {
        KeySource::Variable | KeySource::Inline(_) => "…".to_owned(),
        KeySource::Command(command) => key_command::shortened(command),
        KeySource::File(path) => path.display().to_string(),
    }
}
