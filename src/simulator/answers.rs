//! What an answer says: the provider's envelopes, the router's own bodies, and pages of a proxy.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::clock::{Millis, http_date, iso};
use super::options::SimulatorError;
use super::switches::{RequestId, RetryAfter, Switches};

/// An answer before it goes out.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The headers, besides those that describe the body.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(super) content: Content,
}

/// A body.
#[derive(Debug)]
pub(super) enum Content {
    /// The house envelope of a success; `meta.timestamp` and the request id are added on the way out.
    Success(Value),
    /// A success without `meta` and request id, as `/validate` answers.
    Plain(Value),
    /// The house envelope of a refusal; the request id is added on the way out.
    Refusal(Value),
    /// JSON of another house: the router's, or the simulator's own.
    Foreign(Value),
    /// A page of a proxy.
    Html(&'static str),
    /// Nothing.
    Empty,
}

/// What leaves, or how it fails to.
#[derive(Debug)]
pub(super) enum Reply {
    /// A whole answer.
    Whole(Answer),
    /// Head and length of the answer, but only half of its body.
    Half(Answer),
    /// A connection reset.
    Reset,
    /// Nothing, until the client goes.
    Hang,
}

impl Answer {
    fn new(status: u16, content: Content) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content,
        }
    }

    /// 200 with data.
    pub(super) fn ok(data: Value) -> Self {
        Self::new(200, Content::Success(success(data)))
    }

    /// 200 with data, and neither `meta` nor request id.
    pub(super) fn plain(data: Value) -> Self {
        Self::new(200, Content::Plain(success(data)))
    }

    /// A refusal in the house envelope.
    pub(super) fn refuse(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "success": false, "error": { "code": code, "message": message } });
        Self::new(status, Content::Refusal(body))
    }

    /// A refusal of one field: 400 `ERR_VALIDATION`.
    pub(super) fn invalid(field: &str, value: Value, message: &str) -> Self {
        Self::refuse(400, "ERR_VALIDATION", message)
            .details(present([("field", field.into()), ("value", value)]))
    }

    /// The router's own body, outside the envelope.
    pub(super) fn bare(status: u16, error: &str, message: &str) -> Self {
        let body = json!({ "message": message, "error": error, "statusCode": status });
        Self::new(status, Content::Foreign(body))
    }

    /// JSON outside the envelope.
    pub(super) fn foreign(status: u16, body: Value) -> Self {
        Self::new(status, Content::Foreign(body))
    }

    /// A page of a proxy.
    pub(super) fn html(status: u16, page: &'static str) -> Self {
        Self::new(status, Content::Html(page))
    }

    /// Nothing but a status.
    pub(super) fn empty(status: u16) -> Self {
        Self::new(status, Content::Empty)
    }

    /// The books failed; what happened is anyone's guess.
    pub(super) fn broken(error: &SimulatorError) -> Self {
        Self::refuse(500, "INTERNAL_ERROR", &error.to_string())
    }

    /// Adds the details of a refusal.
    pub(super) fn details(mut self, details: Value) -> Self {
        if let Content::Refusal(body) = &mut self.content {
            body["error"]["details"] = details;
        }
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds `Retry-After` as the switch has it, for a wait of real seconds.
    pub(super) fn retry_after(self, seconds: i64, now: Millis, switches: &Switches) -> Self {
        match switches.retry_after {
            RetryAfter::Seconds => self.header("retry-after", seconds.to_string()),
            RetryAfter::Date => self.header("retry-after", http_date(now.saturating_add(seconds * 1_000))),
            RetryAfter::Huge => self.header("retry-after", "86400"),
            RetryAfter::Missing => self,
        }
    }

    /// Whether it is a success with data.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.content, Content::Success(_) | Content::Plain(_))
    }

    /// Adds to `meta` of a success.
    pub(super) fn meta(mut self, name: &str, value: Value) -> Self {
        if let Content::Success(body) = &mut self.content {
            body["meta"][name] = value;
        }
        self
    }

    /// Takes the id of the order out of a success.
    pub(super) fn without_id(mut self) -> Self {
        if let Content::Success(Value::Object(body)) = &mut self.content
            && let Some(Value::Object(data)) = body.get_mut("data")
        {
            data.retain(|key, _| key != "topupId" && key != "_id");
        }
        self
    }

    /// Adds what every answer has: its time, and the id of the request where the switch wants it.
    pub(super) fn dress(mut self, request_id: &str, now: Millis, switches: &Switches) -> Self {
        let in_body = matches!(switches.request_id, RequestId::Both | RequestId::Body);
        let in_header = matches!(switches.request_id, RequestId::Both | RequestId::Header);
        if let Content::Success(body) = &mut self.content {
            body["meta"]["timestamp"] = iso(now).into();
        }
        if let Content::Success(body) | Content::Refusal(body) = &mut self.content
            && in_body
        {
            body["requestId"] = request_id.into();
        }
        if in_header {
            self = self.header("x-request-id", request_id);
        }
        self.header("date", http_date(now))
    }
}

impl Content {
    /// The media type and the bytes.
    pub(super) fn encode(&self) -> (&'static str, Vec<u8>) {
        match self {
            Self::Success(body) | Self::Plain(body) | Self::Refusal(body) | Self::Foreign(body) => {
                ("application/json; charset=utf-8", body.to_string().into_bytes())
            }
            Self::Html(page) => ("text/html", page.as_bytes().to_vec()),
            Self::Empty => ("application/json; charset=utf-8", Vec::new()),
        }
    }
}

fn success(data: Value) -> Value {
    let mut body = json!({ "success": true });
    body["data"] = data;
    body
}

/// An exact JSON number.
pub(super) fn number(value: Decimal) -> Value {
    let text = value.normalize().to_string();
    text.parse().map_or(Value::String(text), Value::Number)
}

/// An object without its empty fields.
pub(super) fn present(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let kept: Map<_, _> = fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Value::Object(kept)
}

/// The page of a proxy whose application does not answer.
pub(super) const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// The page of a proxy that has had enough.
pub(super) const TOO_MANY: &str = "<html>\r\n<head><title>429 Too Many Requests</title></head>\r\n<body>\r\n<center><h1>429 Too Many Requests</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// A page where JSON was expected.
pub(super) const MAINTENANCE: &str = "<!doctype html>\n<html><head><title>OneClickDz</title></head><body><p>Maintenance en cours…</p></body></html>\n";
