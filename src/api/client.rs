//! The HTTP client: one call at a time, HTTP/1.1, no redirects, no resending, a cap on what is read.

use std::error::Error as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use reqwest::{Method, Request, Response, Url, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::answer::{Answer, Envelope, Exchange, Outcome, http_date, retry_after};
use super::limiter::Limiter;
use super::part::Part;
use super::redact::Redactor;
use crate::clock::Clock;

/// The most that is read of a body. The provider's longest page is far below.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// The most of a body that is stored.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// Node closes idle connections after 5 s; ours are dropped before.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// Everything but letters, digits and `-_.~`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// The answer's headers that the wire log may show.
const LOGGED_HEADERS: [&str; 7] = [
    "content-type",
    "content-length",
    "date",
    "retry-after",
    "x-request-id",
    "location",
    "server",
];

/// What the provider's support asks for.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where orders are sent.
const SEND_PATH: &str = "/v3/mobile/send";

/// Percent-encodes a ref or an id for a path or a query.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A page of 100 rows between two moments.
fn page_query(page: u32, from: jiff::Timestamp, to: jiff::Timestamp) -> String {
    let (from, to) = (encode(&format!("{from:.3}")), encode(&format!("{to:.3}")));
    format!("page={page}&pageSize=100&from={from}&to={to}")
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /v3/validate`.
    Validate,
    /// `GET /v3/account/balance`.
    Balance,
    /// `GET /v3/mobile/plans`.
    Plans,
    /// `POST /v3/mobile/send`.
    Send,
    /// `GET /v3/mobile/check-ref/{ref}`.
    CheckRef,
    /// `GET /v3/mobile/check-id/{id}`.
    CheckId,
    /// `GET /v3/mobile/list`.
    List,
    /// `GET /v3/account/transactions`.
    Transactions,
}

impl Endpoint {
    /// The word in the ledger and in the wire log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Balance => "balance",
            Self::Plans => "plans",
            Self::Send => "send",
            Self::CheckRef => "check-ref",
            Self::CheckId => "check-id",
            Self::List => "list",
            Self::Transactions => "transactions",
        }
    }
}

/// The body of the POST (API page `send-topup`).
#[derive(serde::Serialize)]
struct SendBody<'a> {
    plan_code: &'a str,
    #[serde(rename = "MSSIDN")]
    phone: &'a str,
    amount: u32,
    #[serde(rename = "ref")]
    reference: &'a str,
}

/// What a client is made of.
#[derive(Debug)]
pub struct ClientOptions {
    /// `https://api.oneclickdz.com`, without `/v3` and without a slash at the end.
    pub base_url: String,
    /// Whether that is this machine: then no proxy and no certificates are needed.
    pub is_loopback: bool,
    /// The key.
    pub key: SecretString,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a POST may take, to the last byte of its answer.
    pub send_timeout: Duration,
    /// How long a GET may take.
    pub read_timeout: Duration,
}

/// Why a client can't be made. None of these shows the key.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The key can't stand in a header.
    #[error("the API key has characters that no HTTP header can carry")]
    Key,
    /// TLS or its certificates.
    #[error("the HTTP client can't start: {0}")]
    Build(String),
}

/// Asks the provider. Cheap to share; all its calls go through one limiter.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Stands in for the network in the proof.
    #[cfg(test)]
    stage: Option<std::sync::Arc<dyn super::stage::Stage>>,
    base_url: String,
    /// What every call carries.
    headers: HeaderMap,
    /// The POST of an order without its body. It is made once: as many calls are like it as there are orders.
    send: Post,
    redactor: Redactor,
    send_timeout: Duration,
    read_timeout: Duration,
    limiter: Limiter,
    clock: Clock,
    /// When it was made, and how many milliseconds later an order was accepted last; 0 for none.
    made_at: Instant,
    accepted_after_ms: AtomicU64,
    /// How far the provider's clock is ahead of ours, in milliseconds, as its last answer showed it.
    ahead_ms: AtomicI64,
    calls: Calls,
}

/// A POST without its body.
#[derive(Debug)]
struct Post {
    url: Url,
    headers: HeaderMap,
}

impl Post {
    fn new(url: Url, mut headers: HeaderMap) -> Self {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { url, headers }
    }

