//! The provider's answers, through the client as it is: a server in this process says the bytes, and what they are
//! taken for is held to a second reading of the same bytes.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oneclick::api::{
    Client, ClientOptions, Exchange, Fault, Outcome, Part, SendAnswer, catalogue_json, classify_send,
    read_balance, read_catalogue, read_data, read_identity, read_page, read_seen,
};
use oneclick::clock::Clock;
use oneclick::domain::Ref;
use secrecy::SecretString;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::runner::Target;

/// A key with characters that JSON and URLs may spell in other ways.
const KEY: &str = "3f9a7c1e/fuzz+key-0b5d";
/// The ref of every order here.
const REF: &str = "order-1";

const WORDS: &[&str] = &[
    "200\n",
    "201\n",
    "400\n",
    "401\n",
    "403\n",
    "404\n",
    "409\n",
    "422\n",
    "429\n",
    "500\n",
    "502\n",
    "503\n",
    "302\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "false",
    "0",
    "1e999",
    "-1.5e3",
    "500.00",
    " ",
    "\n",
    "\"success\":true",
    "\"success\":false",
    "\"data\":{}",
    "\"data\":[]",
    "\"data\":null",
    "\"topupId\":\"6901616fe9e88196b4eb64b0\"",
    "\"topupId\":\"\"",
    "\"topupId\":7",
    "\"topupRef\":\"API-+213-order-1\"",
    "\"topupRef\":\"order-2\"",
    "\"newBalance\":826.13",
    "\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"m\"}",
    "\"error\":{\"code\":\"DUPLICATED-REF\"}",
    "\"code\":\"ERR_VALIDATION\"",
    "\"code\":\"INSUFFICIENT_BALANCE\"",
    "\"code\":\"AUTH_UNAVAILABLE\"",
    "\"code\":\"RATE_LIMIT_EXCEEDED\"",
    "\"code\":\"\"",
    "\"error\":\"x\"",
    "\"message\":\"Route GET:/x not found\"",
    "\"status\":\"FULFILLED\"",
    "\"status\":\"SUCCESS\"",
    "\"items\":[",
    "\"topups\":[",
    "\"pagination\":{\"totalPages\":3}",
    "\"MSSIDN\":\"0778037340\"",
    "\"topup_amount\":500",
    "\"suggested_offers\":[{}]",
    "\"dynamicPlans\":[{",
    "\"code\":\"PIXX_500\"",
    "\"min_amount\":1",
    "\"amount\":0",
    "\"username\":\"x\"",
    "\"apiKey\":{\"type\":\"SANDBOX\"}",
    "<html>",
    "3f9a7c1e/fuzz+key-0b5d",
    "3f9a7c1e\\/fuzz+key-0b5d",
    "3f9a7c1e%2Ffuzz%2Bkey-0b5d",
    "3f9a7c1e%2ffuzz%2bkey-0b5d",
    "\\u0033f9a7c1e/fuzz+key-0b5d",
    "\\u0033\\u0066\\u0039a7c1e\\u002ffuzz\\u002Bkey\\u002d0b5d",
    "3f9a7c1e&#47;fuzz&#x2b;key-0b5d",
    "3f9a7c1e/fuzz",
    "\u{202e}",
    "\u{feff}",
];

/// A server that says what it is told to, and the client that listens.
struct Rig {
    says: Arc<Mutex<Vec<u8>>>,
    address: SocketAddr,
    client: RefCell<Client>,
    runtime: Runtime,
    reference: Ref,
}

fn answer(mut stream: TcpStream, says: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece)?;
        request.extend_from_slice(&piece[..read]);
        let is_question = request.starts_with(b"GET");
        let is_whole = request.ends_with(if is_question { b"\r\n\r\n" } else { b"\r\n\r\n{}" });
        if is_whole {
            stream.write_all(&says.lock().unwrap_or_else(PoisonError::into_inner))?;
            request.clear();
        } else if read == 0 {
            return Ok(());
        }
    }
}

