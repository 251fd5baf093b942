//! The rows of `config show`: every key with its value and origin, the API key masked.

use std::fmt::Display;

use super::keys;
use super::origin::{Origin, Setting};
use super::{Config, secret};

/// One key as `config show` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The key's name.
    pub key: &'static str,
    /// Its value; absent where there is none.
    pub value: Option<String>,
    /// Where the value came from.
    pub origin: String,
}

impl Row {
    fn of<T: Display>(key: keys::Key, setting: &Setting<T>) -> Self {
        Self {
            key: key.name,
            value: Some(setting.value.to_string()),
            origin: setting.origin.to_string(),
        }
    }

    fn maybe<T: Display>(key: keys::Key, setting: Option<&Setting<T>>) -> Self {
        setting.map_or_else(
            || Self {
                key: key.name,
                value: None,
                origin: Origin::Default.to_string(),
            },
            |setting| Self::of(key, setting),
        )
    }
}

/// Every key, in the order of the table of keys.
pub(super) fn rows(config: &Config) -> Vec<Row> {
    let path = |setting: &Setting<std::path::PathBuf>| {
        Setting::new(setting.value.display().to_string(), setting.origin.clone())
    };
    vec![
        Row::of(keys::CONFIG, &path(&config.location)),
        Row::maybe(keys::PROFILE, config.profile.as_ref()),
        Row::of(keys::OUTPUT, &config.output),
        Row::of(keys::COLOR, &config.color),
        Row::of(keys::LEDGER, &path(&config.ledger)),
        key_row(config, keys::API_KEY),
        key_row(config, keys::API_KEY_FILE),
        key_row(config, keys::API_KEY_COMMAND),
        Row::maybe(keys::ENVIRONMENT, config.environment.as_ref()),
        Row::of(keys::BASE_URL, &config.base_url),
        Row::of(keys::RATE, &config.rate),
        Row::of(keys::CONCURRENCY, &config.concurrency),
        Row::of(keys::POLL_INTERVAL, &config.poll_interval),
        Row::of(keys::POLL_TIMEOUT, &config.poll_timeout),
        Row::of(keys::SETTLE_DELAY, &config.settle_delay),
        Row::of(keys::RETRY_DELAY, &config.retry_delay),
        Row::of(keys::RETRY_ATTEMPTS, &config.retry_attempts),
        Row::of(keys::CONNECT_TIMEOUT, &config.connect_timeout),
        Row::of(keys::SEND_TIMEOUT, &config.send_timeout),
        Row::of(keys::READ_TIMEOUT, &config.read_timeout),
        Row::of(keys::REPEAT_WINDOW, &config.repeat_window),
        Row::maybe(keys::MAX_PER_SEND, config.max_per_send.as_ref()),
        Row::maybe(
            keys::MAX_PER_NUMBER_PER_DAY,
            config.max_per_number_per_day.as_ref(),
        ),
        Row::maybe(keys::MAX_PER_DAY, config.max_per_day.as_ref()),
        Row::maybe(keys::LOW_BALANCE, config.low_balance.as_ref()),
    ]
}

/// The row of one way to the API key: only one of the three decides.
fn key_row(config: &Config, key: keys::Key) -> Row {
    let Some(setting) = &config.api_key else {
        return Row::maybe::<String>(key, None);
    };
    let decides = setting.value.key_name();
    if decides != key.name {
        return Row {
            key: key.name,
            value: None,
            origin: format!("not used: `{decides}` decides"),
        };
    }
    let value = config.key_mask.clone();
    Row {
        key: key.name,
        value: Some(value.unwrap_or_else(|| secret::shown(&setting.value))),
        origin: setting.origin.to_string(),
    }
}
