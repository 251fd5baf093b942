//! A part of an answer: kept as it came, and read once somebody wants to know what it says. Of thousands of answers to
//! sends three fields are wanted of each.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A part of an answer.
#[derive(Debug, Clone)]
pub struct Part {
    text: Box<str>,
    value: OnceLock<Option<Value>>,
}

impl Part {
    pub(super) fn of(raw: &RawValue) -> Self {
        Self {
            text: raw.get().into(),
            value: OnceLock::new(),
        }
    }

    pub(super) fn of_value(value: Value) -> Self {
        Self {
            text: value.to_string().into(),
            value: OnceLock::from(Some(value)),
        }
    }

    /// All of it; none where it can't be read although its braces and quotes are in order, as with half a surrogate.
    pub fn value(&self) -> Option<&Value> {
        let read = || serde_json::from_str(&self.text).ok();
        self.value.get_or_init(read).as_ref()
    }

    /// Whether it is an object or an array.
    pub(super) fn is_nested(&self) -> bool {
        self.text.starts_with(['{', '['])
    }

    /// Whether it says that there is nothing.
    pub(super) fn is_null(&self) -> bool {
        &*self.text == "null"
    }

    /// What these fields of an object say: a string, or a number by its digits. Of a field that stands there twice the last
    /// one counts. What else is in it is not read.
    pub(super) fn texts<const N: usize>(&self, names: [&str; N]) -> [Option<String>; N] {
        let mut reader = serde_json::Deserializer::from_str(&self.text);
        let found = reader.deserialize_map(Fields { names });
        found.unwrap_or([const { None }; N])
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A string that says something.
pub(super) fn string_of(raw: &RawValue) -> Option<String> {
    let text: String = serde_json::from_str(raw.get()).ok()?;
    (!text.trim().is_empty()).then_some(text)
}

/// Fields of an object, by their names.
struct Fields<'n, const N: usize> {
    names: [&'n str; N],
}

impl<'de, const N: usize> Visitor<'de> for Fields<'_, N> {
    type Value = [Option<String>; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = [const { None }; N];
        while let Some(Name(name)) = object.next_key()? {
            match self.names.iter().position(|wanted| *wanted == name) {
                Some(place) => found[place] = text_of(object.next_value()?),
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

fn text_of(raw: &RawValue) -> Option<String> {
    let is_number = |first: char| first == '-' || first.is_ascii_digit();
    if raw.get().starts_with(is_number) {
        let number: serde_json::Number = serde_json::from_str(raw.get()).ok()?;
        Some(number.to_string())
    } else {
        string_of(raw)
    }
}

/// The name of a field; copied only where it is written with escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire;
    use super::*;

    fn part(text: &str) -> Part {
        let raw: &RawValue = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Part::of(raw)
    }

    fn scalar() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?",
            any::<String>().prop_map(|text| Value::String(text).to_string()),
            "\"( |\\\\u0041|\\\\n|\\\\\"|x|ا){0,4}\"",
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just(r#"{"id":1}"#.to_owned()),
            Just(r#"["id"]"#.to_owned()),
        ]
    }

    proptest! {
        /// Whatever stands in an object, its fields are the same as those of the object that is read as a whole.
        #[test]
        fn fields_are_those_of_the_whole(fields in prop::collection::vec(("id|ref|r\\\\u0065f|to|", scalar()), 0..6)) {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
            let part = part(&format!("{{ {} }}", fields.join(" , ")));
            let whole = part.value();
            let names = ["id", "ref", "no"];
            let expected = names.map(|name| whole.and_then(|whole| wire::text(whole, name)));
            prop_assert_eq!(part.texts(names), expected);
        }
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for text in ["null", "1", r#""id""#, r#"["id"]"#, "[{\"id\":1}]"] {
            assert_eq!(part(text).texts(["id"]), [None], "{text}");
        }
    }

    #[test]
    fn half_a_surrogate_spoils_a_value_and_its_own_field_only() {
        let part = part(r#"{"id":"1","ref":"\ud800"}"#);
        assert_eq!(part.value(), None);
        assert_eq!(part.texts(["id", "ref"]), [Some("1".to_owned()), None]);
    }
}
