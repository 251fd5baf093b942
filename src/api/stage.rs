//! The other side of the wire inside this process, for the proof: no socket, and the time of the runtime.

use std::fmt::Debug;
use std::pin::Pin;

use reqwest::header::HeaderMap;

/// What came back.
#[derive(Debug)]
pub(crate) enum Staged {
    /// A whole answer.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The headers.
        headers: HeaderMap,
        /// The body.
        body: Vec<u8>,
    },
    /// The connection never opened.
    NotSent,
    /// It was cut.
    Lost,
}

/// A call that is on its way.
pub(crate) type Call<'a> = Pin<Box<dyn Future<Output = Staged> + Send + 'a>>;

/// Answers calls.
pub(crate) trait Stage: Debug + Send + Sync {
    /// Answers one.
    fn call<'a>(&'a self, method: &str, path: &str, body: Option<String>) -> Call<'a>;
}

impl Staged {
    /// An answer with a JSON body; `date` is the provider's clock.
    pub(crate) fn json(status: u16, date: Option<&str>, body: &serde_json::Value) -> Self {
        Self::text(status, date, &body.to_string())
    }

    /// An answer with any body.
    pub(crate) fn text(status: u16, date: Option<&str>, body: &str) -> Self {
        let headers = date
            .and_then(|date| date.parse().ok())
            .map(|date| (reqwest::header::DATE, date))
            .into_iter()
            .collect();
        Self::Answer {
            status,
            headers,
            body: body.as_bytes().to_vec(),
        }
    }
}