    fn with(&self, body: String) -> Request {
        let mut request = Request::new(Method::POST, self.url.clone());
        *request.headers_mut() = self.headers.clone();
        *request.body_mut() = Some(body.into());
        request
    }
}

/// How many calls were made.
#[derive(Debug, Default)]
struct Calls {
    sends: AtomicU64,
    lists: AtomicU64,
    checks: AtomicU64,
    others: AtomicU64,
}

/// How many calls were made, by what they were for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// `POST /v3/mobile/send`.
    pub sends: u64,
    /// Pages of the list.
    pub lists: u64,
    /// `check-ref` and `check-id`.
    pub checks: u64,
    /// All else.
    pub others: u64,
}

impl Calls {
    fn of(&self, endpoint: Endpoint) -> &AtomicU64 {
        match endpoint {
            Endpoint::Send => &self.sends,
            Endpoint::List => &self.lists,
            Endpoint::CheckRef | Endpoint::CheckId => &self.checks,
            Endpoint::Validate | Endpoint::Balance | Endpoint::Plans | Endpoint::Transactions => &self.others,
        }
    }
}

impl Client {
    /// Makes a client; opens no connection.
    pub fn new(options: ClientOptions, clock: Clock) -> Result<Self, ClientError> {
        let (http, headers) = (build(&options)?, headers(&options.key)?);
        let send_url = Url::parse(&format!("{}{SEND_PATH}", options.base_url))
            .map_err(|error| ClientError::Build(error.to_string()))?;
        Ok(Self {
            http,
            send: Post::new(send_url, headers.clone()),
            headers,
            #[cfg(test)]
            stage: None,
            base_url: options.base_url,
            redactor: Redactor::new(options.key),
            send_timeout: options.send_timeout,
            read_timeout: options.read_timeout,
            limiter: Limiter::unlimited(),
            clock,
            made_at: Instant::now(),
            accepted_after_ms: AtomicU64::new(0),
            ahead_ms: AtomicI64::new(0),
            calls: Calls::default(),
        })
    }

