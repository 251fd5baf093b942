//! What the answer to a question (any GET) means: its data, or one of a few faults.

use std::time::Duration;

use serde_json::Value;

use super::answer::{Answer, Exchange, Outcome};

/// The key was refused: everything stops, one request only (design, section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthFault {
    /// The provider's code, or `HTTP_401`.
    pub code: String,
    /// The provider's message: foreign text.
    pub message: String,
    /// How many bad attempts are left before the address is blocked, where the provider says.
    pub attempts_left: Option<u32>,
    /// The HTTP status.
    pub status: u16,
    /// The provider's request id.
    pub request_id: Option<String>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The key was refused.
    Auth(AuthFault),
    /// Too many calls, or the key could not be verified just now; ask again after this long.
    Wait(Option<Duration>),
    /// The provider says in its own envelope that there is no such thing.
    NotFound,
    /// There is no such path: proves nothing about what was asked for.
    NoRoute,
    /// The provider refuses the question as it stands.
    Refused {
        /// The provider's code.
        code: String,
        /// The provider's message: foreign text.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The connection never opened.
    NotSent(String),
    /// No answer, or none that can be read.
    Unclear(String),
}

impl Fault {
    /// Whether asking again may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Wait(_) | Self::NotSent(_) | Self::Unclear(_) => true,
            Self::Auth(_) | Self::NotFound | Self::NoRoute | Self::Refused { .. } => false,
        }
    }

    /// One sentence for people.
    pub fn describe(&self) -> String {
        match self {
            Self::Auth(auth) => format!("the key was refused: {} {}", auth.code, auth.message),
            Self::Wait(_) => "the provider asks to wait".to_owned(),
            Self::NotFound => "the provider does not know it".to_owned(),
            Self::NoRoute => "the provider's server knows no such address (HTTP 404)".to_owned(),
            Self::Refused {
                code,
                message,
                status,
            } => format!("HTTP {status} {code} {message}"),
            Self::NotSent(why) => format!("no connection: {why}"),
            Self::Unclear(why) => why.clone(),
        }
    }
}

/// The data of an answer, or the fault that it is. The code decides first, the HTTP status second.
pub fn read_data(exchange: &Exchange) -> Result<&Value, Fault> {
    let answer = match &exchange.outcome {
        Outcome::NotSent(why) => return Err(Fault::NotSent(why.clone())),
        Outcome::Lost(why) => return Err(Fault::Unclear(why.clone())),
        Outcome::Answered(answer) => answer,
    };
    if let Some(fault) = shared_fault(answer) {
        return Err(fault);
    }
    let Some(envelope) = &answer.envelope else {
        return Err(match answer.status {
            404 => Fault::NoRoute,
            status => Fault::Unclear(format!("HTTP {status} without the provider's envelope")),
        });
    };
    match (&envelope.error, &envelope.data) {
        (None, Some(data)) if (200..300).contains(&answer.status) && envelope.success != Some(false) => data
            .value()
            .ok_or_else(|| Fault::Unclear("the answer can't be read".to_owned())),
        (Some(error), _)
            if answer.status == 404 && error.code == "NOT_FOUND" && !names_a_route(&error.message) =>
        {
            Err(Fault::NotFound)
        }
        (Some(_), _) if answer.status == 404 => Err(Fault::NoRoute),
        (Some(error), _) if (400..500).contains(&answer.status) => Err(Fault::Refused {
            code: error.code.clone(),
            message: error.message.clone(),
            status: answer.status,
        }),
        (error, _) => {
            let code = error
                .as_ref()
                .map(|error| format!(" {}", error.code))
                .unwrap_or_default();
            Err(Fault::Unclear(format!("HTTP {}{code}", answer.status)))
        }
    }
}

/// `Route GET:/v3/x not found`: a router's words in the provider's envelope prove nothing about an order.
fn names_a_route(message: &str) -> bool {
    message.to_ascii_lowercase().starts_with("route ")
}

/// The faults that mean the same for every call: the key, and being asked to wait.
pub(super) fn shared_fault(answer: &Answer) -> Option<Fault> {
    let code = answer
        .envelope
        .as_ref()
        .and_then(|envelope| envelope.error.as_ref())
        .map_or("", |e| e.code.as_str());
    match (answer.status, code) {
        (429, _) | (_, "RATE_LIMIT_EXCEEDED") | (503, "AUTH_UNAVAILABLE") => {
            Some(Fault::Wait(answer.retry_after))
        }
        (401, _) => Some(Fault::Auth(auth_fault(answer))),
        (400..=499, code) if refuses_the_key(code) => Some(Fault::Auth(auth_fault(answer))),
        (403, code) if is_permission(code) => Some(Fault::Auth(auth_fault(answer))),
        _ => None,
    }
}