fn client(address: SocketAddr) -> Client {
    let options = ClientOptions {
        base_url: format!("http://{address}"),
        is_loopback: true,
        key: SecretString::from(KEY.to_owned()),
        connect_timeout: Duration::from_mins(1),
        send_timeout: Duration::from_mins(1),
        read_timeout: Duration::from_mins(1),
    };
    Client::new(options, Clock::system()).unwrap_or_else(|error| panic!("{error}"))
}

impl Rig {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let says: Arc<Mutex<Vec<u8>>> = Arc::default();
        let told = Arc::clone(&says);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                std::thread::spawn(move || answer(stream, &told));
            }
        });
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            says,
            client: RefCell::new(client(address)),
            address,
            runtime: runtime.unwrap_or_else(|error| panic!("{error}")),
            reference: REF.parse().unwrap_or_else(|error| panic!("{error}")),
        }
    }

    /// The POST's and a question's exchange with a server that says this.
    fn ask(&self, status: u16, body: &[u8]) -> (Exchange, Exchange) {
        let head = format!(
            "HTTP/1.1 {status} X\r\nx-request-id: req-{KEY}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = [head.as_bytes(), body].concat();
        let exchange = |call: &dyn Fn(&Runtime, &Client) -> Exchange| {
            let exchange = call(&self.runtime, &self.client.borrow());
            // A client that is asked to wait does, for all its calls.
            if status == 429 {
                self.client.replace(client(self.address));
            }
            exchange
        };
        let sent = exchange(&|runtime, client| runtime.block_on(client.post_send("{}".to_owned())));
        let asked = exchange(&|runtime, client| runtime.block_on(client.check_ref(REF)));
        (sent, asked)
    }
}

/// The status on the first line, and the body behind it.
fn parts(bytes: &[u8]) -> (u16, &[u8]) {
    let split = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = split.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 1..]));
    let status = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.trim().parse().ok());
    // Those that have no body are tested over real connections.
    let status = status.filter(|status| (200..600).contains(status) && !matches!(status, 204 | 304));
    (status.unwrap_or(200), body)
}

/// A second reading of the body: what an answer may be taken for at most.
struct Reading {
    status: u16,
    json: Option<Value>,
    code: Option<String>,
}

impl Reading {
    fn of(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let json: Option<Value> = serde_json::from_str(&text).ok().filter(Value::is_object);
        let code = json.as_ref().and_then(|json| json["error"]["code"].as_str());
        let code = code
            .filter(|code| !code.is_empty())
            .map(|code| code.to_uppercase().replace('-', "_"));
        Self { status, json, code }
    }

    fn is_success(&self) -> bool {
        let says_no = self.json.as_ref().is_some_and(|json| json["success"] == false);
        (200..300).contains(&self.status) && self.json.is_some() && self.code.is_none() && !says_no
    }

    fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && self.code.is_some()
    }

    /// Whether an id of an order that may be ours is there.
    fn has_id(&self) -> bool {
        let Some(data) = self.json.as_ref().map(|json| &json["data"]) else {
            return false;
        };
        let is_there = match &data["topupId"] {
            Value::String(id) => !id.trim().is_empty(),
            other => other.is_number(),
        };
        let is_ours = match &data["topupRef"] {
            Value::String(theirs) => theirs.trim().is_empty() || theirs.ends_with(REF),
            other => !other.is_number(),
        };
        is_there && is_ours
    }
}

/// No class of a POST's answer claims more than the bytes say.
fn claims_no_more(answer: &SendAnswer, reading: &Reading) {
    let Reading { status, code, .. } = reading;
    let code = code.as_deref();
    let is_true = match answer {
        SendAnswer::Accepted { .. } => reading.is_success() && reading.has_id(),
        SendAnswer::NotCreated(_) => {
            *status == 429
                || (*status == 503 && matches!(code, Some("AUTH_UNAVAILABLE" | "RATE_LIMIT_EXCEEDED")))
        }
        SendAnswer::Rejected { .. } => reading.is_refusal(),
        SendAnswer::EmptyWallet { .. } => {
            reading.is_refusal() && matches!(code, Some("INSUFFICIENT_BALANCE" | "NO_BALANCE"))
        }
        SendAnswer::Auth(_) => *status == 401 || reading.is_refusal(),
        SendAnswer::Exists => code == Some("DUPLICATED_REF"),
        SendAnswer::NotSent(_) => false,
        SendAnswer::Unknown(_) => true,
    };
    assert!(is_true, "HTTP {status} {code:?} was taken for {answer:?}");
}

