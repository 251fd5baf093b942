//! Keeps the key out of everything that is stored or shown, even when a server echoes it.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::promise::{Rule, holds};

/// What stands where the key stood.
const WITHHELD: &str = "[key withheld]";

/// From this length on a key can't be an ordinary word, so it is taken out before anything is read.
const UNMISTAKABLE: usize = 12;

/// From this length on the beginning of a key at a text's end is taken for the key, cut off.
const PART_OF_KEY: usize = 6;

/// The text without a key, however the key is spelt in it: in capitals, with the escapes of JSON, URLs and HTML, one
/// inside the other and mixed. For what leaves this machine in other hands; `is_identity` says that the text tells orders
/// apart, so that a key which could be an ordinary word stays in it.
pub fn withhold(key: &SecretString, text: &str, is_identity: bool) -> String {
    let key = key.expose_secret();
    if key.is_empty() || (is_identity && key.len() < UNMISTAKABLE) {
        return text.to_owned();
    }
    replaced(text, |rest| {
        behind_key(rest, key, usize::MAX, |a, b| a.eq_ignore_ascii_case(&b))
    })
}

/// The text with the mark wherever `behind` says that the key begins.
fn replaced<'a>(text: &'a str, behind: impl Fn(&'a str) -> Option<&'a str>) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(behind) = behind(rest) {
            kept.push_str(WITHHELD);
            rest = behind;
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

/// Whether two characters are the same one.
type Same = fn(char, char) -> bool;

/// What stands behind the key, where `text` begins with it, each of its characters in whatever spelling; or with the
/// first `part` of them, where it ends there.
fn behind_key<'a>(text: &'a str, key: &str, part: usize, same: Same) -> Option<&'a str> {
    let mut rest = text;
    for (count, wanted) in key.chars().enumerate() {
        if rest.is_empty() && count >= part {
            break;
        }
        rest = behind_character(rest, &|found| same(found, wanted))?;
    }
    Some(rest)
}

/// What stands behind a character, where `text` begins with it in any spelling.
fn behind_character<'a>(text: &'a str, is_wanted: &dyn Fn(char) -> bool) -> Option<&'a str> {
    let behind = match text.chars().next()? {
        '\\' => behind_backslash(text.trim_start_matches('\\'), is_wanted),
        '%' => behind_percent(text, is_wanted),
        '&' => behind_entity(text, is_wanted),
        _ => None,
    };
    behind.or_else(|| behind_itself(text, is_wanted))
}

fn behind_itself<'a>(text: &'a str, is_wanted: &dyn Fn(char) -> bool) -> Option<&'a str> {
    let mut characters = text.chars();
    is_wanted(characters.next()?).then_some(characters.as_str())
}

/// Whether digits are the code of a character.
fn is_code(digits: &str, radix: u32, is_wanted: &dyn Fn(char) -> bool) -> bool {
    let code = u32::from_str_radix(digits, radix).ok();
    code.and_then(char::from_u32).is_some_and(is_wanted)
}

fn behind_backslash<'a>(escaped: &'a str, is_wanted: &dyn Fn(char) -> bool) -> Option<&'a str> {
    let hex = |mark: char, length: usize| {
        let (digits, behind) = escaped.strip_prefix(mark)?.split_at_checked(length)?;
        is_code(digits, 16, is_wanted).then_some(behind)
    };
    hex('u', 4)
        .or_else(|| hex('x', 2))
        .or_else(|| behind_itself(escaped, is_wanted))
}

/// `%2F`, and `%252F` where it was encoded twice.
fn behind_percent<'a>(text: &'a str, is_wanted: &dyn Fn(char) -> bool) -> Option<&'a str> {
    let mut digits = text.strip_prefix('%')?;
    while let Some(again) = digits.strip_prefix("25").filter(|_| !is_wanted('%')) {
        digits = again;
    }
    let (digits, behind) = digits.split_at_checked(2)?;
    is_code(digits, 16, is_wanted).then_some(behind)
}

