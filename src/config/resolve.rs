//! From layers to one configuration: which file, which profile, and the value of every key.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::env::{Env, PREFIX, Places};
use super::file::File;
use super::keys::{self, Key};
use super::layer::{Found, Layers, Reading, Refusal, plain};
use super::origin::{Origin, Setting};
use super::secret::{self, KeySource};
use super::values::Cap;
use super::{Beneath, Config, Overrides};
use crate::domain::{Amount, Money, Span};
use crate::error::{Error, Result};

/// Attempts beyond this help no order and hide a fault.
const ATTEMPTS_MAX: u32 = 20;

/// The pace of a rehearsal: the simulator answers at once, and nobody wants to wait for a lesson.
const REHEARSED_POLL: Span = Span::from_millis(400);
const REHEARSED_SETTLE: Span = Span::from_millis(300);
const REHEARSED_RETRY: Span = Span::from_millis(400);

/// The file that would be read: `--config`, `ONECLICKDZ_CONFIG`, or the platform's place.
pub(super) fn locate(overrides: &Overrides, env: &Env, places: &Places) -> Result<Setting<PathBuf>> {
    if let Some(path) = &overrides.config {
        return Ok(Setting::new(path.clone(), Origin::Flag("--config")));
    }
    if let Some(path) = env.get(keys::CONFIG.variable) {
        let origin = Origin::Variable(keys::CONFIG.variable.to_owned());
        return Ok(Setting::new(PathBuf::from(path), origin));
    }
    let directory = places.config_dir.as_ref().ok_or_else(|| no_home("--config"))?;
    Ok(Setting::new(
        directory.join("oneclick/config.toml"),
        Origin::Default,
    ))
}

/// The key that a file with this text leads to, the top of it alone.
pub(super) fn key_of(text: &str, path: &Path, places: &Places) -> Result<SecretString> {
    let env = Env::of::<String, String>([]);
    let file = File::parse(path, text)?;
    let layers = Layers {
        env: &env,
        places,
        file: &file,
        profile: None,
    };
    secret::fetch(key_source(&layers)?.as_ref(), &env)
}

fn no_home(way_out: &str) -> Error {
    Error::usage("no_home", "there is no home directory to keep files in")
        .hint(format!("set `HOME`, or use {way_out}"))
}

/// Reads the layers and decides every key.
pub(super) fn load(overrides: &Overrides, env: &Env, places: &Places) -> Result<Config> {
    let location = locate(overrides, env, places)?;
    let must_be_there = !location.is_default() && !overrides.makes_file;
    let file = File::open(&location.value, must_be_there)?;
    let mut layers = Layers {
        env,
        places,
        file: &file,
        profile: None,
    };
    let profile = chosen_profile(overrides, &layers)?;
    layers.profile = profile.as_ref().and_then(|chosen| {
        let layer = file.profiles.get(&chosen.value)?;
        Some((chosen.value.as_str(), layer))
    });
    let config = decide(overrides, &layers, location, profile.clone())?;
    Ok(if overrides.simulate {
        rehearsed(config)
    } else {
        config
    })
}

fn decide(
    overrides: &Overrides,
    layers: &Layers<'_>,
    location: Setting<PathBuf>,
    profile: Option<Setting<String>>,
) -> Result<Config> {
    let api_key = key_source(layers)?;
    let ledger = ledger(layers)?;
    Ok(Config {
        key_mask: secret::mask_at_hand(api_key.as_ref(), layers.env),
        simulator_dir: ledger.value.with_file_name("simulator"),
        beneath: beneath(layers)?,
        path_named_by: named_by(&location, layers.env),
        path: location.value.clone(),
        file_exists: layers.file.exists,
        profiles: layers.file.profiles.keys().cloned().collect(),
        warnings: unknown_variables(layers.env),
        location,
        profile,
        output: flag_or(overrides.output, "--output", || {
            layers.setting(&keys::OUTPUT, plain)
        })?,
        color: flag_or(overrides.color, "--color", || layers.setting(&keys::COLOR, plain))?,
        ledger,
        api_key,
        environment: layers.optional(&keys::ENVIRONMENT, plain)?,
        base_url: layers.setting(&keys::BASE_URL, base_url)?,
        rate: layers.setting(&keys::RATE, plain)?,
        concurrency: layers.setting(&keys::CONCURRENCY, plain)?,
        poll_interval: layers.setting(&keys::POLL_INTERVAL, span_from(10))?,
        poll_timeout: layers.setting(&keys::POLL_TIMEOUT, plain)?,
        settle_delay: layers.setting(&keys::SETTLE_DELAY, plain)?,
        retry_delay: layers.setting(&keys::RETRY_DELAY, plain)?,
        retry_attempts: layers.setting(&keys::RETRY_ATTEMPTS, attempts)?,
        connect_timeout: layers.setting(&keys::CONNECT_TIMEOUT, span_from(1))?,
        send_timeout: layers.setting(&keys::SEND_TIMEOUT, span_from(1))?,
        read_timeout: layers.setting(&keys::READ_TIMEOUT, span_from(1))?,
        repeat_window: layers.setting(&keys::REPEAT_WINDOW, plain)?,
        max_per_send: layers.optional(&keys::MAX_PER_SEND, plain)?,
        max_per_number_per_day: layers.optional(&keys::MAX_PER_NUMBER_PER_DAY, plain)?,
        max_per_day: layers.optional(&keys::MAX_PER_DAY, plain)?,
        low_balance: layers.optional(&keys::LOW_BALANCE, threshold)?,
    })
}