/// Only the envelope's own word means absent, and only a good answer has data; readers of it take what comes.
fn reads_no_more(exchange: &Exchange, reading: &Reading) {
    let data = match read_data(exchange) {
        Ok(data) => data,
        Err(fault) => {
            let is_absent = reading.status == 404 && reading.code.as_deref() == Some("NOT_FOUND");
            assert!(
                fault != Fault::NotFound || is_absent,
                "HTTP {} {:?}",
                reading.status,
                reading.code
            );
            assert!(!fault.describe().contains(KEY));
            return;
        }
    };
    assert!(
        reading.is_success(),
        "HTTP {} {:?} has data",
        reading.status,
        reading.code
    );
    if let Some(page) = read_page(data, exchange.meta()) {
        assert!(page.orders.len() == page.texts.len() && page.orders.len() <= page.rows);
    }
    if let Some(catalogue) = read_catalogue(data) {
        assert_eq!(read_catalogue(&catalogue_json(&catalogue)), Some(catalogue));
    }
    if let Some(seen) = read_seen(data) {
        assert!(
            reading
                .json
                .as_ref()
                .is_some_and(|json| json["data"]["status"].is_string()),
            "{seen:?}"
        );
    }
    let _ = (read_identity(data), read_balance(data));
}

/// Every spelling undone: of JSON, of URLs, of HTML.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (character, length) = spelt(rest).unwrap_or((first, first.len_utf8()));
        plain.push(character);
        rest = &rest[length..];
    }
    plain
}

/// The character that a text begins with in another spelling, and how long that is.
fn spelt(text: &str) -> Option<(char, usize)> {
    let hex = |from: usize, to: usize| char::from_u32(u32::from_str_radix(text.get(from..to)?, 16).ok()?);
    if text.starts_with("\\u") {
        return Some((hex(2, 6)?, 6));
    }
    if text.starts_with('%') {
        return Some((hex(1, 3)?, 3));
    }
    if let Some((number, _)) = text.strip_prefix("&#").and_then(|rest| rest.split_once(';')) {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return Some((char::from_u32(code)?, number.len() + 3));
    }
    text.starts_with("\\/").then_some(('/', 2))
}

/// Nothing that is stored or shown of an exchange has the key, in any spelling.
fn hides_the_key(exchange: &Exchange) {
    let Outcome::Answered(answer) = &exchange.outcome else {
        return;
    };
    let mut shown = vec![answer.text.clone(), answer.request_id.clone().unwrap_or_default()];
    if let Some(envelope) = &answer.envelope {
        let error = envelope.error.clone().unwrap_or_default();
        shown.extend([
            error.code,
            error.message,
            envelope.request_id.clone().unwrap_or_default(),
        ]);
        let parts = [&envelope.data, &envelope.meta].into_iter().flatten();
        let values = parts.filter_map(Part::value).chain(&error.details);
        shown.extend(values.map(Value::to_string));
    }
    for text in shown {
        assert!(!plain(&text).contains(KEY), "the key is shown: {text:?}");
    }
}

#[test]
fn no_answer_is_taken_for_more_than_it_says_and_none_shows_the_key() {
    let rig = Rig::new();
    Target::new("answer", WORDS, 3_000).run(|bytes| {
        let (status, body) = parts(bytes);
        let (sent, asked) = rig.ask(status, body);
        let reading = Reading::of(status, body);
        claims_no_more(&classify_send(&sent, &rig.reference), &reading);
        reads_no_more(&asked, &reading);
        hides_the_key(&sent);
        hides_the_key(&asked);
    });
}