fn behind_entity<'a>(text: &'a str, is_wanted: &dyn Fn(char) -> bool) -> Option<&'a str> {
    let (entity, behind) = text.strip_prefix('&')?.split_once(';')?;
    let named = match entity {
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "lt" => Some('<'),
        "gt" => Some('>'),
        _ => None,
    };
    let is_it = match entity.strip_prefix('#') {
        Some(code) => match code.strip_prefix(['x', 'X']) {
            Some(digits) => is_code(digits, 16, is_wanted),
            None => is_code(code, 10, is_wanted),
        },
        None => named.is_some_and(is_wanted),
    };
    is_it.then_some(behind)
}

/// The fields by which orders, plans and accounts are known again.
const IDENTIFYING: [&str; 11] = [
    "ref",
    "topupRef",
    "_id",
    "id",
    "topupId",
    "plan_code",
    "code",
    "operator",
    "MSSIDN",
    "username",
    "created_at",
];

/// Takes one key out of texts.
#[derive(Debug, Clone)]
pub(super) struct Redactor {
    key: SecretString,
    finder: KeyFinder,
}

/// Finds the key as it is: made once, since every answer is searched for it.
#[derive(Clone)]
struct KeyFinder(memchr::memmem::Finder<'static>);

impl std::fmt::Debug for KeyFinder {
    /// Without the key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyFinder")
    }
}

impl Redactor {
    pub fn new(key: SecretString) -> Self {
        let finder = memchr::memmem::Finder::new(key.expose_secret()).into_owned();
        Self {
            key,
            finder: KeyFinder(finder),
        }
    }

    /// The text without the key, in every spelling that JSON, URLs and HTML give its characters.
    pub fn clean(&self, text: &str) -> String {
        self.cleaned(text.to_owned())
    }

    /// The same for a text that nobody needs as it was.
    pub fn cleaned(&self, text: String) -> String {
        self.without_key(text, usize::MAX)
    }

    /// A text that may end in the middle of the key.
    pub fn clean_cut(&self, text: String) -> String {
        self.without_key(text, PART_OF_KEY)
    }

    /// Whether a text surely holds nothing of the key, in no spelling and not cut off at its end.
    pub fn is_plain(&self, text: &str) -> bool {
        self.has_nothing(text, PART_OF_KEY)
    }

    /// Whether a text needs no walk: it has no escape in it, not the key, and no beginning of it at its end.
    fn has_nothing(&self, text: &str, part: usize) -> bool {
        let (text, key) = (text.as_bytes(), self.key.expose_secret().as_bytes());
        let ends_in_key = || {
            // Few of the beginnings end as the text does: the others are not compared.
            let last = text.last();
            let ends_alike = (part..key.len()).filter(|length| key[..*length].last() == last);
            ends_alike
                .map(|length| &key[..length])
                .any(|beginning| text.ends_with(beginning))
        };
        // What an escape begins with.
        let has_escapes = memchr::memchr3(b'\\', b'%', b'&', text).is_some();
        !has_escapes && self.finder.0.find(text).is_none() && !ends_in_key()
    }

    /// `part`: from how many characters on the beginning of the key counts as the key, at the text's end.
    fn without_key(&self, text: String, part: usize) -> String {
        let key = self.key.expose_secret();
        if key.is_empty() || !holds(Rule::KeyWithheld) || self.has_nothing(&text, part) {
            return text;
        }
        replaced(&text, |rest| behind_key(rest, key, part, |a, b| a == b))
    }