/// The codes that the API's pages name for a key that is missing, wrong, blocked or switched off.
pub(super) fn refuses_the_key(code: &str) -> bool {
    matches!(
        code,
        "MISSING_ACCESS_TOKEN"
            | "INVALID_ACCESS_TOKEN"
            | "ERR_AUTH"
            | "IP_BLOCKED"
            | "IP_NOT_ALLOWED"
            | "API_DISABLED"
    )
}

/// A 403 speaks of permission, balance or a duplicate (API page `error-handling`). One that is neither of the
/// last two and does not name the request either (`ERR_…`, `INVALID_…`) is about what the key may do: a
/// read-only key's code is not documented.
fn is_permission(code: &str) -> bool {
    !code.is_empty()
        && !matches!(
            code,
            "INSUFFICIENT_BALANCE" | "NO_BALANCE" | "DUPLICATED_REF" | "NOT_FOUND"
        )
        && !code.starts_with("ERR_")
        && !code.starts_with("INVALID_")
}

pub(super) fn auth_fault(answer: &Answer) -> AuthFault {
    let error = answer
        .envelope
        .as_ref()
        .and_then(|envelope| envelope.error.clone())
        .unwrap_or_default();
    let attempts_left = error
        .details
        .as_ref()
        .and_then(|details| details.get("attemptsLeft")?.as_u64());
    AuthFault {
        code: if error.code.is_empty() {
            format!("HTTP_{}", answer.status)
        } else {
            error.code
        },
        message: error.message,
        attempts_left: attempts_left.and_then(|left| u32::try_from(left).ok()),
        status: answer.status,
        request_id: answer.request_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::answered;
    use super::*;

    fn error(code: &str, message: &str) -> String {
        format!(r#"{{"success":false,"error":{{"code":"{code}","message":"{message}"}}}}"#)
    }

    #[test]
    fn only_the_envelopes_own_not_found_means_absent() {
        let not_found = error("NOT_FOUND", "Top-up with reference 'x' not found");
        assert_eq!(read_data(&answered(404, &not_found)), Err(Fault::NotFound));
        for (status, body) in [
            (
                404,
                r#"{"message":"Route GET:/x not found","error":"Not Found","statusCode":404}"#.to_owned(),
            ),
            (
                404,
                error("NOT_FOUND", "Route GET:/v3/mobile/check-ref/x not found"),
            ),
            (404, error("ROUTE_NOT_FOUND", "")),
            (404, "<html>".to_owned()),
            (200, not_found.clone()),
            (500, not_found),
            (404, r#"{"success":false}"#.to_owned()),
        ] {
            assert_ne!(
                read_data(&answered(status, &body)),
                Err(Fault::NotFound),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn the_key_and_the_pace_mean_the_same_everywhere() {
        for (status, body) in [
            (401, "<html>".to_owned()),
            (401, error("ERR_AUTH", "")),
            (400, error("MISSING_ACCESS_TOKEN", "")),
            (403, error("IP_BLOCKED", "")),
            (403, error("READ_ONLY_KEY", "")),
        ] {
            assert!(
                matches!(read_data(&answered(status, &body)), Err(Fault::Auth(_))),
                "{status} {body}"
            );
        }
        for (status, body) in [
            (429, String::new()),
            (429, "<html>".to_owned()),
            (503, error("AUTH_UNAVAILABLE", "")),
        ] {
            assert!(
                matches!(read_data(&answered(status, &body)), Err(Fault::Wait(_))),
                "{status} {body}"
            );
        }
        assert!(matches!(
            read_data(&answered(503, &error("SERVICE_UNAVAILABLE", ""))),
            Err(Fault::Unclear(_))
        ));
        assert!(matches!(
            read_data(&answered(403, "<html>")),
            Err(Fault::Unclear(_))
        ));
    }

    #[test]
    fn data_needs_a_good_status() {
        assert!(read_data(&answered(200, r#"{"success":true,"data":{}}"#)).is_ok());
        assert!(read_data(&answered(500, r#"{"success":true,"data":{}}"#)).is_err());
        assert!(read_data(&answered(200, r#"{"success":false,"data":{}}"#)).is_err());
        assert!(read_data(&answered(307, "")).is_err());
    }
}