    /// The same client with another side of the wire inside this process.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn on_stage(mut self, stage: std::sync::Arc<dyn super::stage::Stage>) -> Self {
        self.stage = Some(stage);
        self
    }

    /// How many calls this client has made.
    pub fn call_counts(&self) -> CallCounts {
        let count = |calls: &AtomicU64| calls.load(Ordering::Relaxed);
        CallCounts {
            sends: count(&self.calls.sends),
            lists: count(&self.calls.lists),
            checks: count(&self.calls.checks),
            others: count(&self.calls.others),
        }
    }

    /// The limiter of all calls.
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// When the provider has last let an order through.
    pub fn accepted_at(&self) -> Option<Instant> {
        let after = self.accepted_after_ms.load(Ordering::Relaxed);
        (after > 0).then(|| self.made_at + Duration::from_millis(after))
    }

    /// A moment of our clock as the provider's clock shows it.
    pub fn theirs(&self, moment: jiff::Timestamp) -> jiff::Timestamp {
        let ahead = jiff::SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed));
        moment.saturating_add(ahead).unwrap_or(moment)
    }

    /// The text without the key.
    pub fn without_key(&self, text: &str) -> String {
        self.redactor.clean(text)
    }

    /// Whose key it is.
    pub async fn validate(&self) -> Exchange {
        self.get(Endpoint::Validate, "/v3/validate".to_owned()).await
    }

    /// The balance.
    pub async fn balance(&self) -> Exchange {
        self.get(Endpoint::Balance, "/v3/account/balance".to_owned())
            .await
    }

    /// The catalogue.
    pub async fn plans(&self) -> Exchange {
        self.get(Endpoint::Plans, "/v3/mobile/plans".to_owned()).await
    }

    /// An order by its ref, raw or prefixed.
    pub async fn check_ref(&self, reference: &str) -> Exchange {
        self.get(
            Endpoint::CheckRef,
            format!("/v3/mobile/check-ref/{}", encode(reference)),
        )
        .await
    }

    /// An order by the provider's id.
    pub async fn check_id(&self, id: &str) -> Exchange {
        self.get(Endpoint::CheckId, format!("/v3/mobile/check-id/{}", encode(id)))
            .await
    }

    /// A page of 100 orders made between two moments. Pages count from 1.
    pub async fn list(&self, page: u32, from: jiff::Timestamp, to: jiff::Timestamp) -> Exchange {
        let query = page_query(page, from, to);
        self.get(Endpoint::List, format!("/v3/mobile/list?{query}")).await
    }

    /// A page of 100 lines of the account between two moments. Pages count from 1.
    pub async fn transactions(&self, page: u32, from: jiff::Timestamp, to: jiff::Timestamp) -> Exchange {
        let query = page_query(page, from, to);
        self.get(
            Endpoint::Transactions,
            format!("/v3/account/transactions?{query}"),
        )
        .await
    }

    /// Path and body of the POST for an order, as they will be sent: written down before [`Client::post_send`].
    pub fn send_request(intent: &crate::domain::Intent) -> (&'static str, String) {
        let body = SendBody {
            plan_code: intent.plan.as_str(),
            phone: intent.phone.as_str(),
            amount: intent.amount.dinars(),
            reference: intent.reference.as_str(),
        };
        // Texts and a number are always JSON.
        (SEND_PATH, serde_json::to_string(&body).unwrap_or_default())
    }

    /// Sends an order once. The future must be awaited to its end: a dropped one loses the answer.
    pub async fn post_send(&self, body: String) -> Exchange {
        self.call(Endpoint::Send, SEND_PATH.to_owned(), Some(body)).await
    }

    async fn get(&self, endpoint: Endpoint, path: String) -> Exchange {
        self.call(endpoint, path, None).await
    }

    /// A POST where there is a body, and a GET otherwise.
    async fn call(&self, endpoint: Endpoint, path: String, body: Option<String>) -> Exchange {
        // A POST takes its turn before it is written down, so that nothing waits between ledger and wire.
        if endpoint != Endpoint::Send {
            self.limiter.turn().await;
        }
        self.calls.of(endpoint).fetch_add(1, Ordering::Relaxed);
        let started_at = self.clock.now();
        if let Some(body) = &body {
            tracing::debug!(target: "wire", "> POST {path} {body}");
        } else {
            tracing::debug!(target: "wire", "> GET {path}");
        }
        let outcome = self.exchange(endpoint, &path, body.clone()).await;
        let ended_at = self.clock.now();
        match &outcome {
            Outcome::Answered(answer) if answer.status == 429 => {
                self.limiter
                    .pause(answer.retry_after.unwrap_or(Duration::from_secs(1)));
            }
            Outcome::Answered(answer) if endpoint == Endpoint::Send && answer.status < 300 => {
                let after = self.made_at.elapsed().as_millis().max(1);
                let after = u64::try_from(after).unwrap_or(u64::MAX);
                self.accepted_after_ms.store(after, Ordering::Relaxed);
            }
            Outcome::Answered(_) => {}
            Outcome::NotSent(why) => tracing::debug!(target: "wire", "< not sent: {why}"),
            Outcome::Lost(why) => tracing::debug!(target: "wire", "< lost: {why}"),
        }
        let took_ms = crate::clock::elapsed(started_at, ended_at).as_millis();
        tracing::info!(target: "wire", "{} {path}: {} in {took_ms} ms", endpoint.word(), outcome.word());
        Exchange {
            endpoint,
            path,
            request: body,
            started_at,
            ended_at,
            outcome,
        }
    }

    async fn exchange(&self, endpoint: Endpoint, path: &str, body: Option<String>) -> Outcome {
        let (method, timeout) = match &body {
            Some(_) => (Method::POST, self.send_timeout),
            None => (Method::GET, self.read_timeout),
        };
        #[cfg(test)]
        if let Some(stage) = &self.stage {
            let staged = tokio::time::timeout(timeout, stage.call(method.as_str(), path, body)).await;
            return match staged {
                Ok(super::stage::Staged::Answer {
                    status,
                    headers,
                    body,
                }) => self.whole_answer(endpoint, status, &headers, body),
                Ok(super::stage::Staged::NotSent) => Outcome::NotSent("refused".to_owned()),
                Ok(super::stage::Staged::Lost) => Outcome::Lost("the connection was cut".to_owned()),
                Err(_) => Outcome::Lost("no answer in time".to_owned()),
            };
        }
        let answered = if let Some(body) = body {
            // How long it may take, the client itself says: that is one thing less to make for each order.
            self.http.execute(self.send.with(body)).await
        } else {
            let request = self.http.request(method, format!("{}{path}", self.base_url));
            let request = request.headers(self.headers.clone());
            request.timeout(timeout).send().await
        };
        match answered {
            Ok(response) => self.read_answer(endpoint, response).await,
            Err(error) if error.is_connect() || error.is_builder() => Outcome::NotSent(self.describe(&error)),
            Err(error) => Outcome::Lost(self.describe(&error)),
        }
    }

    async fn read_answer(&self, endpoint: Endpoint, mut response: Response) -> Outcome {
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= BODY_BYTES_MAX => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    return Outcome::Lost(format!("the answer is longer than {BODY_BYTES_MAX} bytes"));
                }
                Ok(None) => break,
                Err(error) => return Outcome::Lost(format!("HTTP {status}, then {}", self.describe(&error))),
            }
        }
        self.whole_answer(endpoint, status, &headers, bytes)
    }

    fn whole_answer(&self, endpoint: Endpoint, status: u16, headers: &HeaderMap, bytes: Vec<u8>) -> Outcome {
        let body = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        // What surely holds nothing of the key as a whole has nothing of it in any part.
        let is_plain = self.redactor.is_plain(&body);
        let body = if is_plain {
            body
        } else {
            self.redactor.clean_body(body)
        };
        Outcome::Answered(Box::new(self.answer(endpoint, status, headers, body, is_plain)))
    }

    fn answer(
        &self,
        endpoint: Endpoint,
        status: u16,
        headers: &HeaderMap,
        body: String,
        is_plain: bool,
    ) -> Answer {
        let header = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let envelope = Envelope::read(&body).map(|envelope| self.shown_envelope(envelope, is_plain));
        let stamped = || envelope.as_ref().and_then(Envelope::timestamp);
        let server_time = header(&DATE).and_then(http_date).or_else(stamped);
        let now = server_time.unwrap_or_else(|| self.clock.now());
        if let Some(theirs) = server_time {
            let ahead = theirs
                .as_millisecond()
                .saturating_sub(self.clock.now().as_millisecond());
            self.ahead_ms.store(ahead, Ordering::Relaxed);
        }
        let in_body = envelope.as_ref().and_then(|envelope| envelope.request_id.clone());
        let request_id = in_body.or_else(|| header(&REQUEST_ID).map(|id| self.without_key(id)));
        // The body of `validate` holds the key; it is neither stored nor shown (design, section 2).
        let text = match endpoint {
            Endpoint::Validate => "(withheld)".to_owned(),
            _ if is_plain => cut(body),
            _ => cut(self.shown_body(body)),
        };
        self.log(status, headers, &text);
        Answer {
            status,
            request_id: request_id.map(|id| cut_to(id, 200)),
            retry_after: header(&RETRY_AFTER).and_then(|value| retry_after(value, now)),
            server_time,
            envelope,
            text,
        }
    }

    /// The parts of an envelope that are shown to people lose the key and what is too long for them. `is_plain`: there is
    /// nothing of the key in it.
    fn shown_envelope(&self, mut envelope: Envelope, is_plain: bool) -> Envelope {
        if !is_plain {
            for part in [&mut envelope.data, &mut envelope.meta] {
                // What can't be read can't be cleaned either.
                *part = part.take().and_then(|part| {
                    let mut value = part.value()?.clone();
                    self.redactor.clean_value(&mut value);
                    Some(Part::of_value(value))
                });
            }
            envelope.request_id = envelope.request_id.map(|id| self.redactor.cleaned(id));
        }
        if let Some(error) = &mut envelope.error {
            for (text, bytes_max) in [(&mut error.code, 100), (&mut error.message, 1000)] {
                let whole = std::mem::take(text);
                let clean = if is_plain {
                    whole
                } else {
                    self.redactor.cleaned(whole)
                };
                *text = cut_to(clean, bytes_max);
            }
        }
        envelope
    }

    /// A body as it is stored and shown: JSON is written anew, so that no spelling of the key escapes.
    fn shown_body(&self, body: String) -> String {
        // Without an escape there is one spelling only.
        if !body.contains('\\') {
            return self.redactor.clean_cut(body);
        }
        match serde_json::from_str::<serde_json::Value>(&body) {
            Ok(value) => self.without_key(&value.to_string()),
            Err(_) => self.redactor.clean_cut(body),
        }
    }

    fn log(&self, status: u16, headers: &HeaderMap, text: &str) {
        if !tracing::enabled!(target: "wire", tracing::Level::DEBUG) {
            return;
        }
        let shown: Vec<_> = LOGGED_HEADERS
            .iter()
            .filter_map(|name| {
                Some(format!(
                    "{name}: {}",
                    self.without_key(headers.get(*name)?.to_str().ok()?)
                ))
            })
            .collect();
        tracing::debug!(target: "wire", "< {status} [{}] {text}", shown.join(", "));
    }

    /// The error and what lies under it, in one line, without the address and without the key.
    fn describe(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() && !error.is_connect() {
            return "no answer in time".to_owned();
        }
        let mut parts = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if parts.last() != Some(&text) {
                parts.push(text);
            }
            source = cause.source();
        }
        let described = if parts.is_empty() {
            "the call failed".to_owned()
        } else {
            parts.join(": ")
        };
        self.without_key(&described)
    }
}