/// What guards there are below the variables. What can't be read there is none: a variable beats it anyway.
fn beneath(layers: &Layers<'_>) -> Result<Beneath> {
    let none = Env::of::<String, String>([]);
    let file = Layers {
        env: &none,
        ..*layers
    };
    let window = &keys::REPEAT_WINDOW;
    let repeat_window = match file.setting(window, plain) {
        Ok(setting) => setting,
        Err(_) => layers.setting(window, plain)?,
    };
    let value = |cap: Option<Setting<Cap>>| cap.map(|cap| cap.value);
    let of_one = file.optional(&keys::MAX_PER_SEND, plain).ok().flatten();
    Ok(Beneath {
        repeat_window: repeat_window.value,
        max_per_send: of_one.map(|cap: Setting<Amount>| cap.value),
        max_per_number_per_day: value(file.optional(&keys::MAX_PER_NUMBER_PER_DAY, plain).ok().flatten()),
        max_per_day: value(file.optional(&keys::MAX_PER_DAY, plain).ok().flatten()),
    })
}

/// The flag or variable that leads to another file than the user's own.
fn named_by(location: &Setting<PathBuf>, env: &Env) -> Option<Origin> {
    const PLACE: &str = "XDG_CONFIG_HOME";
    match &location.origin {
        Origin::Default => env.get(PLACE).map(|_| Origin::Variable(PLACE.to_owned())),
        named => Some(named.clone()),
    }
}

fn flag_or<T>(
    flag: Option<T>,
    name: &'static str,
    below: impl FnOnce() -> Result<Setting<T>>,
) -> Result<Setting<T>> {
    match flag {
        Some(value) => Ok(Setting::new(value, Origin::Flag(name))),
        None => below(),
    }
}

/// The profile that the flag, the variable or the top of the file names; it must be in the file, unless the command makes
/// it.
fn chosen_profile(overrides: &Overrides, layers: &Layers<'_>) -> Result<Option<Setting<String>>> {
    let chosen = match &overrides.profile {
        // What is made is made where the flag says, whatever is in use.
        Some(name) if overrides.makes_file && !layers.file.profiles.contains_key(name) => return Ok(None),
        None if overrides.makes_file => return Ok(None),
        Some(name) => Some(Setting::new(name.clone(), Origin::Flag("--profile"))),
        None => layers.optional(&keys::PROFILE, |text| Ok(text.to_owned()))?,
    };
    match chosen {
        Some(chosen) if !layers.file.profiles.contains_key(&chosen.value) => {
            Err(unknown_profile(&chosen, layers.file))
        }
        known => Ok(known),
    }
}

fn unknown_profile(chosen: &Setting<String>, file: &File) -> Error {
    let name = chosen.value.escape_debug();
    let names: Vec<_> = file.profiles.keys().map(String::as_str).collect();
    let meant = keys::nearest(&chosen.value, names.iter().copied());
    let list = if names.is_empty() {
        format!("{} has no `[profiles.NAME]`", file.path.display())
    } else {
        format!("{} has `{}`", file.path.display(), names.join("`, `"))
    };
    let message = format!("there is no profile `{name}`, named by {}", chosen.origin);
    Error::usage("profile_unknown", message)
        .maybe_hint(meant.map(|meant| format!("did you mean `{meant}`?")))
        .hint(list)
}

/// The strongest layer that names any source of the key wins; inside a layer, the source that hides the key
/// best comes first. The variable is the exception: whoever sets it means it.
fn key_source(layers: &Layers<'_>) -> Result<Option<Setting<KeySource>>> {
    if let Some(found) = layers.variable(&keys::API_KEY)? {
        return Ok(Some(Setting::new(KeySource::Variable, found.origin)));
    }
    if let Some(found) = layers.variable(&keys::API_KEY_COMMAND)? {
        return command(found).map(Some);
    }
    if let Some(found) = layers.variable(&keys::API_KEY_FILE)? {
        return key_file(layers, found).map(Some);
    }
    match key_of_layer(layers, |key| layers.in_profile(key))? {
        None => key_of_layer(layers, |key| layers.at_top(key)),
        found => Ok(found),
    }
}

