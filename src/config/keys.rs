//! Every key of the configuration and its environment variable: the one list that `config show`, the help,
//! the suggestions for misspelt names and the check of `config.example.toml` all read.

/// Where a key may stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it says which file is read.
    Outside,
    /// At the top only.
    Top,
    /// At the top or in a profile.
    Anywhere,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// Its default as the file would spell it; absent where nothing is assumed.
    pub default: Option<&'static str>,
    /// What it is for, in one line.
    pub meaning: &'static str,
    /// What a value looks like, to follow "expected".
    pub expects: &'static str,
    /// Where it may stand in the file.
    pub place: Place,
    /// Whether it may be written as a number without quotes.
    pub numeric: bool,
}

impl Key {
    const fn new(
        name: &'static str,
        variable: &'static str,
        default: &'static str,
        meaning: &'static str,
        expects: &'static str,
    ) -> Self {
        Self {
            name,
            variable,
            default: if default.is_empty() { None } else { Some(default) },
            meaning,
            expects,
            place: Place::Anywhere,
            numeric: true,
        }
    }

    const fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    const fn text(mut self) -> Self {
        self.numeric = false;
        self
    }
}

const A_PATH: &str = "a path in quotes";
const A_SPAN: &str = "a whole number and a unit in quotes, as in `100ms`, `5s`, `15m` or `12h`";
const DINARS_A_DAY: &str = "whole dinars from 1 to 1000000000000 in plain digits, as in `50000`";

pub(super) const CONFIG: Key = Key::new(
    "config",
    "ONECLICKDZ_CONFIG",
    "<config dir>/oneclick/config.toml",
    "The file that holds the keys below",
    A_PATH,
)
.at(Place::Outside)
.text();

pub(super) const PROFILE: Key = Key::new(
    "profile",
    "ONECLICKDZ_PROFILE",
    "",
    "The profile in use",
    "the name of a profile in quotes",
)
.at(Place::Top)
.text();

pub(super) const OUTPUT: Key = Key::new(
    "output",
    "ONECLICKDZ_OUTPUT",
    "table",
    "The form of what is printed",
    "`table`, `json`, `jsonl` or `csv`",
)
.at(Place::Top);

pub(super) const COLOR: Key = Key::new(
    "color",
    "ONECLICKDZ_COLOR",
    "auto",
    "Whether to use colours",
    "`auto`, `always` or `never`",
)
.at(Place::Top);

pub(super) const LEDGER: Key = Key::new(
    "ledger",
    "ONECLICKDZ_LEDGER",
    "<data dir>/oneclick/ledger.db",
    "The file that remembers every top-up",
    A_PATH,
)
.at(Place::Top)
.text();

pub(super) const API_KEY: Key = Key::new(
    "api_key",
    "ONECLICKDZ_API_KEY",
    "",
    "The API key itself",
    "the key in quotes",
)
.text();

pub(super) const API_KEY_FILE: Key = Key::new(
    "api_key_file",
    "ONECLICKDZ_API_KEY_FILE",
    "",
    "A file that holds only the API key",
    A_PATH,
)
.text();

pub(super) const API_KEY_COMMAND: Key = Key::new(
    "api_key_command",
    "ONECLICKDZ_API_KEY_COMMAND",
    "",
    "A command that prints the API key",
    "a shell command in quotes",
)
.text();

pub(super) const ENVIRONMENT: Key = Key::new(
    "environment",
    "ONECLICKDZ_ENVIRONMENT",
    "",
    "The kind of key that is expected; another kind is refused",
    "`sandbox` or `production`",
);

pub(super) const BASE_URL: Key = Key::new(
    "base_url",
    "ONECLICKDZ_BASE_URL",
    "https://api.oneclickdz.com",
    "The address of the API",
    "an address in quotes, as in `https://api.oneclickdz.com`",
)
.text();

pub(super) const RATE: Key = Key::new(
    "rate",
    "ONECLICKDZ_RATE",
    "auto",
    "Requests a minute; auto is 60 in the sandbox and 120 in production",
    "a whole number of requests a minute from 1 to 1000000, `auto` or `unlimited`",
);

pub(super) const CONCURRENCY: Key = Key::new(
    "concurrency",
    "ONECLICKDZ_CONCURRENCY",
    "auto",
    "Requests that may be on the way at the same time",
    "a whole number from 1 to 256, or `auto`",
);

pub(super) const POLL_INTERVAL: Key = Key::new(
    "poll_interval",
    "ONECLICKDZ_POLL_INTERVAL",
    "5s",
    "How long to wait between two looks at an open top-up",
    "10ms or more: a whole number and a unit in quotes, as in `5s`",
);

pub(super) const POLL_TIMEOUT: Key = Key::new(
    "poll_timeout",
    "ONECLICKDZ_POLL_TIMEOUT",
    "5m",
    "How long to wait for the end of a top-up",
    A_SPAN,
);

