//! What `config init` writes: a first file, or one more profile in a file that people have edited.

use secrecy::{ExposeSecret, SecretString};
use toml_edit::{DocumentMut, Item, Table, value};

use super::base_url::BaseUrl;
use super::file::{PROFILE_NAME_HINT, is_profile_name};
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

/// A file with one more profile; everything else in it stays as it is, comments too.
///
/// Errors of kind usage: `config_syntax`, `profile_exists`, `profile_name`. None quotes the file.
pub fn add_profile(existing_text: &str, name: &str, answers: &Initial) -> Result<String> {
    if !is_profile_name(name) {
        let message = format!("`{}` is no name for a profile", name.escape_debug());
        return Err(Error::usage("profile_name", message).hint(PROFILE_NAME_HINT));
    }
    let mut document: DocumentMut = existing_text.parse().map_err(|error: toml_edit::TomlError| {
        let message = format!("the file is no TOML: {}", error.message());
        Error::usage("config_syntax", message)
    })?;
    // The singular is read too where the file itself chooses no profile; what is there is kept.
    let singular = document.get("profile").is_some_and(Item::is_table_like);
    let spelling = if singular { "profile" } else { "profiles" };
    let profiles = document
        .entry(spelling)
        .or_insert_with(|| Item::Table(group()))
        .as_table_like_mut()
        .ok_or_else(|| Error::usage("config_value", format!("`{spelling}` in the file is no table")))?;
    if profiles.contains_key(name) {
        return Err(Error::usage(
            "profile_exists",
            format!("there is a profile `{name}` already"),
        ));
    }
    profiles.insert(name, Item::Table(profile(answers)));
    Ok(document.to_string())
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

fn fill(table: &mut Table, answers: &Initial) {
    match &answers.key {
        InitialKey::Inline(key) => table["api_key"] = value(key.expose_secret()),
        InitialKey::Command(command) => table["api_key_command"] = value(command),
        InitialKey::File(path) => table["api_key_file"] = value(path),
    }
    if let Some(environment) = answers.environment {
        table["environment"] = value(environment.word());
    }
    if let Some(base_url) = &answers.base_url {
        table["base_url"] = value(base_url.as_str());
    }
}
