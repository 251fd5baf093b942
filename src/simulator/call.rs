//! One call as it came in, and the endpoint that it is for.

use std::net::IpAddr;

use hyper::body::Bytes;
use percent_encoding::percent_decode_str;

use super::switches::{CheckRef, Route, Switches};

/// A request, read to its end.
#[derive(Debug)]
pub(super) struct Call {
    /// `GET` or `POST`, or whatever was sent.
    pub(super) method: String,
    /// The path as it was sent, still percent-encoded.
    pub(super) path: String,
    /// The query as it was sent, without the question mark.
    pub(super) query: String,
    /// The key, if any.
    pub(super) token: Option<String>,
    /// The media type of the body.
    pub(super) content_type: Option<String>,
    /// The body.
    pub(super) body: Bytes,
    /// The address that it came from.
    pub(super) peer: IpAddr,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Send,
    CheckRef,
    CheckId,
    List,
    Balance,
    Plans,
    Validate,
    Transactions,
    Ping,
}

impl Endpoint {
    /// All of them.
    pub(super) const ALL: [Self; 9] = [
        Self::Send,
        Self::CheckRef,
        Self::CheckId,
        Self::List,
        Self::Balance,
        Self::Plans,
        Self::Validate,
        Self::Transactions,
        Self::Ping,
    ];

    /// The word for it in faults and books.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::CheckRef => "check-ref",
            Self::CheckId => "check-id",
            Self::List => "list",
            Self::Balance => "balance",
            Self::Plans => "plans",
            Self::Validate => "validate",
            Self::Transactions => "transactions",
            Self::Ping => "ping",
        }
    }

    /// Reads the word for it.
    pub(super) fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.name() == word)
    }

    fn exists(self, switches: &Switches) -> bool {
        match self {
            Self::CheckRef => switches.check_ref != CheckRef::Missing,
            Self::CheckId => switches.check_id == Route::Present,
            Self::List => switches.list == Route::Present,
            Self::Transactions => switches.transactions == Route::Present,
            _ => true,
        }
    }
}

impl Call {
    /// The endpoint that method and path name, unless a switch has taken the route away.
    pub(super) fn endpoint(&self, switches: &Switches) -> Option<Endpoint> {
        let endpoint = match (self.method.as_str(), self.path.as_str()) {
            ("POST", "/v3/mobile/send") => Endpoint::Send,
            ("GET", "/v3/mobile/list") => Endpoint::List,
            ("GET", "/v3/mobile/plans") => Endpoint::Plans,
            ("GET", "/v3/account/balance") => Endpoint::Balance,
            ("GET", "/v3/account/transactions") => Endpoint::Transactions,
            ("GET", "/v3/validate") => Endpoint::Validate,
            ("GET", "/v3/ping") => Endpoint::Ping,
            ("GET", path) => lookup(path)?,
            _ => return None,
        };
        Some(endpoint).filter(|endpoint| endpoint.exists(switches))
    }

    /// The last part of the path, decoded: the ref or id that is looked up.
    pub(super) fn subject(&self) -> String {
        let last = self.path.rsplit('/').next().unwrap_or_default();
        percent_decode_str(last).decode_utf8_lossy().into_owned()
    }

    /// A parameter of the query, decoded as forms are: a plus is a space.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| {
                let spaced = value.replace('+', " ");
                percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
            })
    }
}

fn lookup(path: &str) -> Option<Endpoint> {
    let (endpoint, subject) = path
        .strip_prefix("/v3/mobile/check-ref/")
        .map(|subject| (Endpoint::CheckRef, subject))
        .or_else(|| {
            path.strip_prefix("/v3/mobile/check-id/")
                .map(|subject| (Endpoint::CheckId, subject))
        })?;
    (!subject.is_empty() && !subject.contains('/')).then_some(endpoint)
}
