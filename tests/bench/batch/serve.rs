//! The provider's process: answers the calls of a batch, and does as little as it can meanwhile, so that it is not
//! what is measured. Only where orders are to be settled does it keep what was sent.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::provider::{Counts, Terms};

/// What refs begin with once the provider has stored them.
const PREFIX: &str = "API-+213770000000-";

/// Serves until standard input ends. Says where on standard output, and goes by what is said on standard input: terms
/// in a line, or an empty line, which asks for the counts.
pub fn serve() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let desk = Arc::new(Mutex::new(Desk::default()));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    println!("{}", listener.local_addr()?);
    let behind = Arc::clone(&desk);
    std::thread::spawn(move || runtime.block_on(accept(listener, behind)));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = if line.is_empty() {
            serde_json::to_string(&lock(&desk).counts)?
        } else {
            *lock(&desk) = Desk::new(serde_json::from_str(&line)?);
            "{}".to_owned()
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

async fn accept(listener: TcpListener, desk: Arc<Mutex<Desk>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(attend(stream, Arc::clone(&desk)));
    }
}

async fn attend(stream: TcpStream, desk: Arc<Mutex<Desk>>) {
    // Answers are small, and a delayed one would look like a slow provider.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, Arc::clone(&desk)));
    // An error here is a client that went.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    desk: Arc<Mutex<Desk>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // What is cut off is answered to nobody.
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let latency_ms = lock(&desk).terms.latency_ms;
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    let query = head.uri.query().unwrap_or_default();
    let reply = lock(&desk).reply(&head.method, head.uri.path(), query, &body);
    let mut response = Response::new(Full::from(reply.body));
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json; charset=utf-8"),
    );
    if let Some(seconds) = reply.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What goes out.
struct Reply {
    status: u16,
    body: String,
    retry_after: Option<u64>,
}

/// An order as it was sent.
struct Kept {
    at: Timestamp,
    body: Box<[u8]>,
}

#[derive(Default)]
struct Desk {
    terms: Terms,
    counts: Counts,
    kept: Vec<Kept>,
    /// When the first top-up was accepted.
    first_send: Option<Instant>,
    /// The calls that the quota counts.
    recent: VecDeque<Instant>,
}

