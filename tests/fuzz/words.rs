//! Words and files that people write: refs, labels, lengths of time, moments, plans, and the configuration.

use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;
use oneclick::config::{Config, Env, Overrides, Places};
use oneclick::domain::{
    Account, Amount, Environment, Label, Phone, PlanCode, Ref, RefPrefix, Span, When, in_algiers, shown,
    start_of_day,
};

use crate::runner::Target;

/// What nobody sees and nobody can type again.
fn is_unseen(character: char) -> bool {
    character.is_control() || "\u{202e}\u{200b}\u{200f}\u{feff}\u{a0}\u{2028}\u{85}\u{ad}".contains(character)
}

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is refused"))
}

/// A ref is taken letter by letter, or refused; a label makes refs of the safe alphabet.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(reference) = text.parse::<Ref>() {
        assert_eq!(reference.as_str(), text);
        assert!(
            !text.contains(is_unseen) && text.trim() == text && text.chars().count() <= 100,
            "{text:?}"
        );
        assert!(!matches!(&*text, "" | "." | ".."), "{text:?} changes the address");
        let prefixed = reference.prefixed("+213770000000");
        assert!(reference.is_meant_by(&prefixed, "+213770000000") && reference.may_be_meant_by(&prefixed));
    }
    if let Ok(prefix) = text.parse::<RefPrefix>() {
        let made = prefix.make(9_999_999_999_999, "zzzzzz");
        assert!(is_safe(made.as_str()), "{made}");
    }
    if let Ok(label) = text.parse::<Label>() {
        assert_eq!(parsed::<Label>(label.as_str()), label);
        assert!(!label.as_str().contains(is_unseen), "{text:?}");
        let account = Account {
            username: "+213770000000".to_owned(),
            environment: Environment::Sandbox,
        };
        let (phone, plan): (Phone, PlanCode) = (parsed("0778037340"), parsed("PREPAID_DJEZZY"));
        let amount = Amount::of(500).unwrap_or_else(|error| panic!("{error}"));
        let refs = label.refs(&account);
        let (first, second) = (
            refs.of(&phone, &plan, amount, 1),
            refs.of(&phone, &plan, amount, 2),
        );
        assert!(is_safe(first.as_str()) && first != second, "{first} {second}");
        assert_eq!(first, parsed(first.as_str()));
    }
    if let Ok(plan) = text.parse::<PlanCode>() {
        assert_eq!(parsed::<PlanCode>(plan.as_str()), plan);
    }
    let told = shown(&text);
    assert!(
        !told.contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{told:?} is shown as it is"
    );
}

/// Letters, digits and dashes, at most 60 (design, section 4).
fn is_safe(reference: &str) -> bool {
    reference.len() <= 60
        && reference
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Lengths of time come back as they were printed; every moment is one, and a range does not end before it begins.
pub fn times(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(span) = text.parse::<Span>() {
        assert_eq!(parsed::<Span>(&span.to_string()), span, "{text:?} is {span}");
    }
    let Ok(when) = text.parse::<When>() else {
        return;
    };
    let now: Timestamp = parsed("2026-11-26T10:00:00Z");
    for now in [now, Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
        let (from, to) = (when.moment(now), when.end(now));
        assert!(from <= to, "{text:?} at {now}: {from} to {to}");
        assert!(start_of_day(from) <= from, "{text:?} at {now}");
        assert!(!in_algiers(from).is_empty());
    }
}

/// The key that files of this test have in them.
const KEY: &str = "3f9a7c1e-fuzz-key-0b5d";

/// A file is read or refused, and neither its refusal nor what is shown of it has the key where it stands in a place
/// for keys, well spelt or not. In other places it is a name or a value like any other, and is told.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut with_key = text.split(['\n', '\r']).filter(|line| line.contains(KEY));
    let is_secret = with_key.all(|line| {
        let (name, value) = line.split_once('=').unwrap_or_default();
        name.trim().starts_with("api_k") && !name.contains(KEY) && value.contains(KEY)
    });
    let mut file = tempfile::NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
    file.write_all(bytes).unwrap_or_else(|error| panic!("{error}"));
    let overrides = Overrides {
        config: Some(file.path().to_owned()),
        ..Overrides::default()
    };
    let env = Env::of(Vec::<(String, String)>::new());
    match Config::load(&overrides, &env, &Places::under(Path::new("/nowhere"))) {
        Ok(config) => {
            let rows = config.rows();
            assert!(!rows.is_empty());
            for row in rows {
                let told = format!("{:?} {}", row.value, row.origin);
                assert!(!is_secret || !told.contains(KEY), "`{}` shows the key", row.key);
            }
        }
        Err(error) => {
            let told = format!("{error} {:?}", error.hints);
            assert!(!is_secret || !told.contains(KEY), "{told}");
            assert!(!error.to_string().contains('\u{1b}'), "{told:?}");
        }
    }
}

#[test]
fn refs_and_labels_are_taken_as_they_are_or_refused() {
    let words = &[
        "order-1",
        "API-",
        "+213",
        "user123",
        "-r2",
        ".",
        "..",
        "/",
        "?",
        "#",
        "%2e",
        " ",
        "\u{202e}",
        "\u{200b}",
        "\n",
        "\u{0}",
        "طلب",
        "é",
        "PREPAID_DJEZZY",
        "november",
        "_",
        "\u{ad}",
        "\u{2028}",
        "a",
        "Z9",
    ];
    Target::new("names", words, 20_000).run(names);
}

#[test]
fn lengths_of_time_and_moments_hold_together() {
    let words = &[
        "today",
        "yesterday",
        "12h",
        "7d",
        "100ms",
        "5s",
        "15m",
        "min",
        "2026-11-24",
        "T08:00:00",
        "+01:00",
        "Z",
        "-",
        ":",
        "9999-12-31",
        "-009999-01-01",
        "0001-01-01",
        "366d",
        "1",
        "0",
        " ",
        "[Africa/Algiers]",
        ".999999999",
        "+25:59",
    ];
    Target::new("times", words, 20_000).run(times);
}

#[test]
fn a_configuration_is_read_or_refused_and_never_shows_the_key() {
    let words = &[
        "api_key = \"3f9a7c1e-fuzz-key-0b5d\"\n",
        "[profiles.a]\n",
        "profile = \"a\"\n",
        "poll_interval = \"5s\"\n",
        "rate = 60\n",
        "rate = \"auto\"\n",
        "environment = \"sandbox\"\n",
        "base_url = \"https://api.oneclickdz.com\"\n",
        "=",
        "\"",
        "'''",
        "[",
        "]",
        "{",
        "}",
        "#",
        "\n",
        ".",
        "max_per_day",
        "low_balance = 500\n",
        "\u{1b}",
        "\u{202e}",
        "\u{0}",
        "true",
        "1e9",
        "0x10",
        "-1",
        "api_key",
        "3f9a7c1e-fuzz-key-0b5d",
        "ledger = \"/x\"\n",
        "2026-11-24",
        "\\u0000",
        "concurrency = 4\n",
    ];
    Target::new("config", words, 3_000).run(config);
}
