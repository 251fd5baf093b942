//! Labels: the name of a batch, and the refs of its rows that follow from it (design, section 4).

use std::fmt;
use std::str::FromStr;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use sha2::{Digest, Sha256};

use super::reference::Ref;
use super::{Account, Amount, Phone, PlanCode};

/// The longest label, in characters.
const LONGEST: usize = 100;
/// The most of a label that is legible in its refs.
const SLUG_LONGEST: usize = 16;
/// Five bits a character: 65 bits tell the rows of one number apart.
const DIGEST_CHARACTERS: usize = 13;
/// Digits and letters that can't be taken for one another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The name of a batch: the same label and the same row mean the same order, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(String);

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Nothing there.
    #[error("the label is empty")]
    Empty,
    /// Longer than anybody wants to read.
    #[error("the label has {0} characters; the most is {LONGEST}")]
    TooLong(usize),
    /// Control or direction characters.
    #[error("the label `{0}` has a character in it that can't be seen or typed again")]
    Character(String),
}

impl Label {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With each letter and its accents in one character, as most keyboards write them. Names of files come with the two apart
    /// from some systems and archives, look the same, and mean the same batch.
    #[must_use]
    pub fn composed(&self) -> Self {
        Self(
            ComposingNormalizerBorrowed::new_nfc()
                .normalize(&self.0)
                .into_owned(),
        )
    }

    /// With accents apart from their letters.
    #[must_use]
    pub fn decomposed(&self) -> Self {
        Self(
            DecomposingNormalizerBorrowed::new_nfd()
                .normalize(&self.0)
                .into_owned(),
        )
    }

    /// What makes the refs of this batch for an account.
    pub fn refs(&self, account: &Account) -> RowRefs {
        RowRefs {
            slug: self.slug(),
            seed: Sha256::new()
                .chain_update("oneclick row 1\n")
                .chain_update(account.username.as_bytes())
                .chain_update("\n")
                .chain_update(account.environment.word())
                .chain_update("\n")
                .chain_update(self.0.as_bytes())
                .chain_update("\n"),
        }
    }

    /// What of the label is legible in any ref: letters, digits and single dashes.
    fn slug(&self) -> String {
        let mut slug = String::new();
        for character in self.0.chars() {
            if slug.len() >= SLUG_LONGEST {
                break;
            }
            if character.is_ascii_alphanumeric() {
                slug.push(character.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let trimmed = slug.trim_end_matches('-');
        if trimmed.is_empty() {
            "batch".to_owned()
        } else {
            trimmed.to_owned()
        }
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let trimmed = text.trim();
        let length = trimmed.chars().count();
        if trimmed.is_empty() {
            return Err(LabelError::Empty);
        }
        if length > LONGEST {
            return Err(LabelError::TooLong(length));
        }
        if trimmed.chars().any(super::reference::is_unseen) {
            return Err(LabelError::Character(trimmed.escape_debug().to_string()));
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Makes the refs of a batch's rows. They follow from account, label, phone, plan, amount and occurrence alone, so
/// that a sorted, re-saved or shortened sheet, and a lost ledger, lead to the same refs.
#[derive(Clone)]
pub struct RowRefs {
    slug: String,
    seed: Sha256,
}

impl RowRefs {
    /// Whether a ref has the form of those that are made here for rows with this phone, whatever their plan and amount.
    pub fn has_form(&self, reference: &str, phone: &Phone) -> bool {
        let digest = reference
            .strip_prefix(self.slug.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_prefix(phone.as_str().trim_start_matches('0')))
            .and_then(|rest| rest.strip_prefix('-'));
        digest.is_some_and(|digest| {
            digest.len() == DIGEST_CHARACTERS && digest.bytes().all(|byte| ALPHABET.contains(&byte))
        })
    }

    /// The ref of the `nth` row, from 1, with this phone, plan and amount: `<label>-<nine digits>-<13 characters>`,
    /// at most 40 characters of `[a-z0-9-]`.
    pub fn of(&self, phone: &Phone, plan: &PlanCode, amount: Amount, nth: u32) -> Ref {
        let digest = self
            .seed
            .clone()
            .chain_update(format!("{phone}\n{plan}\n{amount}\n{nth}"))
            .finalize();
        let mut text = String::with_capacity(SLUG_LONGEST + 11 + DIGEST_CHARACTERS);
        text.push_str(&self.slug);
        text.push('-');
        text.push_str(phone.as_str().trim_start_matches('0'));
        text.push('-');
        let bits = digest
            .iter()
            .take(16)
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        for place in 0..DIGEST_CHARACTERS {
            let five = usize::try_from(bits >> (123 - 5 * place) & 31).unwrap_or(0);
            text.push(char::from(ALPHABET[five]));
        }
        Ref::made(text)
    }
}

impl fmt::Debug for RowRefs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RowRefs")
            .field("slug", &self.slug)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Environment;

    fn label(text: &str) -> Label {
        text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    fn made(account: &str, environment: Environment, text: &str, row: (&str, &str, u32, u32)) -> String {
        let account = Account {
            username: account.to_owned(),
            environment,
        };
        let phone = row.0.parse().unwrap_or_else(|error| panic!("{error}"));
        let plan = row.1.parse().unwrap_or_else(|error| panic!("{error}"));
        let amount = Amount::of(row.2).unwrap_or_else(|error| panic!("{error}"));
        label(text)
            .refs(&account)
            .of(&phone, &plan, amount, row.3)
            .to_string()
    }

    #[test]
    fn every_part_of_a_rows_identity_makes_another_ref() {
        let row = ("0778037340", "PREPAID_DJEZZY", 500, 1);
        let ours = made("+213770000000", Environment::Sandbox, "november", row);
        assert_eq!(ours, made("+213770000000", Environment::Sandbox, "november", row));
        assert!(ours.starts_with("november-778037340-"), "{ours}");
        let others = [
            made("+213770000001", Environment::Sandbox, "november", row),
            made("+213770000000", Environment::Production, "november", row),
            made("+213770000000", Environment::Sandbox, "november-", row),
            made(
                "+213770000000",
                Environment::Sandbox,
                "november",
                ("0778037341", row.1, row.2, row.3),
            ),
            made(
                "+213770000000",
                Environment::Sandbox,
                "november",
                (row.0, "PREPAID_DJEZZ", row.2, row.3),
            ),
            made(
                "+213770000000",
                Environment::Sandbox,
                "november",
                (row.0, row.1, 501, row.3),
            ),
            made(
                "+213770000000",
                Environment::Sandbox,
                "november",
                (row.0, row.1, row.2, 2),
            ),
        ];
        for other in others {
            assert_ne!(other, ours);
        }
    }

    #[test]
    fn refs_keep_within_the_safe_alphabet_and_length_whatever_the_label() {
        for text in [
            "نوفمبر",
            "Recharges Été 2026 — nº 7 / Alger",
            "---",
            "a",
            "A-B_c.d",
            &"é".repeat(100),
        ] {
            let made = made(
                "+213770000000",
                Environment::Sandbox,
                text,
                ("0555123456", "PIXX_500", 500, 1),
            );
            assert!(made.len() <= 60, "{made}");
            assert!(
                made.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
                "{made}"
            );
            assert!(!made.starts_with('-') && !made.contains("--"), "{made}");
        }
    }

    #[test]
    fn what_can_not_be_a_label_is_refused() {
        for text in ["", "  ", "a\nb", "a\u{202e}b", &"a".repeat(101)] {
            assert!(text.parse::<Label>().is_err(), "{text:?}");
        }
    }
}
