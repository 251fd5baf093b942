//! The configuration file: read once, each value with its position, so that an error can point at it.
//! No line of the file is ever quoted, since any may hold the key.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, API_KEY, Key, Place};
use super::private;
use crate::error::{Error, Kind, Result};

/// A configuration is some dozens of lines; whatever is larger is another file.
const SIZE_MAX: u64 = 1024 * 1024;

/// A place in the file, counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub text: String,
    pub at: Position,
}

/// The values of the top of the file or of one profile, by name of their key.
pub(super) type Layer = BTreeMap<&'static str, Raw>;

/// The file, or what stands for it when there is none.
#[derive(Debug, Default)]
pub(super) struct File {
    pub path: PathBuf,
    pub exists: bool,
    pub top: Layer,
    pub profiles: BTreeMap<String, Layer>,
}

impl File {
    /// Reads the file at `path`; a missing one is an error only when it was asked for by name.
    pub fn open(path: &Path, asked_for: bool) -> Result<Self> {
        let Some(source) = Source::read(path)? else {
            if asked_for {
                let message = format!("there is no file {}", path.display());
                return Err(Error::usage("config_missing", message).hint(format!(
                    "`oneclick config init --config {}` writes a first one there",
                    private::shell_word(&path.to_string_lossy())
                )));
            }
            return Ok(Self {
                path: path.to_owned(),
                ..Self::default()
            });
        };
        let file = Self::parse(path, &source.text)?;
        if source.exposed && file.holds_a_key() {
            let message = format!("{} holds an API key and others can read it", path.display());
            return Err(Error::new(Kind::Auth, "config_permissions", message).hint(private::chmod_hint(path)));
        }
        Ok(file)
    }

    /// Understands the text of the file at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let document = DeTable::parse(text).map_err(|error| syntax_error(path, text, &error))?;
        let reader = Reader { path, text };
        let mut file = Self {
            path: path.to_owned(),
            exists: true,
            ..Self::default()
        };
        for (name, value) in in_order(document.get_ref()) {
            match (name.get_ref().as_ref(), value.get_ref()) {
                // `profile = "shop"` and `[profile.shop]` can't both stand in TOML, hence the plural. A file that
                // does not choose a profile itself may use either.
                ("profiles" | "profile", DeValue::Table(profiles)) => {
                    reader.profiles(profiles, &mut file.profiles)?;
                }
                _ => reader.value(name, value, None, &mut file.top)?,
            }
        }
        Ok(file)
    }

    fn holds_a_key(&self) -> bool {
        std::iter::once(&self.top)
            .chain(self.profiles.values())
            .any(|layer| layer.contains_key(API_KEY.name))
    }
}

struct Source {
    text: String,
    exposed: bool,
}

impl Source {
    fn read(path: &Path) -> Result<Option<Self>> {
        let unreadable = |error: std::io::Error| {
            let message = format!("can't read {}", path.display());
            Error::usage("config_unreadable", message).because(error)
        };
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            let message = format!("{} is a directory, not a file", path.display());
            return Err(Error::usage("config_is_directory", message));
        }
        let mut bytes = Vec::new();
        file.take(SIZE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > SIZE_MAX {
            let message = format!("{} is larger than 1 MiB; it is no configuration", path.display());
            return Err(Error::usage("config_too_large", message));
        }
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
        Ok(Some(Self {
            text,
            exposed: private::others_can_read(&metadata),
        }))
    }
}

fn not_utf8(path: &Path, error: &FromUtf8Error) -> Error {
    let readable = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let readable = String::from_utf8_lossy(readable);
    let at = Position::of(&readable, readable.len());
    let message = format!("{} is not UTF-8", whence(path, at));
    Error::usage("config_encoding", message).hint("save it again as UTF-8")
}

fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let at = Position::of(text, error.span().map_or(0, |span| span.start));
    let message = format!("{}: {}", whence(path, at), error.message());
    let both = text
        .contains("[profile.")
        .then(|| "a file with `profile = …` names its profiles `[profiles.NAME]`, in the plural".to_owned());
    Error::usage("config_syntax", message).maybe_hint(both)
}