fn headers(key: &SecretString) -> Result<HeaderMap, ClientError> {
    let mut token = HeaderValue::from_str(key.expose_secret()).map_err(|_| ClientError::Key)?;
    token.set_sensitive(true);
    Ok(HeaderMap::from_iter([
        (HeaderName::from_static("x-access-token"), token),
        (ACCEPT, HeaderValue::from_static("application/json")),
        (
            USER_AGENT,
            HeaderValue::from_static(concat!("oneclick/", env!("CARGO_PKG_VERSION"))),
        ),
    ]))
}

fn build(options: &ClientOptions) -> Result<reqwest::Client, ClientError> {
    // A second start in one process finds the provider already there, which is just as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        // Without a retry that it could come to, none is prepared for either: no request is copied.
        .retry(retry::never().max_retries_per_request(0))
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .timeout(options.send_timeout)
        .pool_idle_timeout(POOL_IDLE);
    if options.is_loopback {
        builder = builder.no_proxy();
    }
    if !options.base_url.starts_with("https:") {
        // Reading the system's certificates takes milliseconds that plain HTTP does not need.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    builder.build().map_err(|error| ClientError::Build(chain(&error)))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn cut(text: String) -> String {
    cut_to(text, TEXT_BYTES_MAX)
}

/// Cuts at a character, and says so.
fn cut_to(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_encoded_for_paths() {
        assert_eq!(encode("order-1_a.b~c"), "order-1_a.b~c");
        assert_eq!(
            encode("API-+213665983439-a/b?c#d"),
            "API-%2B213665983439-a%2Fb%3Fc%23d"
        );
        assert_eq!(encode("طلب"), "%D8%B7%D9%84%D8%A8");
        assert_eq!(encode("%2e%2e"), "%252e%252e");
    }

    #[test]
    fn cuts_fall_between_characters() {
        assert_eq!(cut_to("ééé".to_owned(), 3), "é…");
        assert_eq!(cut_to("abc".to_owned(), 3), "abc");
    }

    #[test]
    fn the_body_of_a_post_is_what_the_api_page_names() {
        let intent = crate::domain::Intent {
            reference: "r".parse().unwrap_or_else(|error| panic!("{error}")),
            phone: "+213778037340".parse().unwrap_or_else(|error| panic!("{error}")),
            plan: "PREPAID_DJEZZY".parse().unwrap_or_else(|error| panic!("{error}")),
            amount: crate::domain::Amount::of(500).unwrap_or_else(|error| panic!("{error}")),
        };
        let (path, body) = Client::send_request(&intent);
        assert_eq!(path, "/v3/mobile/send");
        assert_eq!(
            body,
            r#"{"plan_code":"PREPAID_DJEZZY","MSSIDN":"0778037340","amount":500,"ref":"r"}"#
        );
    }
}