impl Desk {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            ..Self::default()
        }
    }

    fn reply(&mut self, method: &Method, path: &str, query: &str, body: &[u8]) -> Reply {
        if let Some(seconds) = self.over_quota() {
            self.counts.refused += 1;
            let mut reply = refusal(429, "RATE_LIMIT_EXCEEDED");
            reply.retry_after = Some(seconds);
            return reply;
        }
        match (method.as_str(), path) {
            ("POST", "/v3/mobile/send") => self.send(body),
            ("GET", "/v3/mobile/list") => {
                self.counts.lists += 1;
                self.list(query)
            }
            ("GET", "/v3/account/balance") => {
                self.counts.balances += 1;
                success(&json!({ "balance": 1_000_000_000_000_u64, "currency": "DZD" }))
            }
            ("GET", "/v3/mobile/plans") => {
                self.counts.others += 1;
                success(&plans())
            }
            ("GET", "/v3/validate") => {
                self.counts.others += 1;
                success(&json!({
                    "username": "+213770000000",
                    "apiKey": { "isEnabled": true, "type": "SANDBOX", "allowedips": [], "scope": "READ-WRITE" },
                }))
            }
            ("GET", single) => {
                self.counts.checks += 1;
                let place = single
                    .strip_prefix("/v3/mobile/check-id/")
                    .and_then(|id| usize::from_str_radix(id, 16).ok());
                match place.and_then(|place| Some((place, self.kept.get(place)?))) {
                    Some((place, kept)) => success(&self.row(place, kept)),
                    None => refusal(404, "NOT_FOUND"),
                }
            }
            _ => refusal(404, "NOT_FOUND"),
        }
    }

    /// How many seconds a call comes too early.
    fn over_quota(&mut self) -> Option<u64> {
        let quota = self.terms.quota?;
        let window = Duration::from_secs(self.terms.window_s);
        let now = Instant::now();
        while self
            .recent
            .front()
            .is_some_and(|call| now.duration_since(*call) >= window)
        {
            self.recent.pop_front();
        }
        match self.recent.front() {
            Some(oldest) if self.recent.len() >= quota => {
                let wait = window.saturating_sub(now.duration_since(*oldest));
                Some(wait.as_secs() + 1)
            }
            _ => {
                self.recent.push_back(now);
                None
            }
        }
    }

    /// The hot path: nothing is read but the ref, and nothing but text is put together.
    fn send(&mut self, body: &[u8]) -> Reply {
        let now = Timestamp::now();
        let id = self.counts.sends;
        self.counts.sends += 1;
        self.counts.last_send_ms = now.as_millisecond();
        let first = *self.first_send.get_or_insert_with(Instant::now);
        self.counts.sending_us = u64::try_from(first.elapsed().as_micros()).unwrap_or(u64::MAX);
        let reference = ref_of(body);
        let body_out = format!(
            "{{\"success\":true,\"data\":{{\"topupId\":\"{id:024x}\",\"topupRef\":\"{PREFIX}{reference}\",\
             \"newBalance\":999999999503.75}},\"meta\":{{\"timestamp\":\"{now:.3}\"}},\"requestId\":\"req-{id:x}\"}}"
        );
        if self.terms.life_ms.is_some() {
            // A copy: what came in holds the connection's whole buffer.
            let body = body.into();
            self.kept.push(Kept { at: now, body });
        }
        Reply {
            status: 200,
            body: body_out,
            retry_after: None,
        }
    }

    fn list(&self, query: &str) -> Reply {
        let page = parameter(query, "page")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1);
        let moment = |name| parameter(query, name).and_then(|text| text.parse::<Timestamp>().ok());
        let from = moment("from").unwrap_or(Timestamp::MIN);
        let to = moment("to").unwrap_or(Timestamp::MAX);
        let begin = self.kept.partition_point(|kept| kept.at < from);
        let end = self.kept.partition_point(|kept| kept.at <= to).max(begin);
        let first = begin.saturating_add(100 * (page - 1_usize)).min(end);
        let shown = self.kept.iter().enumerate().take(end).skip(first).take(100);
        let rows: Vec<_> = shown.map(|(place, kept)| self.row(place, kept)).collect();
        let pages = (end - begin).div_ceil(100);
        success(&json!({
            "items": rows,
            "pagination": { "page": page, "pageSize": 100, "totalPages": pages, "totalResults": end - begin },
        }))
    }

    /// An order as lists and checks show it.
    fn row(&self, place: usize, kept: &Kept) -> Value {
        let sent: Value = serde_json::from_slice(&kept.body).unwrap_or_default();
        let age_ms = Timestamp::now().as_millisecond() - kept.at.as_millisecond();
        let is_over = age_ms >= self.terms.life_ms.unwrap_or_default();
        json!({
            "ref": format!("{PREFIX}{}", sent["ref"].as_str().unwrap_or_default()),
            "status": if is_over { "FULFILLED" } else { "HANDLING" },
            "plan_code": sent["plan_code"],
            "MSSIDN": sent["MSSIDN"],
            "topup_amount": sent["amount"],
            "balance_amount": 496.25,
            "created_at": format!("{:.3}", kept.at),
            "_id": format!("{place:024x}"),
        })
    }
}

fn plans() -> Value {
    json!({
        "dynamicPlans": [{
            "code": "PREPAID_DJEZZY", "name": "PREPAID", "operator": "Djezzy", "cost": 0.9925,
            "isEnabled": true, "min_amount": 100, "max_amount": 10_000,
        }],
        "fixedPlans": [],
    })
}

fn success(data: &Value) -> Reply {
    let now = format!("{:.3}", Timestamp::now());
    let body = json!({ "success": true, "data": data, "meta": { "timestamp": now }, "requestId": "req" });
    Reply {
        status: 200,
        body: body.to_string(),
        retry_after: None,
    }
}

fn refusal(status: u16, code: &str) -> Reply {
    let error = json!({ "code": code, "message": code });
    Reply {
        status,
        body: json!({ "success": false, "error": error, "requestId": "req" }).to_string(),
        retry_after: None,
    }
}

/// The ref in a body; every client here writes it without a space and without an escape.
fn ref_of(body: &[u8]) -> &str {
    let body = std::str::from_utf8(body).unwrap_or_default();
    let behind = body.split_once("\"ref\":\"").map(|(_, behind)| behind);
    behind
        .and_then(|behind| behind.split('"').next())
        .unwrap_or_default()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    let text = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
    Some(text.into_owned())
}
