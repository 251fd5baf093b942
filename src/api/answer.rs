//! What came back: the exchange as it happened, and its envelope, read as tolerantly as the facts ask for.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::Endpoint;
use super::part::{Part, string_of};

/// The longest that a `Retry-After` is obeyed (design, section 2).
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// One call, from its first byte to its last, the key taken out.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What was asked.
    pub endpoint: Endpoint,
    /// Path and query as sent.
    pub path: String,
    /// The body as sent.
    pub request: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

impl Exchange {
    /// What the answer says about itself, such as how many pages there are.
    pub fn meta(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Answered(answer) => answer.envelope.as_ref()?.meta.as_ref()?.value(),
            Outcome::NotSent(_) | Outcome::Lost(_) => None,
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A whole answer.
    Answered(Box<Answer>),
    /// The connection never opened: no byte of the request has left.
    NotSent(String),
    /// The request may have arrived; no whole answer came back.
    Lost(String),
}

impl Outcome {
    /// In a word or two.
    pub(super) fn word(&self) -> String {
        match self {
            Self::Answered(answer) => format!("HTTP {}", answer.status),
            Self::NotSent(_) => "not sent".to_owned(),
            Self::Lost(_) => "no answer".to_owned(),
        }
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The provider's request id, from the body or the header.
    pub request_id: Option<String>,
    /// How long the provider asks to wait, at most 60 s.
    pub retry_after: Option<Duration>,
    /// The provider's clock, from the `Date` header or `meta.timestamp`.
    pub server_time: Option<Timestamp>,
    /// The envelope; none where the body is not one.
    pub envelope: Option<Envelope>,
    /// The body as it may be stored: the key taken out, cut to a few kilobytes.
    pub text: String,
}

/// The provider's envelope; every part of it may be missing (API facts, 2.3).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope {
    /// Whether it says that the call succeeded.
    pub success: Option<bool>,
    /// What was asked for.
    pub data: Option<Part>,
    /// What went wrong.
    pub error: Option<ErrorBody>,
    /// Pagination may be here.
    pub meta: Option<Part>,
    /// What the provider's support asks for.
    pub request_id: Option<String>,
}

/// The provider's error.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorBody {
    /// The code, upper case, with `_` for `-`: both spellings occur.
    pub code: String,
    /// The message: foreign text.
    pub message: String,
    /// More about it.
    pub details: Option<Value>,
}

impl Envelope {
    /// Reads a body; none unless it is an object with a `success` flag, an `error` with a code, or `data`. The
    /// router's own 404 has none of them (API facts, 2.3), and must not be taken for an answer about an order.
    pub fn read(body: &str) -> Option<Self> {
        let parts: Parts<'_> = serde_json::from_str(body).ok()?;
        let success = parts
            .success
            .and_then(|success| serde_json::from_str(success.get()).ok());
        let error = match parts.error {
            // Of an error that can't be read nobody knows what it says.
            Some(error) => ErrorBody::read(&serde_json::from_str(error.get()).ok()?),
            None => None,
        };
        let data = parts.data.map(Part::of);
        if success.is_none() && error.is_none() && !data.as_ref().is_some_and(Part::is_nested) {
            return None;
        }
        let meta = parts.meta.map(Part::of);
        let inner = || text_of(meta.as_ref()?.value()?.get("requestId"));
        Some(Self {
            success,
            request_id: parts.request_id.and_then(string_of).or_else(inner),
            data: data.filter(|data| !data.is_null()),
            error,
            meta,
        })
    }
}

/// The parts of an object that may be an envelope, each as it is; of one that stands there twice the last.
#[derive(Debug, Default)]
struct Parts<'b> {
    success: Option<&'b RawValue>,
    data: Option<&'b RawValue>,
    error: Option<&'b RawValue>,
    meta: Option<&'b RawValue>,
    request_id: Option<&'b RawValue>,
}

/// The name of a part. Most bodies have no other, so none of them is copied.
#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum PartName {
    Success,
    Data,
    Error,
    Meta,
    RequestId,
    #[serde(other)]
    Other,
}

impl<'de> serde::Deserialize<'de> for Parts<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> serde::de::Visitor<'de> for PartsVisitor {
    type Value = Parts<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut object: A) -> Result<Parts<'de>, A::Error> {
        let mut parts = Parts::default();
        while let Some(name) = object.next_key()? {
            let part = match name {
                PartName::Success => &mut parts.success,
                PartName::Data => &mut parts.data,
                PartName::Error => &mut parts.error,
                PartName::Meta => &mut parts.meta,
                PartName::RequestId => &mut parts.request_id,
                PartName::Other => {
                    object.next_value::<serde::de::IgnoredAny>()?;
                    continue;
                }
            };
            *part = Some(object.next_value()?);
        }
        Ok(parts)
    }
}