    /// A body's values with the key taken out of every text that people see. What tells orders apart stays as it
    /// is: there a short key may be part of an honest word.
    pub fn clean_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.cleaned(std::mem::take(text)),
            Value::Array(rows) => rows.iter_mut().for_each(|row| self.clean_value(row)),
            Value::Object(fields) => fields
                .iter_mut()
                .filter(|(name, _)| !IDENTIFYING.contains(&name.as_str()))
                .for_each(|(_, field)| self.clean_value(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A body as it may be read: the key taken out unless the key could be an ordinary word, whose removal
    /// would change refs and numbers.
    pub fn clean_body(&self, text: String) -> String {
        if self.key.expose_secret().len() >= UNMISTAKABLE {
            self.cleaned(text)
        } else {
            text
        }
    }
}

/// A text without a key, in every spelling that JSON and URLs give it.
pub fn without_key(key: &SecretString, text: &str) -> String {
    Redactor::new(key.clone()).clean(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_not_shown_with_what_looks_for_it() {
        let redactor = Redactor::new(SecretString::from("0d7ecb12-aaaa-bbbb".to_owned()));
        let shown = format!("{redactor:?}");
        for key in ["0d7ecb12", "48, 100, 55"] {
            assert!(!shown.contains(key), "{shown}");
        }
    }

    #[test]
    fn the_key_is_taken_out_in_every_spelling() {
        let redactor = Redactor::new(SecretString::from("a/b\"c d-0123456789".to_owned()));
        for echoed in [
            "a/b\"c d-0123456789",
            "a/b\\\"c d-0123456789",
            "a\\/b\\\"c d-0123456789",
            "a%2Fb%22c%20d-0123456789",
            "a%2fb%22c d-0123456789",
            "\\u0061\\u002Fb\\u0022c d-0123456789",
            "\\\\u0061\\\\/b\\\\\\\"c d-0123456789",
            "a&#47;b&quot;c&#x20;d&#X2d;0123456789",
        ] {
            assert_eq!(
                redactor.clean(&format!("<{echoed}>")),
                "<[key withheld]>",
                "{echoed}"
            );
        }
    }

    #[test]
    fn a_key_is_withheld_in_every_spelling_and_mixed() {
        let key = SecretString::from("3f9a-Shop/Key&\"5d".to_owned());
        for spelling in [
            "3f9a-Shop/Key&\"5d",
            "3F9A-SHOP/KEY&\"5D",
            "3f9a-shop\\/key&\\\"5d",
            "3f9a%2DShop%2FKey%26%225d",
            "3f9a%252DShop%252fKey%2526%25225d",
            "\\u0033f9a\\u002dShop/Key&amp;&quot;5d",
            "\\\\u0033f9a-Shop\\x2fKey\\\\u0026\\\\\\\"5d",
            "&#51;f9a-Shop&#x2F;Key&amp;&#34;5d",
        ] {
            assert_eq!(
                withhold(&key, &format!("<{spelling}>"), false),
                "<[key withheld]>",
                "{spelling}"
            );
        }
        for other in ["3f9a-Shop/Key", "عرض 3f9", "%", "\\", "&#;", "%2", "\\u00"] {
            assert_eq!(withhold(&key, other, false), other);
        }
    }

    #[test]
    fn a_short_key_stays_in_what_tells_orders_apart() {
        let key = SecretString::from("test".to_owned());
        assert_eq!(withhold(&key, "test-1", true), "test-1");
        assert_eq!(withhold(&key, "a Test", false), "a [key withheld]");
        let none = SecretString::from(String::new());
        assert_eq!(withhold(&none, "text", false), "text");
    }

    #[test]
    fn a_key_that_was_cut_off_is_taken_out() {
        let redactor = Redactor::new(SecretString::from("0d7ecb12-aaaa-bbbb".to_owned()));
        assert_eq!(
            redactor.clean_cut("{\"echo\":\"0d7ecb12-aa".to_owned()),
            "{\"echo\":\"[key withheld]"
        );
        assert_eq!(redactor.clean_cut("the end 0d7".to_owned()), "the end 0d7");
        assert_eq!(redactor.clean_cut("\\u0030d7ecb12-".to_owned()), "[key withheld]");
        assert_eq!(redactor.clean("\\u0030d7ecb12-"), "\\u0030d7ecb12-");
    }

    #[test]
    fn texts_in_a_body_lose_even_a_short_key_and_identities_keep_it() {
        let redactor = Redactor::new(SecretString::from("test".to_owned()));
        let mut body = serde_json::json!({"items": [{"ref": "test-1", "name": "a test", "amount": 5}]});
        redactor.clean_value(&mut body);
        assert_eq!(
            body.to_string(),
            r#"{"items":[{"ref":"test-1","name":"a [key withheld]","amount":5}]}"#
        );
    }

    #[test]
    fn a_key_that_could_be_a_word_stays_in_what_is_read_but_not_in_what_is_shown() {
        let redactor = Redactor::new(SecretString::from("test".to_owned()));
        assert_eq!(redactor.clean_body("test-1".to_owned()), "test-1");
        assert_eq!(redactor.clean("test-1"), "[key withheld]-1");
    }
}
