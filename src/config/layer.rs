//! The layers below the flags: variable, profile, file, default. One question: who says what about a key.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::env::{Env, Places};
use super::file::{self, File, Layer, Position, Raw};
use super::keys::Key;
use super::origin::{Origin, Setting};
use crate::error::{Error, Result};

/// What was found about a key, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub text: String,
    pub origin: Origin,
    at: Option<Position>,
}

/// Why a text is no value of its key.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is not what the key expects.
    Unexpected,
    /// For this reason.
    Because(String),
    /// For this reason, and the text may hold a secret.
    Unshown(String),
}

/// A value, or why there is none.
pub(super) type Reading<T> = std::result::Result<T, Refusal>;

impl Found {
    /// The value that the text means to `read`, or an error that tells where it stands.
    pub fn read<T>(self, key: &Key, read: impl FnOnce(&str) -> Reading<T>) -> Result<Setting<T>> {
        match read(&self.text) {
            Ok(value) => Ok(Setting::new(value, self.origin)),
            Err(refusal) => Err(self.refused(key, refusal)),
        }
    }

    fn refused(&self, key: &Key, refusal: Refusal) -> Error {
        let shown = format!("`{}`", self.text.escape_debug());
        let (given, why) = match refusal {
            Refusal::Unexpected => (shown, format!("expected {}", key.expects)),
            Refusal::Because(why) => (shown, why),
            Refusal::Unshown(why) => ("not usable".to_owned(), why),
        };
        let message = format!("`{}` is {given} in {}; {why}", key.name, self.whence());
        let hint = match key.default {
            Some(default) => format!(
                "mend it there, or leave `{}` out for the default, `{default}`",
                key.name
            ),
            None => format!(
                "mend it there, or leave `{}` out; config.example.toml explains it",
                key.name
            ),
        };
        Error::usage("config_value", message).hint(hint)
    }

    fn whence(&self) -> String {
        match (&self.origin, self.at) {
            (Origin::Profile { path, .. } | Origin::File(path), Some(at)) => file::whence(path, at),
            (origin, _) => origin.to_string(),
        }
    }

    /// The directory that a relative path starts from: the file's own, so that the file may be read from anywhere.
    fn base(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Profile { path, .. } | Origin::File(path) => path.parent(),
            Origin::Flag(_) | Origin::Variable(_) | Origin::Default => None,
        }
    }
}

/// Reads a value whose type knows its own spelling.
pub(super) fn plain<T: FromStr>(text: &str) -> Reading<T> {
    text.parse().map_err(|_| Refusal::Unexpected)
}

/// The layers of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layers<'a> {
    pub env: &'a Env,
    pub places: &'a Places,
    pub file: &'a File,
    pub profile: Option<(&'a str, &'a Layer)>,
}

impl Layers<'_> {
    /// What the strongest layer says about a key.
    pub fn find(&self, key: &Key) -> Result<Option<Found>> {
        if let Some(found) = self.variable(key)? {
            return Ok(Some(found));
        }
        Ok(self.in_profile(key).or_else(|| self.at_top(key)))
    }

    /// What the variable says.
    pub fn variable(&self, key: &Key) -> Result<Option<Found>> {
        let Some(value) = self.env.get(key.variable) else {
            return Ok(None);
        };
        let text = value.to_str().ok_or_else(|| {
            let message = format!("variable `{}` is not UTF-8", key.variable);
            Error::usage("config_value", message)
        })?;
        Ok(Some(Found {
            text: text.to_owned(),
            origin: Origin::Variable(key.variable.to_owned()),
            at: None,
        }))
    }

    /// What the chosen profile says.
    pub fn in_profile(&self, key: &Key) -> Option<Found> {
        let (name, layer) = self.profile?;
        let origin = Origin::Profile {
            name: name.to_owned(),
            path: self.file.path.clone(),
        };
        Some(found(layer.get(key.name)?, origin))
    }

    /// What the top of the file says.
    pub fn at_top(&self, key: &Key) -> Option<Found> {
        let origin = Origin::File(self.file.path.clone());
        Some(found(self.file.top.get(key.name)?, origin))
    }

    /// A setting that has no default.
    pub fn optional<T>(
        &self,
        key: &Key,
        read: impl FnOnce(&str) -> Reading<T>,
    ) -> Result<Option<Setting<T>>> {
        self.find(key)?.map(|found| found.read(key, read)).transpose()
    }

    /// A setting; where nobody says anything, the default of the table of keys.
    pub fn setting<T>(&self, key: &Key, read: impl FnOnce(&str) -> Reading<T>) -> Result<Setting<T>> {
        match self.find(key)? {
            Some(found) => found.read(key, read),
            None => read(key.default.unwrap_or_default())
                .map(|value| Setting::new(value, Origin::Default))
                .map_err(|_| Error::internal(format!("the default of `{}` is no value of it", key.name))),
        }
    }

    /// The path that was found: `~/` is the home, and what stands in the file starts from its directory.
    pub fn path(&self, key: &Key, found: Found) -> Result<Setting<PathBuf>> {
        let base = found.base().map(Path::to_owned);
        let home = self.places.home.as_deref();
        found.read(key, |text| absolute(text, home, base.as_deref()))
    }
}

fn found(raw: &Raw, origin: Origin) -> Found {
    Found {
        text: raw.text.clone(),
        origin,
        at: Some(raw.at),
    }
}

fn absolute(text: &str, home: Option<&Path>, base: Option<&Path>) -> Reading<PathBuf> {
    if text.is_empty() || text.contains('\0') {
        return Err(Refusal::Unexpected);
    }
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Ok(home.join(rest)),
        (Some(_), None) => Err(Refusal::Because("there is no home directory".to_owned())),
        (None, _) => Ok(base.map_or_else(|| PathBuf::from(text), |base| base.join(text))),
    }
}
