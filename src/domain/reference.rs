//! References: the caller's own identity of an order, unique per account at the provider.

use std::fmt;
use std::str::FromStr;

use compact_str::{CompactString, format_compact};

/// The longest ref that is sent. The provider documents no limit for mobile; its other pages say 100.
const LONGEST: usize = 100;
/// The longest ref that the tool makes itself (design, section 4).
const LONGEST_OF_OURS: usize = 60;
/// `-<13 digits of unix ms>-<6 base36>`.
const TAIL: usize = 21;
/// How many random characters end a ref that the tool makes.
pub const NONCE_LENGTH: usize = 6;

/// A reference. Two orders of one account never share it; the provider refuses the second.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref(CompactString);

/// Why a text is no ref. Each message says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// Nothing there.
    #[error("the ref is empty")]
    Empty,
    /// Longer than any limit that the provider names.
    #[error("the ref has {0} characters; the most is {LONGEST}")]
    TooLong(usize),
    /// Control, direction or white-space characters that nobody sees.
    #[error("the ref `{value}` has the character {code} in it, which can't be seen or typed again")]
    Character {
        /// The ref, escaped.
        value: String,
        /// The character as `U+XXXX`.
        code: String,
    },
    /// White space at an end.
    #[error("the ref `{0}` begins or ends with a space")]
    Edge(String),
    /// `.` and `..` change the address they stand in.
    #[error("`{0}` can't be a ref: it would change the address of the request")]
    Dots(String),
    /// A prefix that the tool can't build on.
    #[error("the prefix `{0}` is not made of letters, digits and `-`, at most {max} of them", max = LONGEST_OF_OURS - TAIL)]
    Prefix(String),
}

impl Ref {
    /// The text as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the provider's `theirs` means this ref: as it was sent, or behind the prefix
    /// `API-<username>-` that the provider puts in front (API page `send-topup`, samples).
    pub fn is_meant_by(&self, theirs: &str, username: &str) -> bool {
        theirs == self.0 || theirs == self.prefixed(username)
    }

    /// Whether the provider's `theirs` can mean this ref, whatever stands in front of it: a prefix ends in a mark, so
    /// that `11` does not mean `1`.
    pub fn may_be_meant_by(&self, theirs: &str) -> bool {
        let before = theirs.strip_suffix(self.as_str());
        before.is_some_and(|prefix| !prefix.ends_with(char::is_alphanumeric))
    }

    /// The form that the provider stores: `API-<username>-<ref>`.
    pub fn prefixed(&self, username: &str) -> String {
        format!("API-{username}-{}", self.0)
    }

    /// A ref that the tool has made from parts that are sound.
    pub(super) fn made(text: String) -> Self {
        debug_assert!(text.len() <= LONGEST_OF_OURS, "{text}");
        Self(text.into())
    }
}

impl FromStr for Ref {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        let length = text.chars().count();
        if text.trim().is_empty() {
            return Err(RefError::Empty);
        }
        if length > LONGEST {
            return Err(RefError::TooLong(length));
        }
        if text.trim() != text {
            return Err(RefError::Edge(text.to_owned()));
        }
        if let Some(bad) = text.chars().find(|c| is_unseen(*c)) {
            let code = format!("U+{:04X}", u32::from(bad));
            return Err(RefError::Character {
                value: text.escape_debug().to_string(),
                code,
            });
        }
        if text == "." || text == ".." {
            return Err(RefError::Dots(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

/// Control characters, direction marks, zero-width and odd spaces.
pub(super) fn is_unseen(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

impl fmt::Display for Ref {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// What refs made by the tool begin with: letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefPrefix(String);

impl RefPrefix {
    /// The ref `<prefix>-<unix ms>-<6 base36>` for a moment and a nonce.
    ///
    /// The nonce must be [`NONCE_LENGTH`] characters of `0-9a-z`, drawn anew for each ref.
    pub fn make(&self, unix_ms: u64, nonce: &str) -> Ref {
        Ref(format_compact!("{}-{unix_ms}-{nonce}", self.0))
    }
}

impl Default for RefPrefix {
    fn default() -> Self {
        Self("oc".to_owned())
    }
}

impl FromStr for RefPrefix {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        let fits = (1..=LONGEST_OF_OURS - TAIL).contains(&text.len());
        if fits
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(RefError::Prefix(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> Ref {
        text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    #[test]
    fn refs_of_others_are_taken_as_they_are() {
        for text in [
            "order-12345",
            "bot std/7",
            "a+b&c?d#e%f",
            "طلب-1",
            "...",
            "A".repeat(100).as_str(),
        ] {
            assert_eq!(reference(text).as_str(), text);
        }
    }

    #[test]
    fn what_can_not_be_typed_again_is_refused() {
        let refused = |text: &str| text.parse::<Ref>().err();
        assert_eq!(refused(""), Some(RefError::Empty));
        assert_eq!(refused("  "), Some(RefError::Empty));
        assert_eq!(refused(&"a".repeat(101)), Some(RefError::TooLong(101)));
        assert_eq!(refused(" a"), Some(RefError::Edge(" a".to_owned())));
        assert_eq!(refused(".."), Some(RefError::Dots("..".to_owned())));
        for text in ["a\u{0}b", "a\nb", "a\u{202e}b", "a\u{200b}b", "a\u{a0}b", "a\tb"] {
            assert!(
                matches!(refused(text), Some(RefError::Character { .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_providers_prefix_is_known_again() {
        let ours = reference("order-7");
        assert!(ours.is_meant_by("order-7", "+213665983439"));
        assert!(ours.is_meant_by("API-+213665983439-order-7", "+213665983439"));
        assert!(!ours.is_meant_by("API-+213665983439-big-order-7", "+213665983439"));
        assert!(!ours.is_meant_by("big-order-7", "+213665983439"));
    }

    #[test]
    fn a_prefix_that_nobody_knows_ends_in_a_mark() {
        let ours = reference("1");
        for theirs in ["1", "API-+213665983439-1", "API_x:1", "x/1"] {
            assert!(ours.may_be_meant_by(theirs), "{theirs}");
        }
        for theirs in ["11", "API-+213665983439-11", "x1", "1-", "ع1"] {
            assert!(!ours.may_be_meant_by(theirs), "{theirs}");
        }
    }

    #[test]
    fn made_refs_keep_within_the_safe_alphabet_and_length() {
        let longest: RefPrefix = "p".repeat(39).parse().unwrap_or_else(|error| panic!("{error}"));
        let made = longest.make(9_999_999_999_999, "zzzzzz");
        assert_eq!(made.as_str().len(), 60);
        assert_eq!(
            RefPrefix::default().make(1_761_698_159_224, "0a1b2c").as_str(),
            "oc-1761698159224-0a1b2c"
        );
        for text in ["", "a b", "é", "a_b", "p".repeat(40).as_str()] {
            assert!(text.parse::<RefPrefix>().is_err(), "{text:?}");
        }
    }
}
