//! What can go wrong on the way, how it is spelt, and on which calls it strikes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::call::Endpoint;

macro_rules! faults {
    ($($kind:ident = $name:literal, $phase:ident, $meaning:literal;)+) => {
        /// What goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum FaultKind {
            $(#[doc = $meaning] $kind),+
        }

        /// Every fault: its name and what happens.
        pub const FAULTS: &[(&str, &str)] = &[$(($name, $meaning)),+];

        impl FaultKind {
            fn read(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind),)+
                    _ => None,
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name),+
                }
            }

            fn phase(self) -> Phase {
                match self {
                    $(Self::$kind => Phase::$phase),+
                }
            }
        }
    };
}

/// When a fault strikes: before the call is looked at, on its answer, or on the order it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    After,
    Order,
}

faults! {
    RequestLost = "request_lost", Before, "the connection is reset before anything is accepted";
    AnswerLost = "answer_lost", After, "accepted, then the connection is reset";
    HalfBody = "half_body", After, "accepted, then the answer is cut in the middle of its body";
    Html502Before = "html_502_before", Before, "502 with an HTML page; nothing accepted";
    Html502After = "html_502_after", After, "accepted, then 502 with an HTML page";
    Error500Before = "error_500_before", Before, "500 `INTERNAL_ERROR`; nothing accepted";
    Error500After = "error_500_after", After, "accepted, then 500 `INTERNAL_ERROR`";
    Error503Before = "error_503_before", Before, "503 `SERVICE_UNAVAILABLE`; nothing accepted";
    Error503After = "error_503_after", After, "accepted, then 503 `SERVICE_UNAVAILABLE`";
    AuthUnavailable = "auth_unavailable", Before, "503 `AUTH_UNAVAILABLE` with Retry-After 5; nothing accepted";
    HangBefore = "hang_before", Before, "no answer until the client goes; nothing accepted";
    HangAfter = "hang_after", After, "accepted, then no answer until the client goes";
    RateLimited = "rate_limited", Before, "429 although the quota is not used up; nothing accepted";
    NotJson200 = "not_json_200", After, "accepted, then 200 with an HTML page";
    Redirect = "redirect", Before, "307 to the same path; nothing accepted";
    Empty200 = "empty_200", After, "accepted, then 200 with no body";
    NoId200 = "no_id_200", After, "accepted, then a success without the id of the order";
    LateVisibility = "late_visibility", Order, "accepted, but no check or list shows the order for `late_by` seconds";
}

/// Something that goes wrong on some calls.
///
/// Spelt `NAME`, `NAME=RATE`, `NAME@N`, `NAME:ENDPOINT`, `NAME:ENDPOINT=RATE` or `NAME:ENDPOINT@N`. A rate
/// is `5%` or `0.05`; `N` is the number of the call, from 1, or a range as in `1-3`. The endpoint is `send`
/// unless said otherwise, and `any` is every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    target: Option<Endpoint>,
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    PartsPerMillion(u32),
    Calls { first: u64, last: u64 },
}

/// A spelling that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has this name.
    #[error("there is no fault `{0}`")]
    Name(String),
    /// No endpoint has this name.
    #[error(
        "there is no endpoint `{0}`; there are send, check-ref, check-id, list, balance, plans, validate, transactions, ping and any"
    )]
    Endpoint(String),
    /// Neither `5%` nor `0.05`, or more than all.
    #[error("`{0}` is no rate; a rate is spelt `5%` or `0.05`")]
    Rate(String),
    /// Neither `3` nor `1-3`.
    #[error("`{0}` is no call; calls are spelt `3` or `1-3`, counted from 1")]
    Call(String),
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(spelling: &str) -> Result<Self, FaultError> {
        let spelling = spelling.trim();
        let (subject, when) = if let Some((subject, rate)) = spelling.split_once('=') {
            (subject, When::PartsPerMillion(read_rate(rate)?))
        } else if let Some((subject, calls)) = spelling.split_once('@') {
            (subject, read_calls(calls)?)
        } else {
            (spelling, When::Always)
        };
        let (name, endpoint) = subject.split_once(':').unwrap_or((subject, "send"));
        let target = match endpoint {
            "any" => None,
            word => Some(Endpoint::read(word).ok_or_else(|| FaultError::Endpoint(word.to_owned()))?),
        };
        let kind = FaultKind::read(name).ok_or_else(|| FaultError::Name(name.to_owned()))?;
        Ok(Self { kind, target, when })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.target.map_or("any", Endpoint::name);
        write!(formatter, "{}:{endpoint}", self.kind.name())?;
        match self.when {
            When::Always => Ok(()),
            When::PartsPerMillion(parts) => write!(formatter, "={}.{:06}", parts / MILLION, parts % MILLION),
            When::Calls { first, last } => write!(formatter, "@{first}-{last}"),
        }
    }
}

const MILLION: u32 = 1_000_000;

/// Reads `5%` or `0.05` as parts per million, without a float on the way.
fn read_rate(text: &str) -> Result<u32, FaultError> {
    let (digits, shift) = text.strip_suffix('%').map_or((text, 6), |digits| (digits, 4));
    let wrong = || FaultError::Rate(text.to_owned());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() > 3 || fraction.len() > shift || digits.is_empty() || digits == "." {
        return Err(wrong());
    }
    let padded = format!("{whole}{fraction:0<shift$}");
    if !padded.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    padded
        .parse()
        .ok()
        .filter(|parts| *parts <= MILLION)
        .ok_or_else(wrong)
}

