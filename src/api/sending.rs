//! What the answer to a POST means: the table of the design's section 2, row by row.

use std::time::Duration;

use super::answer::{Answer, Envelope, ErrorBody, Exchange, Outcome};
use super::fault::{AuthFault, Fault, refuses_the_key, shared_fault};
use super::wire;
use crate::domain::{Money, Ref, TopupId};

/// The class of an answer to a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// It was made.
    Accepted {
        /// The provider's id.
        id: TopupId,
        /// The ref as the provider stores it.
        stored_ref: Option<String>,
        /// The balance behind it, where the provider says.
        balance: Option<Money>,
    },
    /// The connection never opened; nothing was made.
    NotSent(String),
    /// Too many calls, or the key could not be verified; nothing was made.
    NotCreated(Option<Duration>),
    /// The provider refuses the request; nothing was made.
    Rejected {
        /// The provider's code.
        code: String,
        /// The provider's message: foreign text.
        message: String,
        /// The field at fault, where the provider names it.
        field: Option<String>,
        /// The HTTP status.
        status: u16,
    },
    /// The key; nothing was made.
    Auth(AuthFault),
    /// The wallet is empty; nothing was made.
    EmptyWallet {
        /// The provider's code.
        code: String,
        /// The provider's message: foreign text.
        message: String,
        /// What is there, where the provider says.
        available: Option<Money>,
    },
    /// The ref is taken: by this very order, or by another.
    Exists,
    /// It may have been made.
    Unknown(String),
}

/// Classifies what became of the POST of `reference`. Whatever is not surely one of the others is unknown.
pub fn classify_send(exchange: &Exchange, reference: &Ref) -> SendAnswer {
    match &exchange.outcome {
        Outcome::NotSent(why) => SendAnswer::NotSent(why.clone()),
        Outcome::Lost(why) => SendAnswer::Unknown(why.clone()),
        Outcome::Answered(answer) => classify_answer(answer, reference),
    }
}

fn classify_answer(answer: &Answer, reference: &Ref) -> SendAnswer {
    match shared_fault(answer) {
        Some(Fault::Wait(wait)) if matches!(answer.status, 429 | 503) => return SendAnswer::NotCreated(wait),
        Some(Fault::Auth(auth)) if answer.status == 401 || is_about_the_key(&auth.code) => {
            return SendAnswer::Auth(auth);
        }
        _ => {}
    }
    let Some(envelope) = &answer.envelope else {
        return SendAnswer::Unknown(format!("HTTP {} without the provider's envelope", answer.status));
    };
    match (&envelope.error, answer.status) {
        // Leads to a look-up only, so it may be believed whatever its status is.
        (Some(error), _) if error.code == "DUPLICATED_REF" => SendAnswer::Exists,
        (None, 200..=299) if envelope.success != Some(false) => accepted(envelope, reference),
        (Some(error), 400..=499) => refused(error, answer.status),
        (error, status) => {
            let code = error
                .as_ref()
                .map(|error| format!(" {}", error.code))
                .unwrap_or_default();
            SendAnswer::Unknown(format!("HTTP {status}{code}"))
        }
    }
}

/// An acceptance under another ref is the answer to another request: a cache or a proxy has mixed them up.
fn accepted(envelope: &Envelope, reference: &Ref) -> SendAnswer {
    let told = envelope
        .data
        .as_ref()
        .map(|data| data.texts(["topupRef", "topupId", "newBalance"]));
    let [stored_ref, id, balance] = told.unwrap_or_default();
    if stored_ref
        .as_ref()
        .is_some_and(|theirs| !reference.may_be_meant_by(theirs))
    {
        return SendAnswer::Unknown("the answer is about another ref".to_owned());
    }
    match id.and_then(|id| TopupId::new(&id)) {
        Some(id) => SendAnswer::Accepted {
            id,
            stored_ref,
            balance: balance.and_then(|balance| balance.parse().ok()),
        },
        None => SendAnswer::Unknown("the answer says success but names no `topupId`".to_owned()),
    }
}

