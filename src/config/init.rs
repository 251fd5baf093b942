//! What `config init` writes: a first file, or one more profile in a file that people have edited.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value, value};

use super::base_url::BaseUrl;
use super::env::Places;
use super::file::{PROFILE_NAME_HINT, is_profile_name};
use super::keys::{API_KEY, API_KEY_COMMAND, API_KEY_FILE};
use super::resolve;
use crate::domain::Environment;
use crate::error::{Error, Result};

/// The answers of the wizard.
#[derive(Debug, Clone)]
pub struct Initial {
    /// Where the key will come from.
    pub key: InitialKey,
    /// The kind of key that it is; another kind will be refused.
    pub environment: Option<Environment>,
    /// The address of the API, where it is not the provider's own.
    pub base_url: Option<BaseUrl>,
    /// The profile to put all this into; the top of the file where there is none.
    pub profile: Option<String>,
}

/// Where the key of a new configuration comes from.
#[derive(Debug, Clone)]
pub enum InitialKey {
    /// The file itself.
    Inline(SecretString),
    /// A command that prints it.
    Command(String),
    /// A file that holds it, as it was typed: `~/` may begin it.
    File(String),
}

/// The keys of the configuration that say where the API key comes from.
const KEY_SOURCES: [&str; 3] = [API_KEY_COMMAND.name, API_KEY_FILE.name, API_KEY.name];

impl InitialKey {
    /// Fetches the key as it will be fetched when the file at `path` names this source: what is checked is what will be
    /// used. Errors are of kind auth.
    pub fn fetch(&self, path: &Path, places: &Places) -> Result<SecretString> {
        let alone = Initial {
            key: self.clone(),
            environment: None,
            base_url: None,
            profile: None,
        };
        resolve::key_of(&initial_file(&alone), path, places)
    }

    /// The key of the configuration, and its value.
    fn entry(&self) -> (&'static str, &str) {
        match self {
            Self::Inline(key) => (API_KEY.name, key.expose_secret()),
            Self::Command(command) => (API_KEY_COMMAND.name, command),
            Self::File(path) => (API_KEY_FILE.name, path),
        }
    }
}

const HEADER: &str = "# The configuration of oneclick. config.example.toml explains every key.\n\n";

/// The text of a first configuration file. A profile in the answers becomes the profile in use.
pub fn initial_file(answers: &Initial) -> String {
    let mut document = DocumentMut::new();
    match &answers.profile {
        None => fill(document.as_table_mut(), answers),
        Some(name) => {
            document["profile"] = value(name);
            document["profiles"] = Item::Table(group());
            document["profiles"][name] = Item::Table(profile(answers));
        }
    }
    format!("{HEADER}{document}")
}

/// A file with another key, in the profile of the answers or at its top; everything else in it stays as it is, comments and
/// limits too. A profile that is there already is only given another key where `replaces` says so.
///
/// Errors of kind usage: `config_syntax`, `profile_exists`, `profile_name`. None quotes the file.
pub fn with_key(existing_text: &str, answers: &Initial, replaces: bool) -> Result<String> {
    let mut document: DocumentMut = existing_text.parse().map_err(|error: toml_edit::TomlError| {
        let message = format!("the file is no TOML: {}", error.message());
        Error::usage("config_syntax", message)
    })?;
    match &answers.profile {
        None => renew(document.as_item_mut(), answers),
        Some(name) => {
            check_profile_name(name)?;
            let profiles = profiles(&mut document)?;
            match profiles.get_mut(name) {
                None => {
                    profiles.insert(name, Item::Table(profile(answers)));
                }
                Some(profile) if replaces => renew(profile, answers),
                Some(_) => return Err(profile_exists(name)),
            }
        }
    }
    Ok(document.to_string())
}

/// Whether a profile may be called so. Error of kind usage: `profile_name`.
pub fn check_profile_name(name: &str) -> Result<()> {
    if is_profile_name(name) {
        return Ok(());
    }
    let message = format!("`{}` is no name for a profile", name.escape_debug());
    Err(Error::usage("profile_name", message).hint(PROFILE_NAME_HINT))
}

/// The profile is there, and nothing was said of giving it another key.
pub fn profile_exists(name: &str) -> Error {
    Error::usage("profile_exists", format!("there is a profile `{name}` already"))
        .hint("`--force` gives it another key and keeps the rest of it; another account needs another name")
}

fn profiles(document: &mut DocumentMut) -> Result<&mut dyn TableLike> {
    // The singular is read too where the file itself chooses no profile; what is there is kept.
    let singular = document.get("profile").is_some_and(Item::is_table_like);
    let spelling = if singular { "profile" } else { "profiles" };
    document
        .entry(spelling)
        .or_insert_with(|| Item::Table(group()))
        .as_table_like_mut()
        .ok_or_else(|| Error::usage("config_value", format!("`{spelling}` in the file is no table")))
}

/// A table that only holds others: it needs no heading of its own.
fn group() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn profile(answers: &Initial) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    fill(&mut table, answers);
    table
}

fn fill(table: &mut dyn TableLike, answers: &Initial) {
    let (name, text) = answers.key.entry();
    put(table, name, text);
    if let Some(environment) = answers.environment {
        put(table, "environment", environment.word());
    }
    if let Some(base_url) = &answers.base_url {
        put(table, "base_url", base_url.as_str());
    }
}

/// Puts a value into a table; a comment behind the one that was there stays.
fn put(table: &mut dyn TableLike, name: &str, text: &str) {
    let mut new = Value::from(text);
    match table.get_mut(name) {
        None => {
            table.insert(name, Item::Value(new));
        }
        Some(item) => {
            if let Some(old) = item.as_value() {
                *new.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(new);
        }
    }
}

/// Gives a table that is there another key. The source that goes leaves its place, and the comment above it.
fn renew(item: &mut Item, answers: &Initial) {
    let Some(table) = item.as_table_like_mut() else {
        return;
    };
    let (named, _) = answers.key.entry();
    let mut order: Vec<_> = table.iter().map(|(name, _)| name.to_owned()).collect();
    let others = KEY_SOURCES.into_iter().filter(|name| *name != named);
    let mut above = None;
    for other in others {
        let prefix = table
            .key(other)
            .and_then(|key| key.leaf_decor().prefix().cloned());
        if table.remove(other).is_some() {
            above = above.or(prefix);
            order
                .iter_mut()
                .filter(|name| *name == other)
                .for_each(|name| named.clone_into(name));
        }
    }
    let is_new = !table.contains_key(named);
    fill(table, answers);
    if let (true, Some(above), Some(mut key)) = (is_new, above, table.key_mut(named)) {
        key.leaf_decor_mut().set_prefix(above);
    }
    if let Some(table) = item.as_table_mut() {
        let place = |name: &str| {
            order
                .iter()
                .position(|other| other == name)
                .unwrap_or(order.len())
        };
        table.sort_values_by(|one, _, other, _| place(one.get()).cmp(&place(other.get())));
    }
}