fn read_calls(text: &str) -> Result<When, FaultError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if 1 <= first && first <= last => Ok(When::Calls { first, last }),
        _ => Err(FaultError::Call(text.to_owned())),
    }
}

/// Which call it is: what faults are drawn for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ordinal {
    /// The endpoint that is called.
    pub(super) endpoint: Endpoint,
    /// How often this endpoint has been called, this call included.
    pub(super) of_endpoint: u64,
    /// How often any endpoint has been called, this call included.
    pub(super) of_all: u64,
}

/// What goes wrong on one call; the first fault of each phase wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Strike {
    /// Instead of looking at the call.
    pub(super) before: Option<FaultKind>,
    /// Instead of the answer.
    pub(super) after: Option<FaultKind>,
    /// The order stays out of sight for a while.
    pub(super) late: bool,
}

impl Strike {
    /// Draws what goes wrong on a call: the same seed, call and faults give the same strike.
    pub(super) fn draw(faults: &[Fault], seed: u64, ordinal: Ordinal) -> Self {
        let mut strike = Self::default();
        for fault in faults.iter().filter(|fault| fault.hits(seed, ordinal)) {
            match fault.kind.phase() {
                Phase::Before => strike.before = strike.before.or(Some(fault.kind)),
                Phase::After => strike.after = strike.after.or(Some(fault.kind)),
                Phase::Order => strike.late = true,
            }
        }
        strike
    }
}

impl Fault {
    fn hits(&self, seed: u64, ordinal: Ordinal) -> bool {
        if self.target.is_some_and(|target| target != ordinal.endpoint) {
            return false;
        }
        let number = match self.target {
            Some(_) => ordinal.of_endpoint,
            None => ordinal.of_all,
        };
        match self.when {
            When::Always => true,
            When::Calls { first, last } => (first..=last).contains(&number),
            When::PartsPerMillion(parts) => {
                let subject = format!("{}/{}/{number}", self.kind.name(), ordinal.endpoint.name());
                draw(seed, &subject) % u64::from(MILLION) < u64::from(parts)
            }
        }
    }
}

/// A number that only the seed and the subject decide.
fn draw(seed: u64, subject: &str) -> u64 {
    let digest = Sha256::digest(format!("{seed}/{subject}").as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(spelling: &str) -> Fault {
        spelling.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn sends(spelling: &str, seed: u64, calls: u64) -> Vec<u64> {
        let faults = [fault(spelling)];
        (1..=calls)
            .filter(|number| {
                let ordinal = Ordinal {
                    endpoint: Endpoint::Send,
                    of_endpoint: *number,
                    of_all: *number,
                };
                Strike::draw(&faults, seed, ordinal) != Strike::default()
            })
            .collect()
    }

    #[test]
    fn every_spelling_is_read() {
        for (spelling, meaning) in [
            ("answer_lost", "answer_lost:send"),
            ("answer_lost=5%", "answer_lost:send=0.050000"),
            ("answer_lost=0.05", "answer_lost:send=0.050000"),
            ("answer_lost=1", "answer_lost:send=1.000000"),
            ("answer_lost=0.25%", "answer_lost:send=0.002500"),
            ("hang_before:check-ref@3", "hang_before:check-ref@3-3"),
            ("hang_before:any@1-3", "hang_before:any@1-3"),
            ("late_visibility:send=100%", "late_visibility:send=1.000000"),
        ] {
            assert_eq!(fault(spelling).to_string(), meaning);
            assert_eq!(fault(meaning).to_string(), meaning);
        }
        for (name, _) in FAULTS {
            assert_eq!(fault(name).kind.name(), *name);
        }
    }

    #[test]
    fn what_is_no_fault_is_refused() {
        for spelling in [
            "",
            "answers_lost",
            "answer_lost:sends",
            "answer_lost=",
            "answer_lost=101%",
            "answer_lost=1.5",
            "answer_lost=-1",
            "answer_lost=+1",
            "answer_lost=%",
            "answer_lost=.",
            "answer_lost@0",
            "answer_lost@3-1",
            "answer_lost@x",
        ] {
            assert!(spelling.parse::<Fault>().is_err(), "{spelling}");
        }
    }

    #[test]
    fn calls_are_hit_by_number_and_by_rate() {
        assert_eq!(sends("answer_lost", 0, 3), [1, 2, 3]);
        assert_eq!(sends("answer_lost@2", 0, 5), [2]);
        assert_eq!(sends("answer_lost:any@2-3", 0, 5), [2, 3]);
        assert_eq!(sends("answer_lost:list", 0, 5), [] as [u64; 0]);
        assert_eq!(sends("answer_lost=0%", 0, 1000), [] as [u64; 0]);
        let struck = sends("answer_lost=5%", 7, 2000);
        assert!((60..140).contains(&struck.len()), "{}", struck.len());
        assert_eq!(struck, sends("answer_lost=5%", 7, 2000));
        assert_ne!(struck, sends("answer_lost=5%", 8, 2000));
    }
}