/// An enveloped 4xx: a refusal where its code names a fault of the request. A timeout, a conflict, a code in progress or
/// one that nobody has heard of says nothing sure about the order.
fn refused(error: &ErrorBody, status: u16) -> SendAnswer {
    match (error.code.as_str(), status) {
        ("INSUFFICIENT_BALANCE" | "NO_BALANCE", _) => SendAnswer::EmptyWallet {
            code: error.code.clone(),
            message: error.message.clone(),
            available: error
                .details
                .as_ref()
                .and_then(|details| wire::money(details, "available")),
        },
        (code, status) if refuses_the_request(code, status) => SendAnswer::Rejected {
            code: error.code.clone(),
            message: error.message.clone(),
            field: error.field(),
            status,
        },
        _ if error.message.is_empty() => SendAnswer::Unknown(format!("HTTP {status} {}", error.code)),
        _ => SendAnswer::Unknown(format!("HTTP {status} {}, {}", error.code, error.message)),
    }
}

/// Whether an enveloped error says that the request itself is at fault: the same request would be refused again.
pub(crate) fn refuses_the_request(code: &str, status: u16) -> bool {
    matches!(status, 400 | 402..=406 | 410..=422) && is_fault_of_request(code)
}

/// Codes that the API's pages name for requests that it does not take, and their kin: the code decides, not the status,
/// since an error inside the provider may come with any (`api-v3`, section 6.2).
fn is_fault_of_request(code: &str) -> bool {
    let of_request = |what: &str| {
        matches!(
            what,
            "PHONE"
                | "PHONE_NUMBER"
                | "NUMBER"
                | "MSISDN"
                | "MSSIDN"
                | "AMOUNT"
                | "PLAN"
                | "PLAN_CODE"
                | "REF"
                | "REFERENCE"
                | "BODY"
                | "REQUEST"
                | "PARAMETER"
                | "PARAMETERS"
                | "PARAMS"
                | "FIELD"
                | "FIELDS"
                | "INPUT"
                | "JSON"
        )
    };
    let named = code
        .strip_prefix("INVALID_")
        .or_else(|| code.strip_prefix("MISSING_"));
    matches!(
        code,
        "ERR_PHONE" | "ERR_STOCK" | "PAYLOAD_TOO_LARGE" | "VALIDATION_ERROR"
    ) || code.starts_with("ERR_VALIDATION")
        || named.is_some_and(of_request)
}

/// Codes that speak of the key and what it may do: that of a key that may only read is not documented, so that any which
/// says so is taken. What speaks of anything else is no refusal of the key.
fn is_about_the_key(code: &str) -> bool {
    let words = [
        "ACCESS",
        "FORBIDDEN",
        "PERMISSION",
        "SCOPE",
        "READ_ONLY",
        "READONLY",
    ];
    refuses_the_key(code) || words.iter().any(|word| code.contains(word))
}

#[cfg(test)]
mod tests {
    use super::super::answer::answered;
    use super::*;

    fn class(status: u16, body: &str) -> SendAnswer {
        let reference = "x".parse().unwrap_or_else(|error| panic!("{error}"));
        classify_send(&answered(status, body), &reference)
    }

