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
    /// The key in every spelling that JSON and URLs give it.
    spellings: Vec<SecretString>,
}

impl Redactor {
    pub fn new(key: SecretString) -> Self {
        let spellings = if holds(Rule::KeyWithheld) {
            spellings(key.expose_secret())
        } else {
            Vec::new()
        };
        Self { key, spellings }
    }

    /// The text without the key, in every spelling that JSON and URLs give it.
    pub fn clean(&self, text: &str) -> String {
        let mut cleaned = text.to_owned();
        for spelling in &self.spellings {
            let spelling = spelling.expose_secret();
            if cleaned.contains(spelling) {
                cleaned = cleaned.replace(spelling, WITHHELD);
            }
        }
        cleaned
    }

    /// A text that may end in the middle of the key.
    pub fn clean_cut(&self, text: &str) -> String {
        let key = self.key.expose_secret();
        let cleaned = self.clean(text);
        let ends = |length: &usize| key.get(..*length).is_some_and(|part| cleaned.ends_with(part));
        match (PART_OF_KEY..key.len()).rev().find(ends) {
            Some(length) => format!("{}{WITHHELD}", &cleaned[..cleaned.len() - length]),
            None => cleaned,
        }
    }

    /// A body's values with the key taken out of every text that people see. What tells orders apart stays as it
    /// is: there a short key may be part of an honest word.
    pub fn clean_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.clean(text),
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
            self.clean(&text)
        } else {
            text
        }
    }
}

/// A text without a key, in every spelling that JSON and URLs give it.
pub fn without_key(key: &SecretString, text: &str) -> String {
    Redactor::new(key.clone()).clean(text)
}

fn spellings(key: &str) -> Vec<SecretString> {
    let json = serde_json::Value::from(key).to_string();
    let inside_quotes = json.trim_matches('"').to_owned();
    let escaped = inside_quotes.replace('/', "\\/");
    let encoded = super::client::encode(key);
    let mut spellings = vec![key.to_owned()];
    for spelling in [inside_quotes, escaped, encoded] {
        if !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    }
    spellings.retain(|spelling| !spelling.is_empty());
    spellings.into_iter().map(SecretString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_taken_out_in_every_spelling() {
        let redactor = Redactor::new(SecretString::from("a/b\"c d-0123456789".to_owned()));
        for echoed in [
            "a/b\"c d-0123456789",
            "a/b\\\"c d-0123456789",
            "a\\/b\\\"c d-0123456789",
            "a%2Fb%22c%20d-0123456789",
        ] {
            assert_eq!(
                redactor.clean(&format!("<{echoed}>")),
                "<[key withheld]>",
                "{echoed}"
            );
        }
    }

    #[test]
    fn a_key_that_was_cut_off_is_taken_out() {
        let redactor = Redactor::new(SecretString::from("0d7ecb12-aaaa-bbbb".to_owned()));
        assert_eq!(
            redactor.clean_cut("{\"echo\":\"0d7ecb12-aa"),
            "{\"echo\":\"[key withheld]"
        );
        assert_eq!(redactor.clean_cut("the end 0d7"), "the end 0d7");
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