/// `/…/config.toml, line 3, column 1`.
pub(super) fn whence(path: &Path, at: Position) -> String {
    format!("{}, line {}, column {}", path.display(), at.line, at.column)
}

type Name<'i> = Spanned<std::borrow::Cow<'i, str>>;
type Value<'i> = Spanned<DeValue<'i>>;

/// The first mistake in the file is the one to tell; the table itself is sorted by name.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Name<'i>, &'t Value<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn at(&self, byte: usize) -> Position {
        Position::of(self.text, byte)
    }

    fn profiles(&self, table: &DeTable<'_>, profiles: &mut BTreeMap<String, Layer>) -> Result<()> {
        for (name, value) in in_order(table) {
            let whence = whence(self.path, self.at(name.span().start));
            let shown = name.get_ref().escape_debug().to_string();
            let DeValue::Table(values) = value.get_ref() else {
                let message = format!("`{shown}` is no table in {whence}; a profile is `[profiles.NAME]`");
                return Err(Error::usage("config_value", message));
            };
            if !is_profile_name(name.get_ref()) {
                let message = format!("`{shown}` is no name for a profile in {whence}");
                return Err(Error::usage("config_value", message).hint(PROFILE_NAME_HINT));
            }
            let mut layer = Layer::new();
            for (key, value) in in_order(values) {
                self.value(key, value, Some(name.get_ref()), &mut layer)?;
            }
            if profiles.insert(name.get_ref().to_string(), layer).is_some() {
                let message = format!("profile `{shown}` stands twice, again in {whence}");
                return Err(Error::usage("config_value", message));
            }
        }
        Ok(())
    }

    fn value(
        &self,
        name: &Name<'_>,
        value: &Value<'_>,
        profile: Option<&str>,
        layer: &mut Layer,
    ) -> Result<()> {
        let whence = whence(self.path, self.at(name.span().start));
        let Some(key) = keys::of_file(name.get_ref()) else {
            return Err(unknown_key(name.get_ref(), &whence, profile));
        };
        if profile.is_some() && key.place == Place::Top {
            let message = format!("`{}` can't stand in a profile: {whence}", key.name);
            return Err(Error::usage("config_misplaced_key", message)
                .hint(format!("put `{}` at the top of the file", key.name)));
        }
        let at = self.at(value.span().start);
        let text = self.scalar(key, value, at)?;
        layer.insert(key.name, Raw { text, at });
        Ok(())
    }

    fn scalar(&self, key: &Key, value: &Value<'_>, at: Position) -> Result<String> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) if key.numeric => {
                let plain = i64::from_str_radix(number.as_str(), number.radix());
                Ok(plain.map_or_else(|_| number.to_string(), |number| number.to_string()))
            }
            other => {
                let written = self.text.get(value.span()).unwrap_or_default();
                let given = match other {
                    _ if key.name == API_KEY.name => String::new(),
                    DeValue::Table(_) | DeValue::Array(_) => String::new(),
                    _ => format!(" `{}`", written.escape_debug()),
                };
                let message = format!(
                    "`{}` is the {}{given} in {}; expected {}",
                    key.name,
                    other.type_str(),
                    whence(self.path, at),
                    key.expects
                );
                Err(Error::usage("config_value", message))
            }
        }
    }
}

fn unknown_key(name: &str, whence: &str, profile: Option<&str>) -> Error {
    let allowed = keys::KEYS
        .iter()
        .filter(|key| match key.place {
            Place::Outside => false,
            Place::Top => profile.is_none(),
            Place::Anywhere => true,
        })
        .map(|key| key.name);
    let message = format!("unknown key `{}` in {whence}", name.escape_debug());
    let meant = keys::nearest(name, allowed).map(|meant| format!("did you mean `{meant}`?"));
    Error::usage("config_unknown_key", message).maybe_hint(meant)
}

/// How a profile may be called.
pub(super) const PROFILE_NAME_HINT: &str =
    "a profile's name has 1 to 64 letters, digits, `-`, `_` or `.`, in any script";

/// Whether a profile may be called so: names are typed on command lines and shown in tables.
pub(super) fn is_profile_name(name: &str) -> bool {
    (1..=64).contains(&name.chars().count())
        && !name.starts_with('-')
        && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}