fn key_of_layer(
    layers: &Layers<'_>,
    find: impl Fn(&Key) -> Option<Found>,
) -> Result<Option<Setting<KeySource>>> {
    if let Some(found) = find(&keys::API_KEY_COMMAND) {
        return command(found).map(Some);
    }
    if let Some(found) = find(&keys::API_KEY_FILE) {
        return key_file(layers, found).map(Some);
    }
    Ok(find(&keys::API_KEY)
        .map(|found| Setting::new(KeySource::Inline(SecretString::from(found.text)), found.origin)))
}

fn command(found: Found) -> Result<Setting<KeySource>> {
    found.read(&keys::API_KEY_COMMAND, |text| {
        if text.trim().is_empty() || text.contains('\0') {
            let why = format!("expected {}", keys::API_KEY_COMMAND.expects);
            return Err(Refusal::Unshown(why));
        }
        Ok(KeySource::Command(text.to_owned()))
    })
}

fn key_file(layers: &Layers<'_>, found: Found) -> Result<Setting<KeySource>> {
    let path = layers.path(&keys::API_KEY_FILE, found)?;
    Ok(Setting::new(KeySource::File(path.value), path.origin))
}

fn ledger(layers: &Layers<'_>) -> Result<Setting<PathBuf>> {
    if let Some(found) = layers.find(&keys::LEDGER)? {
        return layers.path(&keys::LEDGER, found);
    }
    let directory = layers.places.data_dir.as_ref();
    let directory = directory.ok_or_else(|| no_home("`ONECLICKDZ_LEDGER`"))?;
    Ok(Setting::new(
        directory.join("oneclick/ledger.db"),
        Origin::Default,
    ))
}

fn base_url(text: &str) -> Reading<super::BaseUrl> {
    text.parse().map_err(|error: super::BaseUrlError| {
        // What follows these marks may be a password or a key.
        if text.contains(['@', '?', '#']) {
            Refusal::Unshown(error.to_string())
        } else {
            Refusal::Because(error.to_string())
        }
    })
}

/// A length of time below which a wait would spin or a limit would refuse everything.
fn span_from(milliseconds_min: u64) -> impl Fn(&str) -> Reading<Span> {
    move |text| {
        plain(text).and_then(|span: Span| {
            if span < Span::from_millis(milliseconds_min) {
                Err(Refusal::Unexpected)
            } else {
                Ok(span)
            }
        })
    }
}

fn attempts(text: &str) -> Reading<u32> {
    let count: NonZeroU32 = plain(text.trim())?;
    if count.get() > ATTEMPTS_MAX {
        return Err(Refusal::Unexpected);
    }
    Ok(count.get())
}

fn threshold(text: &str) -> Reading<Money> {
    let money: Money = plain(text)?;
    if money.is_negative() {
        return Err(Refusal::Unexpected);
    }
    Ok(money)
}

/// A variable that nobody reads is most likely a misspelt one; it is told, and never its value.
fn unknown_variables(env: &Env) -> Vec<String> {
    let known = || keys::KEYS.iter().map(|key| key.variable);
    env.names_with(PREFIX)
        .filter(|name| known().all(|variable| variable != *name))
        .map(|name| {
            // Without the prefix: it is long enough to make any two names look alike.
            let typed = name.trim_start_matches(PREFIX);
            let meant = keys::nearest(typed, keys::KEYS.iter().map(|key| key.name));
            let hint = meant.map_or_else(String::new, |meant| {
                format!("; did you mean `{PREFIX}{}`?", meant.to_uppercase())
            });
            format!("variable `{}` means nothing{hint}", name.escape_debug())
        })
        .collect()
}

/// What `--simulate` changes: no key, no declared environment, a ledger of its own, a quicker pace.
fn rehearsed(mut config: Config) -> Config {
    let origin = Origin::Flag("--simulate");
    config.api_key = None;
    config.key_mask = None;
    config.environment = None;
    config.ledger = Setting::new(config.simulator_dir.join("ledger.db"), origin.clone());
    for (span, rehearsed) in [
        (&mut config.poll_interval, REHEARSED_POLL),
        (&mut config.settle_delay, REHEARSED_SETTLE),
        (&mut config.retry_delay, REHEARSED_RETRY),
    ] {
        if span.is_default() {
            *span = Setting::new(rehearsed, origin.clone());
        }
    }
    config
}