pub(super) const SETTLE_DELAY: Key = Key::new(
    "settle_delay",
    "ONECLICKDZ_SETTLE_DELAY",
    "1500ms",
    "How long to wait before asking about an answer that was lost",
    A_SPAN,
);

pub(super) const RETRY_DELAY: Key = Key::new(
    "retry_delay",
    "ONECLICKDZ_RETRY_DELAY",
    "2s",
    "How long to wait before the second attempt; doubled for each one after",
    A_SPAN,
);

pub(super) const RETRY_ATTEMPTS: Key = Key::new(
    "retry_attempts",
    "ONECLICKDZ_RETRY_ATTEMPTS",
    "3",
    "Attempts at one top-up, all under the same ref",
    "a whole number from 1 to 20",
);

pub(super) const CONNECT_TIMEOUT: Key = Key::new(
    "connect_timeout",
    "ONECLICKDZ_CONNECT_TIMEOUT",
    "10s",
    "How long a connection may take to open",
    "1ms or more: a whole number and a unit in quotes, as in `10s`",
);

pub(super) const SEND_TIMEOUT: Key = Key::new(
    "send_timeout",
    "ONECLICKDZ_SEND_TIMEOUT",
    "90s",
    "How long the answer to a send may take before it counts as lost",
    "1ms or more: a whole number and a unit in quotes, as in `90s`",
);

pub(super) const READ_TIMEOUT: Key = Key::new(
    "read_timeout",
    "ONECLICKDZ_READ_TIMEOUT",
    "20s",
    "How long any other answer may take",
    "1ms or more: a whole number and a unit in quotes, as in `20s`",
);

pub(super) const REPEAT_WINDOW: Key = Key::new(
    "repeat_window",
    "ONECLICKDZ_REPEAT_WINDOW",
    "12h",
    "How long the same phone, plan and amount need `--again`",
    A_SPAN,
);

pub(super) const MAX_PER_SEND: Key = Key::new(
    "max_per_send",
    "ONECLICKDZ_MAX_PER_SEND",
    "",
    "The largest face value of one top-up, in dinars",
    "whole dinars from 1 to 10000000 in plain digits, as in `5000`",
);

pub(super) const MAX_PER_NUMBER_PER_DAY: Key = Key::new(
    "max_per_number_per_day",
    "ONECLICKDZ_MAX_PER_NUMBER_PER_DAY",
    "",
    "The most that one number may get in a day, in dinars",
    DINARS_A_DAY,
);

pub(super) const MAX_PER_DAY: Key = Key::new(
    "max_per_day",
    "ONECLICKDZ_MAX_PER_DAY",
    "",
    "The most that may be sent in a day, in dinars",
    DINARS_A_DAY,
);

pub(super) const LOW_BALANCE: Key = Key::new(
    "low_balance",
    "ONECLICKDZ_LOW_BALANCE",
    "",
    "The balance below which a warning is shown, in dinars",
    "dinars in plain digits, as in `10000` or `\"10000.50\"`",
);

/// Every key, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    CONFIG,
    PROFILE,
    OUTPUT,
    COLOR,
    LEDGER,
    API_KEY,
    API_KEY_FILE,
    API_KEY_COMMAND,
    ENVIRONMENT,
    BASE_URL,
    RATE,
    CONCURRENCY,
    POLL_INTERVAL,
    POLL_TIMEOUT,
    SETTLE_DELAY,
    RETRY_DELAY,
    RETRY_ATTEMPTS,
    CONNECT_TIMEOUT,
    SEND_TIMEOUT,
    READ_TIMEOUT,
    REPEAT_WINDOW,
    MAX_PER_SEND,
    MAX_PER_NUMBER_PER_DAY,
    MAX_PER_DAY,
    LOW_BALANCE,
];

/// The key that the file calls `name`.
pub(super) fn of_file(name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.name == name && key.place != Place::Outside)
}

/// The candidate that was probably meant: at most a third of its letters away.
pub(super) fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&typed, &candidate.to_ascii_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::super::env::PREFIX;
    use super::*;

    #[test]
    fn each_variable_is_the_prefix_and_the_name() {
        for key in KEYS {
            assert_eq!(key.variable, format!("{PREFIX}{}", key.name.to_uppercase()));
        }
    }

    #[test]
    fn names_are_unique_and_meanings_are_one_line() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        for key in KEYS {
            assert!(
                !key.meaning.is_empty() && !key.meaning.contains('\n'),
                "{}",
                key.name
            );
        }
    }

    #[test]
    fn a_slip_of_the_keyboard_finds_its_key_and_a_stranger_does_not() {
        let names = || KEYS.iter().map(|key| key.name);
        assert_eq!(nearest("raet", names()), Some("rate"));
        assert_eq!(nearest("Poll-Interval", names()), Some("poll_interval"));
        assert_eq!(nearest("apikey", names()), Some("api_key"));
        assert_eq!(nearest("zzz", names()), None);
        assert_eq!(nearest("", names()), None);
    }
}