    fn error(code: &str) -> String {
        format!(r#"{{"success":false,"error":{{"code":"{code}","message":"m"}},"requestId":"r"}}"#)
    }

    #[test]
    fn what_may_pass_refuses_no_request() {
        for (code, status) in [("ERR_VALIDATION", 400), ("INVALID_REF", 422)] {
            assert!(refuses_the_request(code, status), "{code} {status}");
        }
        for (code, status) in [
            ("REQUEST_TIMEOUT", 408),
            ("ERR_VALIDATION", 409),
            ("INVALID_REF", 425),
            ("NOT_YET", 423),
            ("NOT_FOUND", 404),
        ] {
            assert!(!refuses_the_request(code, status), "{code} {status}");
        }
    }

    #[test]
    fn accepted_needs_an_id() {
        let sample =
            r#"{"success":true,"data":{"topupId":"6901616f","topupRef":"API-+213-x","newBalance":826.13}}"#;
        let SendAnswer::Accepted {
            id,
            stored_ref,
            balance,
        } = class(200, sample)
        else {
            panic!("not accepted")
        };
        assert_eq!(id.as_str(), "6901616f");
        assert_eq!(stored_ref.as_deref(), Some("API-+213-x"));
        assert_eq!(balance, "826.13".parse().ok());
        assert!(matches!(
            class(201, r#"{"data":{"topupId":"1"}}"#),
            SendAnswer::Accepted { .. }
        ));
        for body in [
            "",
            r#"{"success":true}"#,
            r#"{"success":true,"data":{"topupId":""}}"#,
            "<html>",
            "{\"success\":true,\"da",
        ] {
            assert!(matches!(class(200, body), SendAnswer::Unknown(_)), "{body}");
        }
        assert!(matches!(
            class(200, r#"{"success":false,"data":{"topupId":"1"}}"#),
            SendAnswer::Unknown(_)
        ));
    }

    #[test]
    fn an_acceptance_under_another_ref_is_none() {
        for (stored_ref, is_ours) in [
            ("x", true),
            ("API-+213-x", true),
            ("x-2", false),
            ("API-+213-y", false),
        ] {
            let body = format!(r#"{{"data":{{"topupId":"1","topupRef":"{stored_ref}"}}}}"#);
            let answer = class(200, &body);
            assert_eq!(
                matches!(answer, SendAnswer::Accepted { .. }),
                is_ours,
                "{stored_ref}"
            );
            assert_eq!(matches!(answer, SendAnswer::Unknown(_)), !is_ours, "{stored_ref}");
        }
    }

    #[test]
    fn both_spellings_of_the_duplicate_mean_exists() {
        for status in [400, 403, 409, 200, 500] {
            assert_eq!(class(status, &error("DUPLICATED_REF")), SendAnswer::Exists);
            assert_eq!(class(status, &error("DUPLICATED-REF")), SendAnswer::Exists);
        }
    }

    #[test]
    fn surely_not_created() {
        assert_eq!(class(429, ""), SendAnswer::NotCreated(None));
        assert_eq!(
            class(429, &error("RATE_LIMIT_EXCEEDED")),
            SendAnswer::NotCreated(None)
        );
        assert_eq!(
            class(503, &error("AUTH_UNAVAILABLE")),
            SendAnswer::NotCreated(None)
        );
        assert!(matches!(
            class(400, &error("ERR_VALIDATION")),
            SendAnswer::Rejected { .. }
        ));
        assert!(matches!(
            class(400, &error("ERR_PHONE")),
            SendAnswer::Rejected { .. }
        ));
        assert!(matches!(
            class(422, &error("INVALID_PHONE")),
            SendAnswer::Rejected { .. }
        ));
        for code in ["INSUFFICIENT_BALANCE", "NO_BALANCE"] {
            assert!(matches!(class(403, &error(code)), SendAnswer::EmptyWallet { .. }));
        }
        for (status, code) in [
            (401, "X"),
            (400, "MISSING_ACCESS_TOKEN"),
            (403, "IP_BLOCKED"),
            (403, "API_DISABLED"),
            (403, "FORBIDDEN"),
        ] {
            assert!(
                matches!(class(status, &error(code)), SendAnswer::Auth(_)),
                "{status} {code}"
            );
        }
        assert!(matches!(class(401, "<html>"), SendAnswer::Auth(_)));
    }

    #[test]
    fn everything_else_is_unknown() {
        for (status, body) in [
            (500, error("INTERNAL_ERROR")),
            (503, error("SERVICE_UNAVAILABLE")),
            (503, "<html>".to_owned()),
            (502, "<html>bad gateway</html>".to_owned()),
            (500, error("ERR_VALIDATION")),
            (500, error("INSUFFICIENT_BALANCE")),
            (200, error("INSUFFICIENT_BALANCE")),
            (400, "<html>".to_owned()),
            (403, "<html>".to_owned()),
            (
                404,
                r#"{"message":"Route POST:/x not found","error":"Not Found","statusCode":404}"#.to_owned(),
            ),
            (307, String::new()),
            (302, r#"{"success":true,"data":{"topupId":"1"}}"#.to_owned()),
            (408, error("TIMEOUT")),
            (409, error("PAYMENT_IN_PROGRESS")),
            (400, error("INTERNAL_ERROR")),
            (400, error("SERVICE_UNAVAILABLE")),
            (400, error("OPERATOR_TIMEOUT")),
            (404, error("NOT_FOUND")),
            (422, error("WHATEVER")),
            (400, error("INVALID_OPERATOR_RESPONSE")),
            (403, error("PLAN_DISABLED")),
            (403, error("DUPLICATE_REQUEST")),
            (403, error("INTERNAL_ERROR")),
            (400, r#"{"success":false}"#.to_owned()),
            (100, String::new()),
        ] {
            assert!(
                matches!(class(status, &body), SendAnswer::Unknown(_)),
                "{status} {body}"
            );
        }
    }
}