impl Envelope {
    /// When the provider wrote it (`meta.timestamp`), where it says so.
    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        text_of(self.meta.as_ref()?.value()?.get("timestamp"))?
            .parse()
            .ok()
    }
}

impl ErrorBody {
    fn read(value: &Value) -> Option<Self> {
        let code = text_of(value.get("code"))?.to_ascii_uppercase().replace('-', "_");
        let message = text_of(value.get("message")).unwrap_or_default();
        Some(Self {
            code,
            message,
            details: value.get("details").cloned(),
        })
    }

    /// The field that a validation error names, where it does (`details.field`).
    pub fn field(&self) -> Option<String> {
        self.details
            .as_ref()
            .and_then(|details| text_of(details.get("field")))
    }
}

/// A non-empty string.
fn text_of(value: Option<&Value>) -> Option<String> {
    value
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Reads `Retry-After`: seconds, or a date; capped. None where it is missing or unreadable.
pub(super) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let trimmed = header.trim();
    let wait = if trimmed.bytes().all(|byte| byte.is_ascii_digit()) && !trimmed.is_empty() {
        // More digits than a number holds is still "very long".
        trimmed.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        crate::clock::elapsed(now, http_date(trimmed)?)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Reads an HTTP date, as in `Wed, 21 Oct 2026 07:28:00 GMT`.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text.trim())
        .ok()
}

/// An exchange that ended with this status and body.
#[cfg(test)]
pub(super) fn answered(status: u16, body: &str) -> Exchange {
    Exchange {
        endpoint: Endpoint::Send,
        path: String::new(),
        request: None,
        started_at: Timestamp::UNIX_EPOCH,
        ended_at: Timestamp::UNIX_EPOCH,
        outcome: Outcome::Answered(Box::new(Answer {
            status,
            request_id: None,
            retry_after: None,
            server_time: None,
            envelope: Envelope::read(body),
            text: String::new(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn an_envelope_may_lack_almost_everything() {
        assert!(Envelope::read(r#"{"success":true,"data":{"username":"x"}}"#).is_some());
        assert!(Envelope::read(r#"{"error":{"code":"NOT_FOUND"}}"#).is_some());
        assert!(Envelope::read(r#"{"data":{"topupId":"1"}}"#).is_some());
        let hyphen = Envelope::read(r#"{"success":false,"error":{"code":"DUPLICATED-REF","message":"m."}}"#);
        assert_eq!(
            hyphen.and_then(|e| e.error).map(|e| e.code),
            Some("DUPLICATED_REF".to_owned())
        );
        let inner = Envelope::read(r#"{"success":true,"data":null,"meta":{"requestId":"req-1"}}"#)
            .unwrap_or_default();
        assert_eq!((inner.data, inner.request_id), (None, Some("req-1".to_owned())));
        // Of a part that stands there twice the last one counts, as readers of JSON have it; names may be escaped.
        let twice = Envelope::read(r#"{"success":true,"s\u0075ccess":false,"else":[1],"requestId":"req-2"}"#);
        let twice = twice.map(|envelope| (envelope.success, envelope.request_id));
        assert_eq!(twice, Some((Some(false), Some("req-2".to_owned()))));
    }

    #[test]
    fn what_is_no_envelope_is_not_taken_for_one() {
        for body in [
            "",
            "null",
            "[]",
            "<html></html>",
            r#"{"message":"Route GET:/v3/x not found","error":"Not Found","statusCode":404}"#,
            r#"{"success":"yes"}"#,
            r#"{"data":"x"}"#,
            r#"{"success":true,"data":{"topup"#,
            r#"[true,{"topupId":"1"}]"#,
            r#"{"success":true} and more"#,
            r#"{"data":{"topupId":"1"},"else":}"#,
        ] {
            assert_eq!(Envelope::read(body), None, "{body}");
        }
    }

    #[test]
    fn retry_after_is_a_number_or_a_date_and_capped() {
        let now = moment("2026-10-21T07:28:00Z");
        for (header, expected) in [
            ("5", Some(5)),
            (" 0 ", Some(0)),
            ("86400", Some(60)),
            ("99999999999999999999999", Some(60)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2026 07:27:00 GMT", Some(0)),
            ("Thu, 22 Oct 2026 07:28:00 GMT", Some(60)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(
                retry_after(header, now),
                expected.map(Duration::from_secs),
                "{header}"
            );
        }
    }
}
